"""StatefulSet: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "x"},
    "spec": {
        "serviceName": "s",
        "selector": {"matchLabels": {"app": "x"}},
        "template": {
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]},
        },
    },
}
CREATE = {
    "replicas are counted": (
        {"spec.replicas": -1},
        ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "it selects something": (
        {"spec.selector": {}},
        ["spec.selector: Invalid value: {}: empty selector is invalid for statefulset"],
    ),
    "it selects its own pods": (
        {"spec.selector": {"matchLabels": {"app": "y"}}},
        [('spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`')],
    ),
    "pods are managed in a known way": (
        {"spec.podManagementPolicy": "Odd"},
        ["spec.podManagementPolicy: Invalid value: \"Odd\": must be 'OrderedReady' or 'Parallel'"],
    ),
    "an update is of a known kind": (
        {"spec.updateStrategy": {"type": "Odd"}},
        [("spec.updateStrategy: Invalid value: {\"type\":\"Odd\"}: must be 'RollingUpdate' or 'OnDelete'")],
    ),
    "a partition is counted": (
        {"spec.updateStrategy": {"rollingUpdate": {"partition": -1}}},
        [("spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0")],
    ),
    "an update is one at a time at least": (
        {"spec.updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}},
        ["spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0"],
    ),
    "ordinals begin at zero or above": (
        {"spec.ordinals": {"start": -1}},
        ["spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "claims are kept or deleted": (
        {"spec.persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Odd"}},
        [
            (
                'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Odd": '
                'supported values: "Retain", "Delete"'
            )
        ],
    ),
}
UPDATE = {
    "only some fields change": (
        {},
        {"spec.serviceName": "t"},
        [
            (
                "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', "
                "'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
                "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
            )
        ],
    ),
}
