"""How names of all sorts must look, worded as upstream words it when they do not.

Every `*_errors` function returns the list of complaints about one value; an empty list means it is fine.
Validation joins them with a path (`knarr.meta.field`).
"""

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache

from knarr.meta.field import FieldError, required, wrong

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
LABEL_1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE = rf"({QUALIFIED})?"
WILDCARD = rf"\*\.{SUBDOMAIN}"
CONFIG_KEY = r"[-._a-zA-Z0-9]+"
HEADER = r"[-A-Za-z0-9]+"
PERCENT = "[0-9]+%"

EMPTY = "must be non-empty"
LONGEST_QUALIFIED = 253 + 1 + 63  #: characters of a prefix, a slash and a name
ALPHANUMERIC_MIDDLE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)

_label = re.compile(LABEL).fullmatch
_subdomain = re.compile(SUBDOMAIN).fullmatch
_label_1035 = re.compile(LABEL_1035).fullmatch
_qualified = re.compile(QUALIFIED).fullmatch
_label_value = re.compile(LABEL_VALUE).fullmatch
_wildcard = re.compile(WILDCARD).fullmatch
_config_key = re.compile(CONFIG_KEY).fullmatch
_header = re.compile(HEADER).fullmatch
_percent = re.compile(PERCENT).fullmatch
_env_name = re.compile(r"[ -<>-~]+").fullmatch
_port_name = re.compile(r"[-a-z0-9]+").fullmatch


@lru_cache(2048)  # the same few namespaces and volumes come with every write
def _known_label(value: str) -> bool:
    return _label(value) is not None


@lru_cache(2048)
def _known_label_value(value: str) -> bool:
    return _label_value(value) is not None


def pattern_error(rule: str, pattern: str, *examples: str) -> str:
    """A broken pattern as upstream words it: the rule, examples and the regular expression."""
    shown = "".join((" or " if index else "") + f"'{example}', " for index, example in enumerate(examples))
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"


def length_error(most: int) -> str:
    return f"must be no more than {most} characters"


