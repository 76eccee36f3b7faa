"""Lease: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "x"},
    "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15},
}
CREATE = {
    "a lease lasts": (
        {"spec.leaseDurationSeconds": 0},
        ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
    ),
    "transitions are counted": (
        {"spec.leaseTransitions": -1},
        ["spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "a strategy is known": (
        {"spec.strategy": "Odd"},
        ['spec.strategy.strategy: Unsupported value: "Odd": supported values: "OldestEmulationVersion"'],
    ),
    "a strategy of one's own has a domain": (
        {"spec.strategy": "example.com/a b"},
        [
            (
                'spec.strategy.strategy: Invalid value: "example.com/a b": name part must consist of '
                "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
                "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            )
        ],
    ),
    "a preferred holder needs a strategy": (
        {"spec.preferredHolder": "you"},
        ["spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined"],
    ),
}
UPDATE = {
    "a change keeps to the rules": (
        {},
        {"spec.leaseDurationSeconds": -1},
        ["spec.leaseDurationSeconds: Invalid value: -1: must be greater than 0"],
    ),
}
