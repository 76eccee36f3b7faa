"""DeviceClass: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "DeviceClass",
    "metadata": {"name": "x"},
    "spec": {"selectors": [{"cel": {"expression": "true"}}]},
}
CREATE = {
    "a selector is an expression": (
        {"spec.selectors": [{}]},
        ["spec.selectors[0].cel: Required value"],
    ),
    "an expression is not too long": (
        {"spec.selectors.0.cel.expression": "x" * 10241},
        ["spec.selectors[0].cel.expression: Too long: may not be more than 10240 bytes"],
    ),
    "a configuration is one": (
        {"spec.config": [{}]},
        ["spec.config[0].opaque: Required value"],
    ),
    "a configuration is for a driver": (
        {"spec.config": [{"opaque": {"driver": "", "parameters": {"a": 1}}}]},
        [
            "spec.config[0].opaque.driver: Required value",
            (
                'spec.config[0].opaque.driver: Invalid value: "": a lowercase RFC 1123 subdomain must '
                "consist of lower case alphanumeric characters, '-' or '.', and must start and end "
                "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ),
        ],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
