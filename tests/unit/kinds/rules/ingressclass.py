"""IngressClass: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "x"},
    "spec": {"controller": "example.com/c"},
}
CREATE = {
    "there is a controller": (
        {"spec": {"controller": ""}},
        ["spec.controller: Required value"],
    ),
    "a controller is named in full": (
        {"spec": {"controller": "c"}},
        ['spec.controller: Invalid value: "c": must be a domain-prefixed path (such as "acme.io/foo")'],
    ),
    "parameters have a kind and a name": (
        {"spec.parameters": {}},
        [
            "spec.parameters.kind: Required value: kind is required",
            "spec.parameters.name: Required value: name is required",
        ],
    ),
    "parameters of a namespace say which": (
        {"spec.parameters": {"kind": "K", "name": "n", "scope": "Namespace"}},
        ["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"],
    ),
}
UPDATE = {
    "a controller stays": (
        {},
        {"spec.controller": "example.com/d"},
        ['spec.controller: Invalid value: "example.com/d": field is immutable'],
    ),
}
