"""Secret: what upstream refuses, and with which words."""

VALID = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"a": "AAAA"}}
CREATE = {
    "a key is a file's name": (
        {"data": {"a b": "AAAA"}},
        [
            (
                'data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric '
                "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex "
                "used for validation is '[-._a-zA-Z0-9]+')"
            )
        ],
    ),
    "a certificate comes with its key": (
        {"type": "kubernetes.io/tls"},
        ["data[tls.crt]: Required value", "data[tls.key]: Required value"],
    ),
    "a registry's login is one": (
        {"type": "kubernetes.io/dockerconfigjson"},
        ["data[.dockerconfigjson]: Required value"],
    ),
    "a login has a name or a password": (
        {"type": "kubernetes.io/basic-auth"},
        ["data[username]: Required value", "data[password]: Required value"],
    ),
    "a token belongs to an account": (
        {"type": "kubernetes.io/service-account-token"},
        ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
    ),
    "an SSH key is there": (
        {"type": "kubernetes.io/ssh-auth"},
        ["data[ssh-privatekey]: Required value"],
    ),
}
UPDATE = {
    "a type stays": (
        {},
        {"type": "example.com/other"},
        ['type: Invalid value: "example.com/other": field is immutable'],
    ),
    "what is immutable stays": (
        {"immutable": True},
        {"immutable": True, "data": {"a": "BBBB"}},
        ["data: Forbidden: field is immutable when `immutable` is set"],
    ),
}
