"""Namespace: what upstream refuses, and with which words."""

VALID = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
CREATE = {
    "a name is a label": (
        {"metadata.name": "a.b"},
        ['metadata.name: Invalid value: "a.b": must not contain dots'],
    ),
    "a finalizer of the spec is qualified": (
        {"spec": {"finalizers": ["me"]}},
        [('spec.finalizers: Invalid value: "me": name is neither a standard finalizer name nor is it fully qualified')],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
