"""CSIStorageCapacity: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "CSIStorageCapacity",
    "metadata": {"name": "x"},
    "storageClassName": "c",
    "capacity": "1Gi",
}
CREATE = {
    "a class has a name": (
        {"storageClassName": ""},
        [
            (
                'storageClassName: Invalid value: "": a lowercase RFC 1123 subdomain must consist of '
                "lower case alphanumeric characters, '-' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
    "room is not negative": (
        {"capacity": "-1"},
        ['capacity: Invalid value: "-1": must be greater than or equal to 0'],
    ),
    "a topology's operator is known": (
        {"nodeTopology": {"matchExpressions": [{"key": "a", "operator": "Odd"}]}},
        [('nodeTopology.matchExpressions[0].operator: Invalid value: "Odd": not a valid selector operator')],
    ),
}
UPDATE = {
    "a class stays": (
        {},
        {"storageClassName": "d"},
        ['storageClassName: Invalid value: "d": field is immutable'],
    ),
    "a topology stays": (
        {},
        {"nodeTopology": {"matchLabels": {"a": "b"}}},
        ['nodeTopology: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable'],
    ),
}
