"""PriorityLevelConfiguration: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
    "kind": "PriorityLevelConfiguration",
    "metadata": {"name": "x"},
    "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}},
}
CREATE = {
    "a type is known": (
        {"spec.type": "Odd"},
        ['spec.type: Unsupported value: "Odd": supported values: "Exempt", "Limited"'],
    ),
    "a limit says how": (
        {"spec.limited": ...},
        ["spec.limited: Required value: must not be empty when type is Limited"],
    ),
    "a response is known": (
        {"spec.limited.limitResponse": {"type": "Odd"}},
        [('spec.limited.limitResponse.type: Unsupported value: "Odd": supported values: "Queue", "Reject"')],
    ),
    "queues are for those who wait": (
        {"spec.limited.limitResponse": {"type": "Reject", "queuing": {}}},
        [("spec.limited.limitResponse.queuing: Forbidden: must be nil if limited.limitResponse.type is not Limited")],
    ),
    "exemption has no limit": (
        {"spec.type": "Exempt"},
        ["spec.limited: Forbidden: must be nil if the type is not Limited"],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
