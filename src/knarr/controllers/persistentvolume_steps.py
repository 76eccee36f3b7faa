"""The steps that bind a claim and a volume, in the order that keeps a volume with one claim. Pure.

Called by the binder. First the volume is set aside and says Bound, then the claim names it, then the claim says Bound:
whoever stops in between is continued by the next pass. Setting aside is refused by the server when the volume has
changed meanwhile.
"""

from collections.abc import Iterator
from typing import Any

from knarr.kinds.types.core_v1 import ObjectReference, PersistentVolume, PersistentVolumeClaim
from knarr.kinds.volume_binding import BIND_COMPLETED, BOUND_BY_CONTROLLER
from knarr.loop.steps import Patch, Step

YES = "yes"  #: the value of the annotations


def bind(volume: PersistentVolume, claim: PersistentVolumeClaim) -> Iterator[Step]:
    """Make the two one, as far as they are not yet."""
    yield from set_aside(volume, claim)
    yield from volume_phase(volume, "Bound")
    name, notes = volume.metadata.name, claim.metadata.annotations
    patch: dict[str, Any] = {"metadata": {"uid": claim.metadata.uid}}
    if claim.spec.volumeName != name:
        patch["spec"] = {"volumeName": name}
        patch["metadata"]["annotations"] = {BOUND_BY_CONTROLLER: YES, BIND_COMPLETED: YES}
    elif BIND_COMPLETED not in notes:
        patch["metadata"]["annotations"] = {BIND_COMPLETED: YES}
    if len(patch["metadata"]) > 1:
        yield Patch(claim, patch, reason=f"bound to {name}")
    yield from claim_phase(claim, "Bound", volume)


def set_aside(volume: PersistentVolume, claim: PersistentVolumeClaim) -> Iterator[Step]:
    """Have the volume name the claim, with its uid."""
    meta, ref = claim.metadata, volume.spec.claimRef
    if ref is not None and ref.uid == meta.uid:
        return
    reference = ObjectReference(
        apiVersion="v1", kind="PersistentVolumeClaim", namespace=meta.namespace, name=meta.name, uid=meta.uid
    )
    metadata: dict[str, Any] = {"resourceVersion": volume.metadata.resourceVersion}
    if ref is None:
        metadata["annotations"] = {BOUND_BY_CONTROLLER: YES}
    patch = {"metadata": metadata, "spec": {"claimRef": reference}}
    yield Patch(volume, patch, reason=f"for {meta.namespace}/{meta.name}")


def make_available(volume: PersistentVolume) -> Iterator[Step]:
    """Undo what the binder set aside for a claim; what the user set keeps its name."""
    ours = BOUND_BY_CONTROLLER in volume.metadata.annotations
    metadata: dict[str, Any] = {"resourceVersion": volume.metadata.resourceVersion}
    if ours:
        metadata["annotations"] = {BOUND_BY_CONTROLLER: None}
    patch = {"metadata": metadata, "spec": {"claimRef": None if ours else {"uid": None, "resourceVersion": None}}}
    yield Patch(volume, patch, reason="not its claim's any more")  # the next pass says that it is available


def volume_phase(volume: PersistentVolume, phase: str, message: str = "") -> Iterator[Step]:
    """Say a volume's phase. That it has no claim is refused by the server when the volume has changed meanwhile."""
    if volume.status.phase != phase:
        status = {"phase": phase, "message": message or None}
        meta = {"uid": volume.metadata.uid, "resourceVersion": volume.metadata.resourceVersion}
        if phase == "Bound":
            del meta["resourceVersion"]  # it has just been set aside
        yield Patch(volume, {"metadata": meta, "status": status}, subresource="status", reason=phase)


def claim_phase(claim: PersistentVolumeClaim, phase: str, volume: PersistentVolume | None = None) -> Iterator[Step]:
    """Say the claim's phase and, when it is bound, what its volume has to give."""
    modes = volume.spec.accessModes if volume else []
    capacity = claim.status.capacity
    if volume is None:
        capacity = {}
    elif claim.status.phase != "Bound":  # a bound one may be smaller than its volume, until its files have grown
        capacity = volume.spec.capacity
    known = claim.status
    attributes = (volume and volume.spec.volumeAttributesClassName) or None
    said = (known.phase, known.accessModes, known.capacity, known.currentVolumeAttributesClassName or None)
    if said == (phase, modes, capacity, attributes):
        return
    status = {
        "phase": phase,
        "accessModes": modes or None,
        "capacity": capacity or None,
        "currentVolumeAttributesClassName": attributes,
    }
    patch = {"metadata": {"uid": claim.metadata.uid}, "status": status}
    yield Patch(claim, patch, subresource="status", reason=phase)
