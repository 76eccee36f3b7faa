"""MutatingAdmissionPolicy: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingAdmissionPolicy",
    "metadata": {"name": "x"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
            ]
        },
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}],
    },
}
CREATE = {
    "a policy matches something": (
        {"spec.matchConstraints": ...},
        ["spec.matchConstraints: Required value"],
    ),
    "a policy changes something": (
        {"spec.mutations": []},
        ["spec.mutations: Required value: mutations must contain at least one item"],
    ),
    "it is asked again or not": (
        {"spec.reinvocationPolicy": "Odd"},
        ['spec.reinvocationPolicy: Unsupported value: "Odd": supported values: "IfNeeded", "Never"'],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
