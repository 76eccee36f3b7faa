"""CustomResourceDefinition: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "foos.g.example"},
    "spec": {
        "group": "g.example",
        "scope": "Cluster",
        "names": {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}
CREATE = {
    "a name is the resource's": (
        {"metadata.name": "x.g.example"},
        ['metadata.name: Invalid value: "x.g.example": must be spec.names.plural+"."+spec.group'],
    ),
    "there is a scope": (
        {"spec.scope": "Odd"},
        ['spec.scope: Unsupported value: "Odd": supported values: "Cluster", "Namespaced"'],
    ),
    "one version is stored": (
        {"spec.versions.0.storage": False},
        [
            (
                "spec.versions: Invalid value: "
                '[{"name":"v1","schema":{"openAPIV3Schema":{"type":"object"}},"served":true}]: must '
                "have exactly one version marked as storage version"
            ),
            "status.storedVersions: Invalid value: null: must have at least one stored version",
        ],
    ),
    "a version has a schema": (
        {"spec.versions.0.schema": ...},
        ["spec.versions[0].schema.openAPIV3Schema: Required value"],
    ),
    "a schema is of an object": (
        {"spec.versions.0.schema.openAPIV3Schema": {"type": "string"}},
        ['spec.validation.openAPIV3Schema.type: Invalid value: "string": must be object at the root'],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
