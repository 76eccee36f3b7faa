"""ReplicaSet: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
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
    "its pods always restart": (
        {"spec.template.spec.restartPolicy": "Never"},
        ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ),
    "readiness lasts": (
        {"spec.minReadySeconds": -1},
        ["spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"],
    ),
}
UPDATE = {
    "a selector stays": (
        {},
        {"spec.selector": {"matchLabels": {"app": "y"}}, "spec.template.metadata.labels": {"app": "y"}},
        ['spec.selector: Invalid value: {"matchLabels":{"app":"y"}}: field is immutable'],
    ),
}
