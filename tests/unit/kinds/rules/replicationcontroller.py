"""ReplicationController: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "v1",
    "kind": "ReplicationController",
    "metadata": {"name": "x"},
    "spec": {
        "replicas": 1,
        "selector": {"app": "x"},
        "template": {
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]},
        },
    },
}
CREATE = {
    "it selects something": (
        {"spec.selector": {}, "spec.template.metadata.labels": {}},
        ["spec.selector: Required value"],
    ),
    "it selects its own pods": (
        {"spec.selector": {"app": "y"}},
        [('spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`')],
    ),
    "replicas are counted": (
        {"spec.replicas": -1},
        ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "it has a template": (
        {"spec.template": ...},
        ["spec.template: Required value"],
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
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
