"""HorizontalPodAutoscaler: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "x"},
    "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "maxReplicas": 3},
}
CREATE = {
    "it has a target": (
        {"spec.scaleTargetRef": {}},
        ["spec.scaleTargetRef.kind: Required value", "spec.scaleTargetRef.name: Required value"],
    ),
    "there is one replica at least": (
        {"spec.minReplicas": -1},
        ["spec.minReplicas: Invalid value: -1: must be greater than or equal to 1"],
    ),
    "zero needs another measure": (
        {"spec.minReplicas": 0},
        ["spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"],
    ),
    "the most is not below the least": (
        {"spec.minReplicas": 5},
        ["spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"],
    ),
    "the most is one at least": (
        {"spec.maxReplicas": 0},
        [
            "spec.maxReplicas: Invalid value: 0: must be greater than 0",
            "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
        ],
    ),
    "a metric's kind is known": (
        {"spec.metrics": [{"type": "Odd"}]},
        [
            (
                'spec.metrics[0].type: Unsupported value: "Odd": supported values: '
                '"ContainerResource", "External", "Object", "Pods", "Resource"'
            )
        ],
    ),
    "a metric has a target": (
        {"spec.metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}]},
        [
            (
                "spec.metrics[0].resource.target.averageUtilization: Required value: must set either "
                "a target raw value or a target utilization"
            )
        ],
    ),
    "a policy of scaling has a value": (
        {"spec.behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 0}]}}},
        [
            "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero",
            "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 0: must be greater than zero",
        ],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
