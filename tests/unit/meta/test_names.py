"""What names may look like, and upstream's words when they do not."""

import pytest

from knarr.meta import names

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)

CASES = {
    "a label may begin with a digit": (names.label_errors, "0-db", []),
    "a label has no dots": (names.label_errors, "a.b", ["must not contain dots"]),
    "a label has no capitals": (names.label_errors, "A", [LABEL]),
    "a label ends after 63 characters": (names.label_errors, "a" * 64, ["must be no more than 63 characters"]),
    "a subdomain has dots": (names.subdomain_errors, "a.b", []),
    "a subdomain begins with no hyphen": (names.subdomain_errors, "-a", [SUBDOMAIN]),
    "a subdomain ends after 253 characters": (
        names.subdomain_errors,
        "a" * 254,
        ["must be no more than 253 characters"],
    ),
    "a path segment may hold nearly anything": (names.path_segment_errors, "system:node-proxier", []),
    "a path segment holds no slash": (names.path_segment_errors, "a/b", ["may not contain '/'"]),
    "a path segment is not the parent folder": (names.path_segment_errors, "..", ["may not be '..'"]),
    "a key may have a domain": (names.qualified_errors, "example.com/App_1", []),
    "an empty key breaks two rules": (names.qualified_errors, "", ["name part must be non-empty", NAME_PART]),
    "a key has no empty prefix": (names.qualified_errors, "/a", ["prefix part must be non-empty"]),
    "a key's name has no blanks": (names.qualified_errors, "a b", [NAME_PART]),
    "a label's value may be empty": (names.label_value_errors, "", []),
    "a port's name is short": (
        names.port_name_errors,
        "toolongportname123",
        ["must be no more than 15 characters"],
    ),
    "a port's name has a letter": (names.port_name_errors, "80", ["must contain at least one letter (a-z)"]),
    "a variable's name has no equals sign": (
        names.env_name_errors,
        "a=b",
        ["a valid environment variable name must consist only of printable ASCII characters other than '='"],
    ),
    "a file is not the parent folder": (names.config_key_errors, "..", ["must not be '..'"]),
    "an address is no word": (
        names.ip_errors,
        "x",
        ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"],
    ),
    "a network has a prefix length": (
        names.cidr_errors,
        "10.0.0.0",
        ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"],
    ),
}


@pytest.mark.parametrize("check, value, complaints", CASES.values(), ids=CASES)
def test_complaints(check, value, complaints):
    assert check(value) == complaints


def test_a_prefix_of_a_generated_name_may_end_in_a_hyphen():
    assert names.name_errors("subdomain", "db-", prefix=True) == []
    assert names.name_errors("subdomain", "db-") != []
