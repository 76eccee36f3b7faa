"""Rules of single fields that many kinds share, as FieldErrors with upstream's wording.

Each takes the value and the path of the field and gives what it breaks, at once: most are asked several times of every
write, and hardly ever find anything. The wordings of names are `meta.names`'.
"""

import ipaddress
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache

from knarr.meta import field, names
from knarr.meta.field import FieldError

Found = Sequence[FieldError]

INT32 = 2**31 - 1
NOT_NEGATIVE = "must be greater than or equal to 0"
POSITIVE = "must be greater than zero"
IMMUTABLE = "field is immutable"
PROTOCOLS = ("SCTP", "TCP", "UDP")


def wrong(path: str, value: object, messages: Collection[str]) -> Found:
    """One error for each message about the value."""
    return [field.wrong(path, value, message) for message in messages] if messages else ()


def dns_label(value: str, path: str) -> Found:
    return wrong(path, value, names.label_errors(value))


def dns_subdomain(value: str, path: str) -> Found:
    return wrong(path, value, names.subdomain_errors(value))


def qualified_name(value: str, path: str) -> Found:
    return wrong(path, value, names.qualified_errors(value))


def environment_name(value: str, path: str) -> Found:
    return wrong(path, value, names.env_name_errors(value))


def header_name(value: str, path: str) -> Found:
    return wrong(path, value, names.header_errors(value))


def port_name(value: str, path: str) -> Found:
    return wrong(path, value, names.port_name_errors(value))


def port_number(value: int, path: str) -> Found:
    return between(value, 1, 65535, path)


def port(value: int | str, path: str) -> Found:
    """A port by number or by name."""
    return port_number(value, path) if isinstance(value, int) else port_name(value, path)


def between(value: int, least: int, most: int, path: str) -> Found:
    return () if least <= value <= most else [field.wrong(path, value, names.range_error(least, most))]


def identity(value: int | None, path: str) -> Found:
    """A user's or a group's number."""
    return () if value is None else between(value, 0, INT32, path)


def not_negative(value: int | None, path: str) -> Found:
    return () if value is None or value >= 0 else [field.wrong(path, value, NOT_NEGATIVE)]


def one_of(value: str, choices: Collection[str], path: str) -> Found:
    return () if value in choices else [field.unsupported(path, value, list(choices))]


def required_one_of(value: str, choices: Collection[str], path: str) -> Found:
    return one_of(value, choices, path) if value else [field.required(path)]


def needed(path: str, /, **values: object) -> Iterator[FieldError]:
    """Fields under `path` that must not be empty."""
    for key, value in values.items():
        if not value:
            yield field.required(field.at(path, key))


def unchanged(new: object, old: object, path: str) -> Found:
    return () if new == old else [field.wrong(path, new, IMMUTABLE)]


@lru_cache(1024)  # a node's stand in the status of every pod on it
def address_of(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address a text means, None when it means none."""
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def plain_address(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """As `address_of`, an IPv4 address written as one of IPv6 as the IPv4 address that it is connected to."""
    address = address_of(value)
    return (getattr(address, "ipv4_mapped", None) or address) if address is not None else None


def ip(value: str, path: str) -> Found:
    return wrong(path, value, names.ip_errors(value))


def cidr(value: str, path: str) -> Found:
    return wrong(path, value, names.cidr_errors(value))


def ordinary_ip(value: str, path: str) -> Iterator[FieldError]:
    """An address that may stand behind a service: neither unspecified nor loopback nor link-local."""
    address = plain_address(value)
    if address is None:
        yield field.wrong(path, value, "must be a valid IP address")
    elif address.is_unspecified:
        yield field.wrong(path, value, f"may not be unspecified ({value})")
    elif address.is_loopback:
        yield field.wrong(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    elif address.is_link_local:
        yield field.wrong(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    elif address in (MULTICAST_4 if address.version == 4 else MULTICAST_6):
        yield field.wrong(path, value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


MULTICAST_4 = ipaddress.ip_network("224.0.0.0/24")
MULTICAST_6 = ipaddress.ip_network("ff02::/16")


def annotations(pairs: Mapping[str, str], path: str) -> Iterator[FieldError]:
    """Keys are checked regardless of case; all together may not be too big."""
    for key in sorted(pairs):
        yield from wrong(path, key, names.qualified_errors(key.lower()))
    if sum(len(k.encode()) + len(v.encode()) for k, v in pairs.items()) > ANNOTATIONS_SIZE:
        yield field.too_long(path, ANNOTATIONS_SIZE)


ANNOTATIONS_SIZE = 256 * 1024  #: bytes of all keys and values


def relative_path(value: str, path: str) -> Iterator[FieldError]:
    """A path that stays under the place it starts from."""
    if value.startswith("/"):
        yield field.wrong(path, value, "must be a relative path")
    yield from no_backsteps(value, path)


def no_backsteps(value: str, path: str) -> Iterator[FieldError]:
    if ".." in value.split("/"):
        yield field.wrong(path, value, "must not contain '..'")


def projected_path(value: str, path: str) -> Iterator[FieldError]:
    """The path of a file in a volume: relative, and not one of the names the volume's writer keeps for itself."""
    yield from relative_path(value, path)
    if value.startswith("..") and not value.startswith("../"):
        yield field.wrong(path, value, "must not start with '..'")
