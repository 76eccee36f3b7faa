"""LimitRange: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "x"},
    "spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1"}}]},
}
CREATE = {
    "a type is limited once": (
        {"spec.limits": [{"type": "Container", "max": {"cpu": "2"}}, {"type": "Container", "max": {"cpu": "2"}}]},
        ['spec.limits[1].type: Duplicate value: "Container"'],
    ),
    "a minimum is not above the maximum": (
        {"spec.limits.0.min": {"cpu": "3"}},
        [
            'spec.limits[0].min[cpu]: Invalid value: "3": min value 3 is greater than max value 2',
            (
                'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": min value 3 is greater than '
                "default request value 2"
            ),
            'spec.limits[0].default[cpu]: Invalid value: "3": min value 3 is greater than default value 2',
        ],
    ),
    "a default is within the bounds": (
        {"spec.limits.0.default": {"cpu": "3"}},
        [
            (
                'spec.limits[0].defaultRequest[cpu]: Invalid value: "3": default request value 3 is '
                "greater than max value 2"
            ),
            'spec.limits[0].default[cpu]: Invalid value: "2": default value 3 is greater than max value 2',
        ],
    ),
    "a default request is not above the default": (
        {"spec.limits.0.default": {"cpu": "1"}, "spec.limits.0.defaultRequest": {"cpu": "2"}},
        [
            (
                'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": default request value 2 is '
                "greater than default limit value 1"
            )
        ],
    ),
    "pods have no defaults": (
        {"spec.limits": [{"type": "Pod", "default": {"cpu": "1"}}]},
        ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
    ),
    "claims have a bound on storage": (
        {"spec.limits": [{"type": "PersistentVolumeClaim", "max": {"cpu": "1"}}]},
        [
            (
                "spec.limits[0].limits: Required value: either minimum or maximum storage value is "
                "required, but neither was provided"
            )
        ],
    ),
    "a ratio is one at least": (
        {"spec.limits.0.maxLimitRequestRatio": {"cpu": "500m"}},
        ['spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1'],
    ),
    "a ratio fits the bounds": (
        {"spec.limits.0.maxLimitRequestRatio": {"cpu": "3"}},
        [('spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000')],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
