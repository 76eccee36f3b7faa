"""ControllerRevision: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "apps/v1",
    "kind": "ControllerRevision",
    "metadata": {"name": "x"},
    "revision": 1,
    "data": {"a": 1},
}
CREATE = {
    "a revision is counted": (
        {"revision": -1},
        ["revision: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "a revision holds something": (
        {"data": ...},
        ["data: Required value: data is mandatory"],
    ),
}
UPDATE = {
    "what it holds stays": (
        {},
        {"data": {"a": 2}},
        ['data: Invalid value: {"a":2}: field is immutable'],
    ),
}
