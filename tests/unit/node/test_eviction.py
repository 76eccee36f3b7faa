"""Pods that take too much of the disk."""

import pytest

from knarr.node.eviction import excess
from tests.unit.node.builders import a_pod

TWO = {
    "containers": [
        {"name": name, "image": "app:1", "resources": {"limits": {"ephemeral-storage": amount}}}
        for name, amount in (("a", "1Ki"), ("b", "3Ki"))
    ]
}
NO_LIMIT = {"containers": [{"name": "a", "image": "app:1"}]}
CASES = {
    "all within their limits": (TWO, {"a": 1024, "b": 3072}, 0, ""),
    "one beyond its own": (
        TWO,
        {"a": 1025, "b": 0},
        0,
        'Container a exceeded its local ephemeral storage limit "1Ki". ',
    ),
    "all together, directories counted": (
        TWO,
        {"a": 1024, "b": 1024},
        2049,
        "Pod ephemeral local storage usage exceeds the total limit of containers 4Ki. ",
    ),
    "nothing is limited": (NO_LIMIT, {"a": 1 << 40}, 1 << 40, ""),
}


@pytest.mark.parametrize("spec, taken, directories, said", CASES.values(), ids=CASES)
def test_what_is_too_much(spec, taken, directories, said):
    assert excess(a_pod(**spec), taken, directories) == said
