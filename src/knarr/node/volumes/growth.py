"""Finishes what a provisioner leaves to the node: a volume has grown, and the files in it are to have the room.

The directories that this node mounts have what their file system has, so there is nothing to stretch: the claim is told
that it has what its volume has.
"""

from typing import Any

from msgspec import to_builtins

from knarr.client.api import Api
from knarr.kinds.types.core_v1 import PersistentVolumeClaim
from knarr.meta import quantity
from knarr.node.volumes.claim import Bound

PENDING = "FileSystemResizePending"


def is_left(found: Bound) -> bool:
    """Whether a claim waits for its node, and its volume is as large as it asks for."""
    claim, volume = found.claim, found.volume
    asked = (claim.spec.resources.requests if claim.spec.resources else {}).get("storage", "0")
    large_enough = quantity.parse(volume.spec.capacity.get("storage", "0")) >= quantity.parse(asked)
    return large_enough and any(each.type == PENDING for each in claim.status.conditions)


def patch(found: Bound) -> dict[str, Any]:
    """What the claim's status becomes."""
    others = [to_builtins(each) for each in found.claim.status.conditions if each.type != PENDING]
    return {
        "metadata": {"uid": found.claim.metadata.uid, "resourceVersion": found.claim.metadata.resourceVersion},
        "status": {
            "capacity": found.volume.spec.capacity,
            "conditions": others or None,
            "allocatedResources": None,
            "allocatedResourceStatuses": None,
        },
    }


async def finish(api: Api, found: Bound) -> None:
    """Say that a claim has grown, if that is all that is left."""
    if is_left(found):
        meta = found.claim.metadata
        await api.patch(PersistentVolumeClaim, meta.name, meta.namespace, patch(found), subresource="status")
