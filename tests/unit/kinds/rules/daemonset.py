"""DaemonSet: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "x"},
    "spec": {
        "selector": {"matchLabels": {"app": "x"}},
        "template": {
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]},
        },
    },
}
CREATE = {
    "it selects something": (
        {"spec.selector": {}},
        ["spec.selector: Invalid value: {}: empty selector is invalid for daemonset"],
    ),
    "it selects its own pods": (
        {"spec.selector": {"matchLabels": {"app": "y"}}},
        [('spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`')],
    ),
    "its pods always restart": (
        {"spec.template.spec.restartPolicy": "Never"},
        ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ),
    "an update is of a known kind": (
        {"spec.updateStrategy": {"type": "Odd"}},
        [
            (
                'spec.updateStrategy: Unsupported value: {"Type":"Odd","RollingUpdate":null}: '
                'supported values: "RollingUpdate", "OnDelete"'
            )
        ],
    ),
    "a rolling update moves": (
        {"spec.updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}},
        [("spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0")],
    ),
    "readiness lasts": (
        {"spec.minReadySeconds": -1},
        ["spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "history is counted": (
        {"spec.revisionHistoryLimit": -1},
        ["spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0"],
    ),
}
UPDATE = {
    "a selector stays": (
        {},
        {"spec.selector": {"matchLabels": {"app": "y"}}, "spec.template.metadata.labels": {"app": "y"}},
        ['spec.selector: Invalid value: {"matchLabels":{"app":"y"}}: field is immutable'],
    ),
}
