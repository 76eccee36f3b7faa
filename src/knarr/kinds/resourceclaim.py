"""ResourceClaim: devices that pods ask for. Kept and shown; knarr has no devices to allocate."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, devices, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import keep_spec, keep_status, part
from knarr.kinds.types.resource_v1 import ResourceClaim, ResourceClaimConsumerReference
from knarr.meta import field
from knarr.meta.field import FieldError

MOST_USERS = 256
USERS, ALLOCATION = "status.reservedFor", "status.allocation"
GOING = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"


def defaults(tree: Tree) -> None:
    devices.claim_defaults(part(tree, "spec"))


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def validate(claim: ResourceClaim) -> Iterator[FieldError]:
    yield from devices.claim_rules(claim.spec, "spec")


def validate_update(new: ResourceClaim, old: ResourceClaim) -> Iterator[FieldError]:
    yield from rules.unchanged(new.spec, old.spec, "spec")


def validate_status(new: ResourceClaim, old: ResourceClaim) -> Iterator[FieldError]:
    users = new.status.reservedFor
    yield from devices.named_set(users, MOST_USERS, user, lambda given: given.uid, USERS)
    if users and new.status.allocation is None:
        yield field.forbidden(USERS, "may not be specified when `allocated` is not set")
    elif new.metadata.deletionTimestamp and any(given not in old.status.reservedFor for given in users):
        yield field.forbidden(USERS, GOING)
    if new.status.allocation is not None and old.status.allocation is not None:
        yield from rules.unchanged(new.status.allocation, old.status.allocation, ALLOCATION)


def user(given: ResourceClaimConsumerReference, path: str) -> Iterator[FieldError]:
    yield from rules.needed(path, resource=given.resource, name=given.name, uid=given.uid)


def state(claim: ResourceClaim) -> str:
    """What a claim has: "allocated,reserved"."""
    words = ["deleted"] if claim.metadata.deletionTimestamp else []
    if claim.status.allocation is not None:
        words.append("allocated")
        if claim.status.reservedFor:
            words.append("reserved")
    return ",".join(words or ["pending"])


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
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    columns=(NAME_COLUMN, Column("State"), AGE_COLUMN),
    row=row,
)
