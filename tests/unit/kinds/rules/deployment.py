"""Deployment: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
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
    "replicas are counted": (
        {"spec.replicas": -1},
        ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "it selects something": (
        {"spec.selector": {}},
        ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
    ),
    "it selects its own pods": (
        {"spec.selector": {"matchLabels": {"app": "y"}}},
        [('spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`')],
    ),
    "a strategy is known": (
        {"spec.strategy": {"type": "Odd"}},
        [
            (
                'spec.strategy: Unsupported value: {"Type":"Odd","RollingUpdate":null}: supported '
                'values: "Recreate", "RollingUpdate"'
            )
        ],
    ),
    "recreation has no pace": (
        {"spec.strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
        [("spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'")],
    ),
    "a rollout moves": (
        {"spec.strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
        [("spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0")],
    ),
    "not more than all is unavailable": (
        {"spec.strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
        [('spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%')],
    ),
    "progress outlasts readiness": (
        {"spec.minReadySeconds": 600},
        ["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
    ),
    "its pods always restart": (
        {"spec.template.spec.restartPolicy": "Never"},
        ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ),
}
UPDATE = {
    "a selector stays": (
        {},
        {"spec.selector": {"matchLabels": {"app": "y"}}, "spec.template.metadata.labels": {"app": "y"}},
        ['spec.selector: Invalid value: {"matchLabels":{"app":"y"}}: field is immutable'],
    ),
}
