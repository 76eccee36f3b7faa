"""How defaults look into a Tree: one place for what "left out" means.

A pointer field of the API is left out when its key is absent; any other field also when it holds its zero value.
Called by the `defaults` and `prepare` functions of the kinds, on trees whose types `schema.normalise` has checked.
"""

from collections.abc import Sequence
from typing import Any

from knarr.kinds.kind import Tree


def fill(tree: Tree, **values: Any) -> None:
    """Give pointer fields that are absent a value."""
    for key, value in values.items():
        tree.setdefault(key, value)


def fill_zero(tree: Tree, **values: Any) -> None:
    """Give plain fields that are absent or zero a value."""
    for key, value in values.items():
        if not tree.get(key):
            tree[key] = value


def child(tree: Tree, key: str) -> Tree:
    """The object at `key`, made when absent."""
    found: Tree = tree.setdefault(key, {})
    return found


def part(tree: Tree, *keys: str) -> Tree:
    """The object at the path, or an empty one that is not put in."""
    for key in keys:
        tree = tree.get(key) or {}
    return tree


def items(tree: Tree, *keys: str) -> Sequence[Tree]:
    """The objects of the lists at `keys`."""
    if len(keys) == 1:
        return tree.get(keys[0]) or ()
    return [item for key in keys for item in tree.get(key) or ()]


def carry(new: Tree, old: Tree, *keys: str) -> None:
    """Make `new` hold at `keys` what `old` holds there, absence included."""
    for key in keys:
        if key in old:
            new[key] = old[key]
        else:
            new.pop(key, None)


def keep_status(new: Tree, old: Tree) -> None:
    """What most kinds' `prepare_update` is: the status is written through its subresource alone."""
    carry(new, old, "status")


def keep_spec(new: Tree, old: Tree) -> None:
    """What most kinds' `prepare_status` is: with the status no spec is written."""
    carry(new, old, "spec")
