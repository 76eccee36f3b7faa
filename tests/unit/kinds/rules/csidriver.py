"""CSIDriver: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "CSIDriver",
    "metadata": {"name": "x"},
    "spec": {"attachRequired": True},
}
CREATE = {
    "a group policy is known": (
        {"spec.fsGroupPolicy": "Odd"},
        [('spec.fsGroupPolicy: Unsupported value: "Odd": supported values: "File", "None", "ReadWriteOnceWithFSType"')],
    ),
    "an audience is asked for once": (
        {"spec.tokenRequests": [{"audience": "a"}, {"audience": "a"}]},
        ['spec.tokenRequests[1].audience: Duplicate value: "a"'],
    ),
    "a token lasts": (
        {"spec.tokenRequests": [{"audience": "a", "expirationSeconds": 599}]},
        [
            (
                "spec.tokenRequests[0].expirationSeconds: Invalid value: 599: may not specify a "
                "duration less than 10 minutes"
            )
        ],
    ),
    "a token does not last for ever": (
        {"spec.tokenRequests": [{"audience": "a", "expirationSeconds": 4294967297}]},
        [
            (
                "spec.tokenRequests[0].expirationSeconds: Invalid value: 4294967297: may not specify "
                "a duration larger than 2^32 seconds"
            )
        ],
    ),
    "a mode is known": (
        {"spec.volumeLifecycleModes": ["Odd"]},
        [('spec.volumeLifecycleModes: Unsupported value: "Odd": supported values: "Persistent", "Ephemeral"')],
    ),
    "updates are not too frequent": (
        {"spec.nodeAllocatableUpdatePeriodSeconds": 9},
        [("spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds")],
    ),
}
UPDATE = {
    "attaching stays": (
        {},
        {"spec.attachRequired": False},
        ["spec.attachedRequired: Invalid value: false: field is immutable"],
    ),
    "modes stay": (
        {},
        {"spec.volumeLifecycleModes": ["Ephemeral"]},
        ['spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable'],
    ),
    "tokens may change": (
        {},
        {"spec.tokenRequests": [{"audience": "b"}]},
        [],
    ),
}
