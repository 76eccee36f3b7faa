"""ConfigMap: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "x"},
    "data": {"a": "1"},
    "binaryData": {"b": "AAAA"},
}
CREATE = {
    "a key is a file's name": (
        {"data": {"a b": "1"}},
        [
            (
                'data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric '
                "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex "
                "used for validation is '[-._a-zA-Z0-9]+')"
            )
        ],
    ),
    "a key is no way out of the volume": (
        {"data": {"..": "1"}},
        ["data[..]: Invalid value: \"..\": must not be '..'"],
    ),
    "text and bytes have keys of their own": (
        {"binaryData": {"a": "AAAA"}},
        ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
    ),
    "all together fits into a request": (
        {"data": {"a": "x" * 1048577}},
        [": Too long: may not be more than 1048576 bytes"],
    ),
}
UPDATE = {
    "what is immutable stays": (
        {"immutable": True},
        {"immutable": True, "data": {"a": "2"}},
        ["data: Forbidden: field is immutable when `immutable` is set"],
    ),
    "what is immutable stays so": (
        {"immutable": True},
        {"immutable": False},
        ["immutable: Forbidden: field is immutable when `immutable` is set"],
    ),
}
