"""ResourceClaimTemplate: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaimTemplate",
    "metadata": {"name": "x"},
    "spec": {"spec": {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "c"}}]}}},
}
CREATE = {
    "a request is for a class": (
        {"spec.spec.devices.requests.0.exactly.deviceClassName": ""},
        ["spec.spec.devices.requests[0].exactly.deviceClassName: Required value"],
    ),
}
UPDATE = {
    "what is claimed stays": (
        {},
        {"spec.spec.devices.requests.0.name": "other"},
        [
            (
                "spec: Invalid value: "
                '{"metadata":{},"spec":{"devices":{"requests":[{"exactly":{"allocationMode":"ExactCoun'
                't","count":1,"deviceClassName":"c"},"name":"other"}]}}}: field is immutable'
            )
        ],
    ),
}