def range_error(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def label_errors(value: str) -> list[str]:
    """An RFC 1123 label: the name of a pod's volume, a namespace."""
    if len(value) <= 63 and _known_label(value):
        return []
    errors = [] if len(value) <= 63 else [length_error(63)]
    if not _label(value):
        if _subdomain(value):
            errors.append("must not contain dots")
        else:
            errors.append(
                pattern_error(
                    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
                    "and must start and end with an alphanumeric character",
                    LABEL,
                    "my-name",
                    "123-abc",
                )
            )
    return errors


def subdomain_errors(value: str) -> list[str]:
    """An RFC 1123 subdomain: the name of most objects."""
    errors = [] if len(value) <= 253 else [length_error(253)]
    if not _subdomain(value):
        errors.append(
            pattern_error(
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
                "and must start and end with an alphanumeric character",
                SUBDOMAIN,
                "example.com",
            )
        )
    return errors


def label_1035_errors(value: str) -> list[str]:
    """A DNS-1035 label: like an RFC 1123 one, but it begins with a letter."""
    errors = [] if len(value) <= 63 else [length_error(63)]
    if not _label_1035(value):
        errors.append(
            pattern_error(
                "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
                "start with an alphabetic character, and end with an alphanumeric character",
                LABEL_1035,
                "my-name",
                "abc-123",
            )
        )
    return errors


def path_segment_errors(value: str) -> list[str]:
    """A name that only has to fit into a URL: roles, bindings."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{illegal}'" for illegal in ("/", "%") if illegal in value]


def wildcard_errors(value: str) -> list[str]:
    errors = [] if len(value) <= 253 else [length_error(253)]
    if not _wildcard(value):
        errors.append(
            pattern_error(
                "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
                "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
                WILDCARD,
                "*.example.com",
            )
        )
    return errors


def qualified_errors(value: str) -> list[str]:
    """A label or annotation key, a resource or signer name: [prefix/]name."""
    return [*_known_qualified(value)] if len(value) <= LONGEST_QUALIFIED else _qualified_errors(value)


@lru_cache(2048)  # the same few keys come with every write
def _known_qualified(value: str) -> tuple[str, ...]:
    return tuple(_qualified_errors(value))


def _qualified_errors(value: str) -> list[str]:
    parts = value.split("/")
    if len(parts) > 2:
        return [
            "a valid label key "
            + pattern_error(ALPHANUMERIC_MIDDLE, QUALIFIED, "MyName", "my.name", "123-abc")
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    errors: list[str] = []
    if len(parts) == 2:
        prefix = parts[0]
        complaints = subdomain_errors(prefix) if prefix else [EMPTY]
        errors += [f"prefix part {complaint}" for complaint in complaints]
    name = parts[-1]
    if not name:
        errors.append(f"name part {EMPTY}")
    elif len(name) > 63:
        errors.append(f"name part {length_error(63)}")
    if not _qualified(name):
        errors.append("name part " + pattern_error(ALPHANUMERIC_MIDDLE, QUALIFIED, "MyName", "my.name", "123-abc"))
    return errors


def label_value_errors(value: str) -> list[str]:
    if len(value) <= 63 and _known_label_value(value):
        return []
    errors = [] if len(value) <= 63 else [length_error(63)]
    if not _label_value(value):
        errors.append(
            pattern_error(
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
                "and must start and end with an alphanumeric character",
                LABEL_VALUE,
                "MyValue",
                "my_value",
                "12345",
            )
        )
    return errors


def port_name_errors(value: str) -> list[str]:
    """An IANA service name: the name of a container's port."""
    errors = [] if len(value) <= 15 else [length_error(15)]
    if not _port_name(value):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        errors.append("must contain at least one letter (a-z)")
    if "--" in value:
        errors.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def env_name_errors(value: str) -> list[str]:
    if not value:
        return ["environment variable name " + EMPTY]
    if _env_name(value):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def config_key_errors(value: str) -> list[str]:
    """A key of a ConfigMap or Secret: a file name."""
    errors = [] if len(value) <= 253 else [length_error(253)]
    if not _config_key(value):
        rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        errors.append(pattern_error(rule, CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    if value in (".", ".."):
        errors.append(f"must not be '{value}'")
    elif value.startswith(".."):
        errors.append("must not start with '..'")
    return errors


def header_errors(value: str) -> list[str]:
    if _header(value):
        return []
    rule = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [pattern_error(rule, HEADER, "X-Header-Name")]


def percent_errors(value: str) -> list[str]:
    """A percentage: digits and the sign."""
    if _percent(value):
        return []
    rule = "a valid percent string must be a numeric string followed by an ending '%'"
    return [pattern_error(rule, PERCENT, "1%", "93%")]


def ip_errors(value: str) -> list[str]:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def cidr_errors(value: str) -> list[str]:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        cidr = None
    else:
        cidr = value.partition("/")[2].isdigit()
    return [] if cidr else ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]


def domain_errors(value: str, path: str) -> list[FieldError]:
    """A fully qualified name: a domain of at least three segments."""
    if not value:
        return [required(path)]
    if complaints := subdomain_errors(value):
        return [wrong(path, value, ",".join(complaints))]
    if value.count(".") < 2:
        return [wrong(path, value, "should be a domain with at least three segments separated by dots")]
    return []


RULES: dict[str, Callable[[str], list[str]]] = {
    "subdomain": subdomain_errors,
    "label": label_errors,
    "label1035": label_1035_errors,
    "path": path_segment_errors,
}


def name_errors(rule: str, name: str, *, prefix: bool = False) -> list[str]:
    """Complaints about an object's name under a kind's `name_rule`; `prefix`: it is a generateName."""
    if prefix and len(name) > 1 and name.endswith("-") and rule != "path":
        name = name[:-2] + "a"
    return RULES[rule](name)
