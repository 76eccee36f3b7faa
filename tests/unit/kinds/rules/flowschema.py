"""FlowSchema: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
    "kind": "FlowSchema",
    "metadata": {"name": "x"},
    "spec": {
        "priorityLevelConfiguration": {"name": "p"},
        "rules": [
            {
                "subjects": [{"kind": "User", "user": {"name": "u"}}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            }
        ],
    },
}
CREATE = {
    "it leads somewhere": (
        {"spec.priorityLevelConfiguration.name": ""},
        ["spec.priorityLevelConfiguration.name: Required value: must reference a priority level"],
    ),
    "precedence has bounds": (
        {"spec.matchingPrecedence": 10001},
        ["spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000"],
    ),
    "only one comes first": (
        {"spec.matchingPrecedence": 1},
        [("spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1")],
    ),
    "flows are told apart in a known way": (
        {"spec.distinguisherMethod": {"type": "Odd"}},
        [('spec.distinguisherMethod.type: Unsupported value: "Odd": supported values: "ByNamespace", "ByUser"')],
    ),
    "a rule is about somebody": (
        {"spec.rules.0.subjects": []},
        ["spec.rules[0].subjects: Required value: subjects must contain at least one value"],
    ),
    "a rule is about something": (
        {"spec.rules.0.nonResourceRules": []},
        [("spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty")],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
