"""PodDisruptionBudget: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "x"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}},
}
CREATE = {
    "one bound is enough": (
        {"spec.maxUnavailable": 1},
        [
            (
                "spec: Invalid value: "
                '{"MinAvailable":1,"Selector":{"matchLabels":{"app":"x"}},"MaxUnavailable":1,"Unhealth'
                'yPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set'
            )
        ],
    ),
    "a bound is not negative": (
        {"spec.minAvailable": -1},
        ["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "a bound is not above all": (
        {"spec.minAvailable": "101%"},
        ['spec.minAvailable: Invalid value: "101%": must not be greater than 100%'],
    ),
    "a selector's operator is known": (
        {"spec.selector": {"matchExpressions": [{"key": "a", "operator": "Odd"}]}},
        [('spec.selector.matchExpressions[0].operator: Invalid value: "Odd": not a valid selector operator')],
    ),
    "pods that are not ready are evicted or not": (
        {"spec.unhealthyPodEvictionPolicy": "Odd"},
        [
            (
                'spec.unhealthyPodEvictionPolicy: Unsupported value: "Odd": supported values: '
                '"IfHealthyBudget", "AlwaysAllow"'
            )
        ],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
