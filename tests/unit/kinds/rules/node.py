"""Node: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "x"},
    "spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]},
}
CREATE = {
    "a taint's effect is known": (
        {"spec.taints": [{"key": "a", "effect": "Odd"}]},
        [
            (
                'metadata.taints[0].effect: Unsupported value: "Odd": supported values: "NoSchedule", '
                '"PreferNoSchedule", "NoExecute"'
            )
        ],
    ),
    "a taint is there once": (
        {"spec.taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule", "value": "b"}]},
        [
            (
                "metadata.taints[1]: Duplicate value: "
                '{"Key":"a","Value":"b","Effect":"NoSchedule","TimeAdded":null}: taints must be '
                "unique by key and effect pair"
            )
        ],
    ),
    "a taint's key is qualified": (
        {"spec.taints": [{"key": "a b", "effect": "NoSchedule"}]},
        [
            (
                'metadata.taints[0].key: Invalid value: "a b": name part must consist of alphanumeric '
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            )
        ],
    ),
    "a pod range is one": (
        {"spec.podCIDR": "x", "spec.podCIDRs": ["x"]},
        [('spec.podCIDRs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')],
    ),
    "two pod ranges are of two families": (
        {"spec.podCIDRs": ["10.1.0.0/24", "10.2.0.0/24"]},
        [
            (
                'spec.podCIDRs: Invalid value: ["10.1.0.0/24","10.2.0.0/24"]: may specify no more '
                "than one CIDR for each IP family"
            )
        ],
    ),
}
UPDATE = {
    "pod ranges stay": (
        {},
        {"spec.podCIDR": "10.9.0.0/24", "spec.podCIDRs": ["10.9.0.0/24"]},
        ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'],
    ),
    "a provider's name stays": (
        {"spec.providerID": "a"},
        {"spec.providerID": "b"},
        ['spec.providerID: Forbidden: node updates may not change providerID except from "" to valid'],
    ),
}
