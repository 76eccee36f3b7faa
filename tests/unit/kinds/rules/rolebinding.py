"""RoleBinding: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "x"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
    "subjects": [{"kind": "User", "name": "u"}],
}
CREATE = {
    "a role has a name": (
        {"roleRef.name": ""},
        ["roleRef.name: Required value"],
    ),
    "a role is one": (
        {"roleRef.kind": "Odd"},
        ['roleRef.kind: Unsupported value: "Odd": supported values: "Role", "ClusterRole"'],
    ),
    "a role is of the group": (
        {"roleRef.apiGroup": "odd"},
        ['roleRef.apiGroup: Unsupported value: "odd": supported values: "rbac.authorization.k8s.io"'],
    ),
    "a subject has a name": (
        {"subjects.0.name": ""},
        ["subjects[0].name: Required value"],
    ),
    "a subject's kind is known": (
        {"subjects": [{"kind": "Odd", "name": "u"}]},
        [('subjects[0].kind: Unsupported value: "Odd": supported values: "ServiceAccount", "User", "Group"')],
    ),
    "an account has no group": (
        {"subjects": [{"kind": "ServiceAccount", "name": "u", "namespace": "d", "apiGroup": "x"}]},
        ['subjects[0].apiGroup: Unsupported value: "x": supported values: ""'],
    ),
}
UPDATE = {
    "a role stays": (
        {},
        {"roleRef.name": "s"},
        [
            (
                "roleRef: Invalid value: "
                '{"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"s"}: cannot change '
                "roleRef"
            )
        ],
    ),
}
