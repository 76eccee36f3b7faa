"""ResourceSlice: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceSlice",
    "metadata": {"name": "x"},
    "spec": {
        "driver": "d.example",
        "nodeName": "n",
        "pool": {"name": "p", "resourceSliceCount": 1},
        "devices": [{"name": "a"}],
    },
}
CREATE = {
    "there is a driver": (
        {"spec.driver": ""},
        [
            "spec.driver: Required value",
            (
                'spec.driver: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower '
                "case alphanumeric characters, '-' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ),
        ],
    ),
    "a pool has a name": (
        {"spec.pool.name": ""},
        ["spec.pool.name: Required value"],
    ),
    "slices are counted": (
        {"spec.pool.resourceSliceCount": 0},
        ["spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero"],
    ),
    "devices are somewhere": (
        {"spec.nodeName": ...},
        [
            (
                "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, "
                "`perDeviceNodeSelection` is required"
            )
        ],
    ),
    "devices are in one place": (
        {"spec.allNodes": True},
        [
            (
                'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, '
                "`nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple "
                "fields are set"
            )
        ],
    ),
    "what is true is told": (
        {"spec.allNodes": False},
        ["spec.allNodes: Invalid value: false: must be either unset or set to true"],
    ),
    "a device's name is a label": (
        {"spec.devices.0.name": "A"},
        [
            (
                'spec.devices[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of '
                "lower case alphanumeric characters or '-', and must start and end with an "
                "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            )
        ],
    ),
    "devices differ": (
        {"spec.devices": [{"name": "a"}, {"name": "a"}]},
        ['spec.devices[1]: Duplicate value: "a"'],
    ),
    "devices are not too many": (
        {"spec.devices": [{"name": f"d{n}"} for n in range(129)]},
        ["spec.devices: Too many: 129: must have at most 128 items"],
    ),
    "an attribute has one value": (
        {"spec.devices.0.attributes": {"a": {}}},
        ['spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified'],
    ),
    "a device is where its slice is": (
        {"spec.devices.0.nodeName": "m"},
        [
            (
                "spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can "
                "only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec"
            )
        ],
    ),
}
UPDATE = {
    "a driver stays": (
        {},
        {"spec.driver": "e.example"},
        ['spec.driver: Invalid value: "e.example": field is immutable'],
    ),
    "a node stays": (
        {},
        {"spec.nodeName": "m"},
        ['spec.nodeName: Invalid value: "m": field is immutable'],
    ),
    "a pool stays": (
        {},
        {"spec.pool.name": "q"},
        ['spec.pool.name: Invalid value: "q": field is immutable'],
    ),
    "devices may change": (
        {},
        {"spec.devices": []},
        [],
    ),
}
