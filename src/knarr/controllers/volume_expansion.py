"""How a claim that asks for more gets it: steps for provisioners, and the controller that tells who else is to do it.

  asked for more ──> Resizing ──> the volume is larger ──> finished
                                        └──> FileSystemResizePending ──> finished by the node that mounts it

The claim's status says how far it is: its conditions, `allocatedResources` (what is being got) and
`allocatedResourceStatuses`. `capacity` is what the claim's files really have. A pass may stop anywhere; the next one
goes on from what the status and the volume say.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from knarr.kinds.types.core_v1 import PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimCondition
from knarr.kinds.volume_binding import PROVISIONED_BY
from knarr.kinds.volume_drivers import MIGRATED, RESIZER, driver_of
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Event, Patch, Step
from knarr.meta import clock, quantity
from knarr.meta.errors import ApiError

if TYPE_CHECKING:
    from knarr.controllers.provisioning import Provisioner

RESIZING = "Resizing"
PENDING = "FileSystemResizePending"
#: the conditions that an expansion sets, and takes off again
CONDITIONS = (RESIZING, PENDING, "ControllerResizeError", "NodeResizeError")
START_A_POD = "Waiting for user to (re-)start a pod to finish file system resize of volume on node."


def wanted(claim: PersistentVolumeClaim) -> str:
    """What a claim asks for."""
    return (claim.spec.resources.requests if claim.spec.resources else {}).get("storage", "0")


def size_of(sizes: dict[str, str]) -> quantity.Quantity:
    return quantity.parse(sizes.get("storage", "0"))


def needs_growth(claim: PersistentVolumeClaim) -> bool:
    """Whether a bound claim asks for more than its files have."""
    return claim.status.phase == "Bound" and quantity.parse(wanted(claim)) > size_of(claim.status.capacity)


def waits_for_node(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    """Whether the volume is large enough, and only the files in it are not."""
    pending = any(condition.type == PENDING for condition in claim.status.conditions)
    return pending and size_of(volume.spec.capacity) >= quantity.parse(wanted(claim))


def begin(claim: PersistentVolumeClaim, volume: PersistentVolume, now: datetime) -> Iterator[Step]:
    """Say that it has begun."""
    size = wanted(claim)
    if not any(condition.type == RESIZING for condition in claim.status.conditions):
        status = state(claim, "ControllerResizeInProgress", size, [condition(RESIZING, now)])
        yield status_patch(claim, status, f"grows to {size}")
    yield Event(claim, "Normal", RESIZING, f"External resizer is resizing volume {volume.metadata.name}")


def enlarge(volume: PersistentVolume, size: str) -> Iterator[Step]:
    """The volume has its new size."""
    if size_of(volume.spec.capacity) < quantity.parse(size):
        meta = {"resourceVersion": volume.metadata.resourceVersion}
        yield Patch(volume, {"metadata": meta, "spec": {"capacity": {"storage": size}}}, reason=f"grown to {size}")


def finish(claim: PersistentVolumeClaim) -> Iterator[Step]:
    """The claim's files have what it asked for."""
    size = wanted(claim)
    status = state(claim, "", "", []) | {"capacity": {"storage": size}}
    yield status_patch(claim, status, f"has grown to {size}")
    yield Event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")


def leave_to_node(claim: PersistentVolumeClaim, now: datetime) -> Iterator[Step]:
    """What is left is the work of the node that mounts the volume."""
    pending = [condition(PENDING, now, START_A_POD)]
    yield status_patch(claim, state(claim, "NodeResizePending", wanted(claim), pending), "waits for its node")
    yield Event(claim, "Normal", "FileSystemResizeRequired", "Require file system resize of volume on node")


def condition(type_: str, now: datetime, message: str = "") -> PersistentVolumeClaimCondition:
    when = clock.timestamp(now)
    return PersistentVolumeClaimCondition(type=type_, status="True", lastTransitionTime=when, message=message)


