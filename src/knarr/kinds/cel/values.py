"""What CEL's values do that Python's do not: equality across numbers, optionals, durations, addresses, quantities.

Kubernetes' own types (https://kubernetes.io/docs/reference/using-api/cel/) are small classes with their CEL type.
"""

import ipaddress
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import total_ordering
from typing import Any, ClassVar
from urllib.parse import SplitResult, parse_qs, urlsplit

from knarr.kinds.cel.types import DYN, Type, optional_of
from knarr.meta.quantity import Quantity, parse


class Failed(Exception):
    """An expression cannot be evaluated on these values."""


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be missing: `items` has one or none."""

    items: tuple[Any, ...] = ()
    type: ClassVar[Type] = optional_of(DYN)


@dataclass(frozen=True, slots=True)
class Url:
    parts: SplitResult
    type: ClassVar[Type] = Type("kubernetes.URL")


@dataclass(frozen=True, slots=True)
class Ip:
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    type: ClassVar[Type] = Type("net.IP")


@dataclass(frozen=True, slots=True)
class Cidr:
    interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface
    type: ClassVar[Type] = Type("net.CIDR")


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity."""

    quantity: Quantity
    type: ClassVar[Type] = Type("kubernetes.Quantity")


@total_ordering
@dataclass(frozen=True, slots=True)
class Semver:
    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()
    type: ClassVar[Type] = Type("kubernetes.Semver")

    def __lt__(self, other: "Semver") -> bool:
        mine, theirs = (self.major, self.minor, self.patch), (other.major, other.minor, other.patch)
        if mine != theirs:
            return mine < theirs
        if not self.pre or not other.pre:
            return bool(self.pre) and not other.pre
        return [_rank(part) for part in self.pre] < [_rank(part) for part in other.pre]


def _rank(part: str) -> tuple[int, int, str]:
    return (0, int(part), "") if part.isdigit() else (1, 0, part)


_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


def semver(text: str) -> Semver:
    found = _SEMVER.fullmatch(text)
    if found is None:
        raise Failed(f"invalid semver: {text}")
    return Semver(int(found[1]), int(found[2]), int(found[3]), tuple(found[4].split(".")) if found[4] else ())


def quantity(text: str) -> Amount:
    try:
        return Amount(parse(text))
    except ValueError:
        raise Failed(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        ) from None


def ip(text: str) -> Ip:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise Failed(f'IP Address "{text}" parse error during conversion from string: unable to parse IP') from None
    if "%" in text or (address.version == 6 and address.ipv4_mapped is not None):
        raise Failed(f'IP address "{text}" with zone value or IPv4-mapped is not allowed')
    return Ip(address)


def cidr(text: str) -> Cidr:
    try:
        if "/" not in text or not text.rpartition("/")[2].isdigit():
            raise ValueError(text)
        return Cidr(ipaddress.ip_interface(text))
    except ValueError:
        raise Failed(
            f'network address parse error during conversion from string: netip.ParsePrefix("{text}")'
        ) from None


def url(text: str) -> Url:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise Failed(f"URL parse error during conversion from string: {error}") from None
    if not (parts.scheme or text.startswith("/")) or re.search(r"\s", text):
        raise Failed(f'URL parse error during conversion from string: parse "{text}": invalid URI for request')
    return Url(parts)


def query(of: Url) -> dict[str, list[str]]:
    return parse_qs(of.parts.query, keep_blank_values=True)


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|([+-]?)0")
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def duration(text: str) -> timedelta:
    """A duration in Go's form; raises ValueError."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f'time: invalid duration "{text}"')
    seconds = math.fsum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


def timestamp(text: str) -> datetime:
    """A time of RFC 3339; raises ValueError."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text):
        raise ValueError(f'parsing time "{text}"')
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).astimezone(UTC)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Any, right: Any) -> bool:
    """CEL's equality: numbers by value whatever their type, nothing else across types."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    if isinstance(left, Amount) and isinstance(right, Amount):
        return not left.quantity < right.quantity and not right.quantity < left.quantity
    if isinstance(left, Optional) and isinstance(right, Optional):
        return equal(list(left.items), list(right.items))
    return type(left) is type(right) and bool(left == right)


def compare(left: Any, right: Any) -> int:
    """Below, at or above 0; raises Failed for what has no order between the two."""
    same = (is_number(left) and is_number(right)) or type(left) is type(right)
    if not same or not isinstance(left, int | float | str | bytes | datetime | timedelta):
        raise Failed("no such overload")
    return int(left > right) - int(left < right)
