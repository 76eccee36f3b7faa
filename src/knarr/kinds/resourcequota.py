"""ResourceQuota: how much a namespace may use in all."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import carry, child
from knarr.kinds.types.core_v1 import ResourceQuota


def defaults(tree: Tree) -> None:
    child(tree, "spec")
    child(tree, "status")


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def prepare_update(new: Tree, old: Tree) -> None:
    carry(new, old, "status")


def prepare_status(new: Tree, old: Tree) -> None:
    carry(new, old, "spec")


def row(quota: ResourceQuota, now: datetime) -> Sequence[object]:
    status = quota.status
    used = {name: f"{name}: {status.used.get(name, '0')}/{status.hard[name]}" for name in sorted(status.hard)}
    limits = [text for name, text in used.items() if name.startswith("limits.")]
    requests = [text for name, text in used.items() if not name.startswith("limits.")]
    return quota.metadata.name, ", ".join(requests), ", ".join(limits), cells.age(quota, now)


KIND = Kind(
    type=ResourceQuota,
    group="",
    version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    singular="resourcequota",
    short_names=("quota",),
    subresources={"status": ("get", "patch", "update")},
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    prepare_status=prepare_status,
    columns=(NAME_COLUMN, Column("Request"), Column("Limit"), AGE_COLUMN),
    row=row,
)
