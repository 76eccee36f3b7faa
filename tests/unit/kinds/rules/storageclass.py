"""StorageClass: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "x"},
    "provisioner": "p.example/x",
}
CREATE = {
    "there is a provisioner": (
        {"provisioner": ""},
        ["provisioner: Required value"],
    ),
    "a provisioner is qualified": (
        {"provisioner": "a b"},
        [
            (
                'provisioner: Invalid value: "a b": name part must consist of alphanumeric '
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            )
        ],
    ),
    "a parameter has a name": (
        {"parameters": {"": "x"}},
        ['parameters: Invalid value: "": field can not be empty.'],
    ),
    "a reclaim policy is known": (
        {"reclaimPolicy": "Recycle"},
        ['reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'],
    ),
    "a binding mode is known": (
        {"volumeBindingMode": "Odd"},
        [('volumeBindingMode: Unsupported value: "Odd": supported values: "Immediate", "WaitForFirstConsumer"')],
    ),
    "a topology has values": (
        {"allowedTopologies": [{"matchLabelExpressions": [{"key": "a"}]}]},
        ["allowedTopologies[0].matchLabelExpressions[0].values: Required value"],
    ),
    "a topology's key is there once": (
        {
            "allowedTopologies": [
                {"matchLabelExpressions": [{"key": "a", "values": ["1"]}, {"key": "a", "values": ["2"]}]}
            ]
        },
        ['allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "a"'],
    ),
    "a topology's value is there once": (
        {"allowedTopologies": [{"matchLabelExpressions": [{"key": "a", "values": ["1", "1"]}]}]},
        ['allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "1"'],
    ),
}
UPDATE = {
    "a provisioner stays": (
        {},
        {"provisioner": "q"},
        ['provisioner: Invalid value: "q": field is immutable'],
    ),
    "parameters stay": (
        {},
        {"parameters": {"a": "b"}},
        ["parameters: Forbidden: updates to parameters are forbidden."],
    ),
    "a reclaim policy stays": (
        {},
        {"reclaimPolicy": "Retain"},
        ['reclaimPolicy: Invalid value: "Retain": field is immutable'],
    ),
    "a binding mode stays": (
        {},
        {"volumeBindingMode": "WaitForFirstConsumer"},
        ['volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable'],
    ),
    "growth may be allowed": (
        {},
        {"allowVolumeExpansion": True},
        [],
    ),
}
