"""APIService: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "apiregistration.k8s.io/v1",
    "kind": "APIService",
    "metadata": {"name": "v1.g.example"},
    "spec": {"group": "g.example", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10},
}
CREATE = {
    "a name is the version's and the group's": (
        {"metadata.name": "x"},
        ['metadata.name: Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.g.example"'],
    ),
    "priorities have bounds": (
        {"spec.groupPriorityMinimum": 20001, "spec.versionPriority": 0},
        [
            "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
            "spec.versionPriority: Invalid value: 0: must be positive and less than 1000",
        ],
    ),
    "one that is local has no authority": (
        {"spec.insecureSkipTLSVerify": True},
        [("spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify")],
    ),
    "one elsewhere is named in full": (
        {"spec.service": {"name": "s"}},
        ["spec.service.namespace: Required value"],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
