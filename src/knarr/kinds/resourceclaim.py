"""ResourceClaim: devices that pods ask for. Kept and shown; knarr has no devices to allocate."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import keep_spec, keep_status
from knarr.kinds.types.resource_v1 import ResourceClaim


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def state(claim: ResourceClaim) -> str:
    """What a claim has: "allocated,reserved"."""
    if claim.status.allocation is None:
        return "pending"
    return "allocated,reserved" if claim.status.reservedFor else "allocated"


def row(claim: ResourceClaim, now: datetime) -> Sequence[object]:
    return claim.metadata.name, state(claim), cells.age(claim, now)


KIND = Kind(
    type=ResourceClaim,
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaim",
    plural="resourceclaims",
    singular="resourceclaim",
    subresources={"status": ("get", "patch", "update")},
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    columns=(NAME_COLUMN, Column("State"), AGE_COLUMN),
    row=row,
)
