"""ValidatingAdmissionPolicy: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "x"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
            ]
        },
        "validations": [{"expression": "true"}],
    },
}
CREATE = {
    "a policy matches something": (
        {"spec.matchConstraints": ...},
        ["spec.matchConstraints: Required value"],
    ),
    "a policy matches resources": (
        {"spec.matchConstraints": {}},
        ["spec.matchConstraints.resourceRules: Required value"],
    ),
    "a policy validates": (
        {"spec.validations": []},
        [
            ("spec.validations: Required value: validations or auditAnnotations must contain at least one item"),
            ("spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item"),
        ],
    ),
    "parameters have a kind": (
        {"spec.paramKind": {}},
        ["spec.paramKind.apiVersion: Required value", "spec.paramKind.kind: Required value"],
    ),
    "a wildcard stands alone": (
        {"spec.matchConstraints.resourceRules.0.apiGroups": ["*", "apps"]},
        [
            (
                'spec.matchConstraints.resourceRules[0].apiGroups: Invalid value: ["*","apps"]: if '
                "'*' is present, must not specify other API groups"
            )
        ],
    ),
    "a resource is covered once": (
        {"spec.matchConstraints.resourceRules.0.resources": ["pods/*", "pods/log"]},
        [
            (
                'spec.matchConstraints.resourceRules[0].resources[1]: Invalid value: "pods/log": if '
                "'pods/*' is present, must not specify pods/log"
            )
        ],
    ),
    "a condition has a name and an expression": (
        {"spec.matchConditions": [{}]},
        ["spec.matchConditions[0].expression: Required value", "spec.matchConditions[0].name: Required value"],
    ),
    "a validation is an expression": (
        {"spec.validations.0.expression": " "},
        ["spec.validations[0].expression: Required value: expression is not specified"],
    ),
    "a message is one line": (
        {"spec.validations.0.message": "a\nb"},
        ['spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks'],
    ),
    "a reason is known": (
        {"spec.validations.0.reason": "Odd"},
        [
            (
                'spec.validations[0].reason: Unsupported value: "Odd": supported values: "Forbidden", '
                '"Invalid", "RequestEntityTooLarge", "Unauthorized"'
            )
        ],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
