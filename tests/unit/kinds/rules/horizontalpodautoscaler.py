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
        [
            "spec.scaleTargetRef.kind: Required value",
            "spec.scaleTargetRef.name: Required value",
            'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group',
        ],
    ),
    "a target's version names a group": (
        {"spec.scaleTargetRef.apiVersion": "v1"},
        ['spec.scaleTargetRef.apiVersion: Invalid value: "v1": apiVersion must specify API group'],
    ),
    "a target's version is one": (
        {"spec.scaleTargetRef.apiVersion": "a/b/c"},
        ['spec.scaleTargetRef.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c'],
    ),
    "a target's kind and name fit into a path": (
        {"spec.scaleTargetRef.kind": "..", "spec.scaleTargetRef.name": "a/b"},
        [
            "spec.scaleTargetRef.kind: Invalid value: \"..\": may not be '..'",
            "spec.scaleTargetRef.name: Invalid value: \"a/b\": may not contain '/'",
        ],
    ),
    "there is no negative number of replicas": (
        {"spec.minReplicas": -1},
        ["spec.minReplicas: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "to be none there must be a metric that needs no pods": (
        {"spec.minReplicas": 0},
        [
            "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero "
            "replicas"
        ],
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
    "a metric has the source of its type alone": (
        {
            "spec.metrics": [
                {
                    "type": "Pods",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 5}},
                }
            ]
        },
        [
            "spec.metrics[0].pods: Required value: must populate information for the given metric source",
            "spec.metrics[0].resource: Forbidden: must populate the given metric source only",
        ],
    ),
    "a metric of pods is an average": (
        {"spec.metrics": [{"type": "Pods", "pods": {"metric": {}, "target": {"type": "Value", "value": "0"}}}]},
        [
            "spec.metrics[0].pods.metric.name: Required value: must specify a metric name",
            'spec.metrics[0].pods.target.value: Invalid value: "0": must be positive',
            ("spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue"),
        ],
    ),
    "a metric of an object is of something": (
        {"spec.metrics": [{"type": "Object", "object": {"metric": {"name": "q%"}, "target": {"type": "Value"}}}]},
        [
            "spec.metrics[0].object.describedObject.kind: Required value",
            "spec.metrics[0].object.describedObject.name: Required value",
            "spec.metrics[0].object.metric.name: Invalid value: \"q%\": may not contain '%'",
            (
                "spec.metrics[0].object.target.averageValue: Required value: must set either a target value or "
                "averageValue"
            ),
        ],
    ),
    "an external metric has one target": (
        {
            "spec.metrics": [
                {
                    "type": "External",
                    "external": {
                        "metric": {"name": "q"},
                        "target": {"type": "Value", "value": "1", "averageValue": "1"},
                    },
                }
            ]
        },
        [
            "spec.metrics[0].external.target.value: Forbidden: may not set both a target value for metric and a "
            "per-pod target"
        ],
    ),
    "a metric of a container names it": (
        {"spec.metrics": [{"type": "ContainerResource", "containerResource": {"name": "odd", "target": {}}}]},
        [
            (
                'spec.metrics[0].containerResource.name: Invalid value: "odd": must be a standard resource type or '
                "fully qualified"
            ),
            (
                'spec.metrics[0].containerResource.name: Invalid value: "odd": must be a standard resource for '
                "containers"
            ),
            "spec.metrics[0].containerResource.container: Required value: must specify a container",
            "spec.metrics[0].containerResource.target.type: Required value: must specify a metric target type",
            (
                'spec.metrics[0].containerResource.target.type: Invalid value: "": must be either Utilization, '
                "Value, or AverageValue"
            ),
            (
                "spec.metrics[0].containerResource.target.averageUtilization: Required value: must set either a "
                "target raw value or a target utilization"
            ),
        ],
    ),
    "a behavior has windows and tolerances that can be": (
        {
            "spec.behavior": {
                "scaleUp": {"stabilizationWindowSeconds": -1, "tolerance": "-1"},
                "scaleDown": {"stabilizationWindowSeconds": 3601},
            }
        },
        [
            (
                "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal "
                "to zero"
            ),
            'spec.behavior.scaleUp.tolerance: Invalid value: "-1": must be greater than or equal to 0',
            (
                "spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal "
                "to 3600"
            ),
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
UPDATE = {
    "a target's version is looked at again when it changes": (
        {"spec.scaleTargetRef.apiVersion": ""},
        {"spec.scaleTargetRef.apiVersion": "v1"},
        ['spec.scaleTargetRef.apiVersion: Invalid value: "v1": apiVersion must specify API group'],
    ),
    "and only then": (
        {"spec.scaleTargetRef.apiVersion": ""},
        {"spec.maxReplicas": 0},
        [
            "spec.maxReplicas: Invalid value: 0: must be greater than 0",
            "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
        ],
    ),
}
