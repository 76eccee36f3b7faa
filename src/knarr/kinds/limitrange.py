"""LimitRange: bounds and defaults for what pods, containers and claims of a namespace ask for."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds.kind import NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, items
from knarr.kinds.types.core_v1 import LimitRange


def defaults(tree: Tree) -> None:
    for item in items(child(tree, "spec"), "limits"):
        item_defaults(item)


def item_defaults(item: Tree) -> None:
    """A container's default limit is the maximum; its default request the default limit, else the minimum."""
    if item.get("type") != "Container":
        return
    limit = {**(item.get("max") or {}), **(item.get("default") or {})}
    request = {**(item.get("min") or {}), **limit, **(item.get("defaultRequest") or {})}
    if limit:
        item["default"] = limit
    if request:
        item["defaultRequest"] = request


def row(range_: LimitRange, now: datetime) -> Sequence[object]:
    return range_.metadata.name, range_.metadata.creationTimestamp


KIND = Kind(
    type=LimitRange,
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    singular="limitrange",
    short_names=("limits",),
    defaults=defaults,
    columns=(NAME_COLUMN, Column("Created At", "date")),
    row=row,
)
