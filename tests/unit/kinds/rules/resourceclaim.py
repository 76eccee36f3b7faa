"""ResourceClaim: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaim",
    "metadata": {"name": "x"},
    "spec": {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "c"}}]}},
}
CREATE = {
    "a request has a name": (
        {"spec.devices.requests.0.name": ""},
        [
            (
                'spec.devices.requests[0].name: Invalid value: "": a lowercase RFC 1123 label must '
                "consist of lower case alphanumeric characters or '-', and must start and end with an "
                "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            )
        ],
    ),
    "a request is for something": (
        {"spec.devices.requests": [{"name": "a"}]},
        [("spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required")],
    ),
    "a request is for one thing": (
        {"spec.devices.requests.0.firstAvailable": [{"name": "a", "deviceClassName": "c"}]},
        [
            (
                "spec.devices.requests[0]: Invalid value: null: exactly one of `exactly` or "
                "`firstAvailable` is required, but multiple fields are set"
            )
        ],
    ),
    "a request is for a class": (
        {"spec.devices.requests.0.exactly.deviceClassName": ""},
        ["spec.devices.requests[0].exactly.deviceClassName: Required value"],
    ),
    "devices are counted": (
        {"spec.devices.requests.0.exactly.count": -1},
        ["spec.devices.requests[0].exactly.count: Invalid value: -1: must be greater than zero"],
    ),
    "all devices are not counted": (
        {"spec.devices.requests.0.exactly": {"deviceClassName": "c", "allocationMode": "All", "count": 1}},
        [
            (
                "spec.devices.requests[0].exactly.count: Invalid value: 1: must not be specified when "
                "allocationMode is 'All'"
            )
        ],
    ),
    "devices are allocated in a known way": (
        {"spec.devices.requests.0.exactly.allocationMode": "Odd"},
        [
            (
                'spec.devices.requests[0].exactly.allocationMode: Unsupported value: "Odd": supported '
                'values: "All", "ExactCount"'
            )
        ],
    ),
    "requests differ": (
        {
            "spec.devices.requests": [
                {"name": "gpu", "exactly": {"deviceClassName": "c"}},
                {"name": "gpu", "exactly": {"deviceClassName": "c"}},
            ]
        },
        ['spec.devices.requests[1]: Duplicate value: "gpu"'],
    ),
    "a constraint is about an attribute": (
        {"spec.devices.constraints": [{"requests": ["gpu"]}]},
        [
            (
                'spec.devices.constraints[0]: Required value: exactly one of "matchAttribute" or '
                '"distinctAttribute" is required, but multiple fields are set'
            )
        ],
    ),
    "a constraint is about requests that are there": (
        {"spec.devices.constraints": [{"requests": ["x"], "matchAttribute": "g.example/a"}]},
        [
            (
                'spec.devices.constraints[0].requests[0]: Invalid value: "x": must be the name of a '
                "request in the claim or the name of a request and a subrequest separated by '/'"
            )
        ],
    ),
    "a configuration is one": (
        {"spec.devices.config": [{}]},
        ["spec.devices.config[0].opaque: Required value"],
    ),
}
UPDATE = {
    "what is claimed stays": (
        {},
        {"spec.devices.requests.0.name": "other"},
        [
            (
                "spec: Invalid value: "
                '{"devices":{"requests":[{"exactly":{"allocationMode":"ExactCount","count":1,"deviceCl'
                'assName":"c"},"name":"other"}]}}: field is immutable'
            )
        ],
    ),
}
