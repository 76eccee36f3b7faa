"""CSINode: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "CSINode",
    "metadata": {"name": "x"},
    "spec": {"drivers": [{"name": "d.example", "nodeID": "i"}]},
}
CREATE = {
    "a driver has a name": (
        {"spec.drivers.0.name": ""},
        [
            "spec.drivers[0].name: Required value",
            (
                'spec.drivers[0].name: Invalid value: "": a lowercase RFC 1123 subdomain must consist '
                "of lower case alphanumeric characters, '-' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ),
        ],
    ),
    "a driver's name is a domain": (
        {"spec.drivers.0.name": "A B"},
        [
            (
                'spec.drivers[0].name: Invalid value: "A B": a lowercase RFC 1123 subdomain must '
                "consist of lower case alphanumeric characters, '-' or '.', and must start and end "
                "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
    "a driver knows the node": (
        {"spec.drivers.0.nodeID": ""},
        ["spec.drivers[0].nodeID: Required value"],
    ),
    "a node's name is not too long": (
        {"spec.drivers.0.nodeID": "i" * 193},
        [
            (
                "spec.drivers[0].nodeID: Invalid value: "
                '"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii'
                "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"
                'iiiiiiiiiiiiiiiiiiiiiiii": must be 192 characters or less'
            )
        ],
    ),
    "room is counted": (
        {"spec.drivers.0.allocatable": {"count": -1}},
        ["spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "a driver is there once": (
        {"spec.drivers": [{"name": "d", "nodeID": "i"}, {"name": "d", "nodeID": "i"}]},
        ['spec.drivers[1].name: Duplicate value: "d"'],
    ),
    "a topology's key is there once": (
        {"spec.drivers.0.topologyKeys": ["a", "a"]},
        ['spec.drivers[0]: Duplicate value: "a"'],
    ),
    "a topology's key is qualified": (
        {"spec.drivers.0.topologyKeys": ["a b"]},
        [
            (
                'spec.drivers[0]: Invalid value: "a b": name part must consist of alphanumeric '
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            )
        ],
    ),
}
UPDATE = {
    "a driver stays": (
        {},
        {"spec.drivers.0.nodeID": "j"},
        ['spec.drivers: Invalid value: {"name":"d.example","nodeID":"j"}: field is immutable'],
    ),
    "room may change": (
        {},
        {"spec.drivers.0.allocatable": {"count": 2}},
        [],
    ),
    "drivers come and go": (
        {},
        {"spec.drivers": []},
        [],
    ),
}
