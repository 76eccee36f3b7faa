"""ValidatingAdmissionPolicyBinding: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "x"},
    "spec": {"policyName": "p", "validationActions": ["Deny"]},
}
CREATE = {
    "a binding names a policy": (
        {"spec.policyName": ""},
        ["spec.policyName: Required value"],
    ),
    "something is done": (
        {"spec.validationActions": []},
        ["spec.validationActions: Required value: at least one validation action is required"],
    ),
    "an action is known": (
        {"spec.validationActions": ["Odd"]},
        [('spec.validationActions[0]: Unsupported value: "Odd": supported values: "Audit", "Deny", "Warn"')],
    ),
    "who is denied is not warned": (
        {"spec.validationActions": ["Deny", "Warn"]},
        [
            (
                'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny '
                "and Warn (repeating the same validation failure information in the API response and "
                "headers serves no purpose)"
            )
        ],
    ),
    "parameters are named or selected": (
        {"spec.paramRef": {"parameterNotFoundAction": "Allow"}},
        ["spec.paramRef: Required value: one of name or selector must be specified"],
    ),
    "missing parameters are allowed or not": (
        {"spec.paramRef": {"name": "x"}},
        ["spec.paramRef.parameterNotFoundAction: Required value"],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
