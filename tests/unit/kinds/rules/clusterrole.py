"""ClusterRole: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "x"},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
}
CREATE = {
    "a rule has verbs": (
        {"rules.0.verbs": []},
        ["rules[0].verbs: Required value: verbs must contain at least one value"],
    ),
    "a rule has groups": (
        {"rules.0.apiGroups": []},
        ["rules[0].apiGroups: Required value: resource rules must supply at least one api group"],
    ),
    "a rule has resources": (
        {"rules.0.resources": []},
        ["rules[0].resources: Required value: resource rules must supply at least one resource"],
    ),
    "paths are no resources": (
        {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"], "resources": ["pods"]}]},
        [
            (
                'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular '
                "resources and non-resource URLs"
            )
        ],
    ),
}
UPDATE = {
    "a change keeps to the rules": (
        {},
        {"rules.0.verbs": []},
        ["rules[0].verbs: Required value: verbs must contain at least one value"],
    ),
}
