"""PriorityClass: what upstream refuses, and with which words."""

VALID = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "x"}, "value": 5}
CREATE = {
    "the highest are the system's": (
        {"value": 1000000001},
        ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
    ),
    "the system's names are the system's": (
        {"metadata.name": "system-x"},
        [
            (
                "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved "
                "for system use only. error: system-x is not a known system priority class"
            )
        ],
    ),
    "preemption is allowed or not": (
        {"preemptionPolicy": "Odd"},
        [('preemptionPolicy: Unsupported value: "Odd": supported values: "PreemptLowerPriority", "Never"')],
    ),
}
UPDATE = {
    "a value stays": (
        {},
        {"value": 6},
        ["value: Forbidden: may not be changed in an update."],
    ),
    "preemption stays": (
        {},
        {"preemptionPolicy": "Never"},
        ["preemptionPolicy: Forbidden: may not be changed in an update."],
    ),
}
