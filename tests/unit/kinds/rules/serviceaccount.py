"""ServiceAccount: what upstream refuses, and with which words."""

VALID = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}, "automountServiceAccountToken": False}
CREATE = {
    "a name is a subdomain": (
        {"metadata.name": "A"},
        [
            (
                'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of '
                "lower case alphanumeric characters, '-' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
    "a label's value is possible": (
        {"metadata.labels": {"a": "b c"}},
        [
            (
                'metadata.labels: Invalid value: "b c": a valid label must be an empty string or '
                "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
                "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            )
        ],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
