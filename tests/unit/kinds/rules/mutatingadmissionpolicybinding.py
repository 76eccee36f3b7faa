"""MutatingAdmissionPolicyBinding: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingAdmissionPolicyBinding",
    "metadata": {"name": "x"},
    "spec": {"policyName": "p"},
}
CREATE = {
    "a binding names a policy": (
        {"spec.policyName": ""},
        ["spec.policyName: Required value"],
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