def state(
    claim: PersistentVolumeClaim, step: str, size: str, conditions: Iterable[PersistentVolumeClaimCondition]
) -> dict[str, Any]:
    """The part of a claim's status that says how far its expansion is; no `step`: it is over."""
    others = [each for each in claim.status.conditions if each.type not in CONDITIONS]
    return {
        "conditions": [to_builtins(each) for each in (*others, *conditions)] or None,
        "allocatedResources": {"storage": size} if step else None,
        "allocatedResourceStatuses": {"storage": step} if step else None,
    }


def status_patch(claim: PersistentVolumeClaim, status: dict[str, Any], reason: str) -> Patch:
    return Patch(
        claim, {"metadata": {"uid": claim.metadata.uid}, "status": status}, subresource="status", reason=reason
    )


async def grow(provisioner: "Provisioner", claim: PersistentVolumeClaim, context: Context) -> None:
    """Give a claim what it asks for, when its volume is this provisioner's."""
    volume = context.cache(PersistentVolume).get(claim.spec.volumeName)
    if volume is None or not needs_growth(claim) or waits_for_node(claim, volume):
        return
    ours = volume.metadata.annotations.get(PROVISIONED_BY) == provisioner.name
    ref = volume.spec.claimRef
    if not ours or ref is None or ref.uid != claim.metadata.uid:
        return
    size, api = wanted(claim), context.api
    await carry_out(api, begin(claim, volume, clock.now()), context.recorder)
    try:
        on_node = await provisioner.grow(volume, size)
    except ApiError as error:
        said = f"resize volume {volume.metadata.name} failed: {error.message}"
        await context.recorder.event(claim, "Warning", "VolumeResizeFailed", said)
        raise
    await carry_out(api, enlarge(volume, size), context.recorder)
    await carry_out(api, leave_to_node(claim, clock.now()) if on_node else finish(claim), context.recorder)


# The controller that tells who else is to grow a volume


def told(claim: PersistentVolumeClaim, volume: PersistentVolume) -> Iterator[Step]:
    """Say that a controller outside has to grow a volume, and which one where that is known."""
    source = next((name for name in MIGRATED if getattr(volume.spec, name) is not None), "")
    if source:
        plugin, driver = MIGRATED[source]
        said = f"CSI migration enabled for {plugin}; waiting for external resizer to expand the pvc"
        yield Event(claim, "Normal", "ExternalExpanding", said)
        meta = {"uid": claim.metadata.uid, "annotations": {RESIZER: driver}}
        yield Patch(claim, {"metadata": meta}, reason=f"to be grown by {driver}")
        return
    yield Event(
        claim,
        "Normal" if driver_of(volume.spec) else "Warning",
        "ExternalExpanding",
        "waiting for an external controller to expand this PVC",
    )


def controller(inside: Collection[str]) -> Controller:
    """Tells of every volume but those of the provisioners `inside` the cluster, which grow theirs themselves."""

    async def sync(key: Key, context: Context) -> datetime | None:
        namespace, name = key
        claim = context.cache(PersistentVolumeClaim).get(name, namespace)
        volume = context.cache(PersistentVolume).get(claim.spec.volumeName) if claim is not None else None
        if claim is None or volume is None or not needs_growth(claim):
            return None
        if volume.metadata.annotations.get(PROVISIONED_BY) in inside:
            return None
        return await carry_out(context.api, told(claim, volume), context.recorder)

    return Controller(
        name="persistentvolume-expander",
        component="volume_expand",
        sources=[Source(PersistentVolumeClaim, itself, matters=grew), Source(PersistentVolume)],
        sync=sync,
    )


def grew(old: PersistentVolumeClaim | None, new: PersistentVolumeClaim) -> bool:
    """Whether a claim asks for more than before."""
    return old is None or quantity.parse(wanted(new)) > quantity.parse(wanted(old))
