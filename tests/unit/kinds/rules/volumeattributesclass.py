"""VolumeAttributesClass: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "VolumeAttributesClass",
    "metadata": {"name": "x"},
    "driverName": "d.example",
    "parameters": {"iops": "1"},
}
CREATE = {
    "there is a driver": (
        {"driverName": ""},
        ["driverName: Required value"],
    ),
    "a driver's name is qualified": (
        {"driverName": "a b"},
        [
            (
                'driverName: Invalid value: "a b": name part must consist of alphanumeric characters, '
                "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
                "'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            )
        ],
    ),
    "there are parameters": (
        {"parameters": {}},
        ["parameters: Required value: must contain at least one key/value pair"],
    ),
    "a parameter has a name": (
        {"parameters": {"": "x"}},
        ['parameters: Invalid value: "": field can not be empty.'],
    ),
    "parameters are not too long": (
        {"parameters": {"a": "x" * 262144}},
        ["parameters: Too long: may not be more than 262144 bytes"],
    ),
}
UPDATE = {
    "a driver stays": (
        {},
        {"driverName": "e.example"},
        ["driverName: Forbidden: updates to driverName are forbidden."],
    ),
    "parameters stay": (
        {},
        {"parameters": {"iops": "2"}},
        ["parameters: Forbidden: updates to parameters are forbidden."],
    ),
}
