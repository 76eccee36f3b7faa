"""What every provisioner inside the cluster does alike: claims that name it get volumes, which grow and go with them.

A provisioner is one file: a class that is a `Provisioner`, and `controller(it, name)` in the roster. It says what a
volume is; when one is due, what is told about it and in which order things are written is here. Provisioners outside,
such as upstream's external-provisioner, follow the same claims by the annotation
`volume.kubernetes.io/storage-provisioner`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from msgspec.structs import replace

from knarr.controllers import volume_expansion
from knarr.kinds import persistentvolume, persistentvolumeclaim, volume_place
from knarr.kinds.types.core_v1 import (
    Node,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeSpec,
)
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.kinds.volume_binding import PROVISIONED_BY, PROVISIONER, SELECTED_NODE
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Create, Delete, Event, Note, Patch, Step
from knarr.meta.errors import InternalError


class ProvisionerError(InternalError):
    """A volume could not be made, grown or removed; the message is told in an event, and it is tried again."""


class Provisioner(Protocol):
    """Makes volumes of one sort. All of its coroutines may be called again for what is done already."""

    name: str  #: what a class's `provisioner` says, and the component of the events
    finalizer: str  #: keeps a volume that is being deleted until its storage is gone

    def refusal(self, claim: PersistentVolumeClaim, class_: StorageClass, node: Node | None) -> str:
        """Why a claim's volume cannot be made; "" when it can. `node`: the selected one, None where it is not there."""
        ...

    async def make(self, claim: PersistentVolumeClaim, class_: StorageClass, node: Node | None) -> PersistentVolumeSpec:
        """Make the storage of a claim that is not refused: its source, and where it can be used. The other fields of
        the spec are filled in where they are empty. `volume_name(claim)` is what the volume will be called.
        """
        ...

    async def grow(self, volume: PersistentVolume, size: str) -> bool:
        """Give a volume's storage a larger size, a quantity. True when its node has to grow the files in it as well."""
        ...

    async def remove(self, volume: PersistentVolume, nodes: Sequence[Node]) -> bool:
        """Remove the storage of a volume that nobody uses any more; False when somebody else will say that it is gone,
        by taking the finalizer off.
        """
        ...


def volume_name(claim: PersistentVolumeClaim) -> str:
    return f"pvc-{claim.metadata.uid}"


def is_due(provisioner: Provisioner, claim: PersistentVolumeClaim) -> bool:
    """Whether a volume has to be made for a claim."""
    ours = claim.metadata.annotations.get(PROVISIONER) == provisioner.name
    return ours and not claim.spec.volumeName and not claim.metadata.deletionTimestamp


def refused(claim: PersistentVolumeClaim, class_: StorageClass, why: str) -> Iterator[Step]:
    """Say why there is no volume; a node that was selected for it is taken back, so that another is looked for."""
    said = f'failed to provision volume with StorageClass "{class_.metadata.name}": {why}'
    yield Event(claim, "Warning", "ProvisioningFailed", said)
    if selected := claim.metadata.annotations.get(SELECTED_NODE):
        patch = {"metadata": {"uid": claim.metadata.uid, "annotations": {SELECTED_NODE: None}}}
        yield Patch(claim, patch, reason=f"not on {selected}: {why}")


def begun(claim: PersistentVolumeClaim) -> Iterator[Step]:
    meta = claim.metadata
    said = f'External provisioner is provisioning volume for claim "{meta.namespace}/{meta.name}"'
    yield Event(claim, "Normal", "Provisioning", said)


def made(claim: PersistentVolumeClaim, volume: PersistentVolume) -> Iterator[Step]:
    note = Note(
        claim,
        done=("ProvisioningSucceeded", "Successfully provisioned volume {name}"),
        failed=("ProvisioningFailed", "Error saving provisioned volume {name}: {error}"),
    )
    yield Create(volume, note=note, keep=True)


def new_volume(
    provisioner: Provisioner,
    claim: PersistentVolumeClaim,
    class_: StorageClass,
    spec: PersistentVolumeSpec,
    nodes: Iterable[Node] = (),
) -> PersistentVolume:
    """The volume of a claim, reserved for it."""
    meta = claim.metadata
    requests = claim.spec.resources.requests if claim.spec.resources else {}
    return PersistentVolume(
        metadata=ObjectMeta(
            name=volume_name(claim),
            labels=volume_place.label(spec, nodes),
            annotations={PROVISIONED_BY: provisioner.name},
            finalizers=[persistentvolume.PROTECTION, provisioner.finalizer],
        ),
        spec=replace(
            spec,
            accessModes=spec.accessModes or claim.spec.accessModes,
            capacity=spec.capacity or {"storage": requests.get("storage", "0")},
            claimRef=ObjectReference(
                apiVersion="v1",
                kind="PersistentVolumeClaim",
                namespace=meta.namespace,
                name=meta.name,
                uid=meta.uid,
                resourceVersion=meta.resourceVersion,
            ),
            mountOptions=spec.mountOptions or class_.mountOptions,
            persistentVolumeReclaimPolicy=class_.reclaimPolicy or "Delete",
            storageClassName=class_.metadata.name,
            volumeMode=spec.volumeMode or claim.spec.volumeMode or "Filesystem",
        ),
    )


def placed(volume: PersistentVolume, nodes: Sequence[Node]) -> Iterator[Step]:
    """Have a volume whose label names no node carry that of its place: without it its node would never see that it has
    to remove it.
    """
    missing = volume_place.label(volume.spec, nodes)
    if not missing.items() <= volume.metadata.labels.items():
        meta = {"uid": volume.metadata.uid, "labels": missing}
        yield Patch(volume, {"metadata": meta}, reason="its node looks for it by its label")


def released(volume: PersistentVolume) -> Iterator[Step]:
    """Delete a volume that the binder has released; its finalizer keeps it until its storage is gone."""
    if volume.status.phase == "Released" and volume.spec.persistentVolumeReclaimPolicy == "Delete":
        yield Delete(volume, "released")


def is_going(provisioner: Provisioner, volume: PersistentVolume) -> bool:
    """Whether a volume's storage is to be removed now: it is being deleted, and out of use."""
    kept = volume.metadata.finalizers
    due = provisioner.finalizer in kept and persistentvolume.PROTECTION not in kept
    return due and bool(volume.metadata.deletionTimestamp)


def gone(provisioner: Provisioner, volume: PersistentVolume) -> Iterator[Step]:
    """Let a volume go whose storage is no more."""
    left = [finalizer for finalizer in volume.metadata.finalizers if finalizer != provisioner.finalizer]
    meta = {"resourceVersion": volume.metadata.resourceVersion, "finalizers": left or None}
    yield Patch(volume, {"metadata": meta}, reason="its storage is gone")


# Running it


def controller(provisioner: Provisioner, name: str) -> Controller:
    """The controller of one provisioner."""

    async def sync(key: Key, context: Context) -> datetime | None:
        namespace, name = key
        if not namespace:
            volume = context.cache(PersistentVolume).get(name)
            if volume is not None and volume.metadata.annotations.get(PROVISIONED_BY) == provisioner.name:
                await _see_to_volume(provisioner, volume, context)
        elif (claim := context.cache(PersistentVolumeClaim).get(name, namespace)) is not None:
            await _provide(provisioner, claim, context)
            await volume_expansion.grow(provisioner, claim, context)
        return None

    def claims_of_class(class_: StorageClass, context: Context) -> list[Key]:
        """The claims that wait for a volume of a class."""
        return [
            (claim.metadata.namespace, claim.metadata.name)
            for claim in context.cache(PersistentVolumeClaim).list()
            if is_due(provisioner, claim) and persistentvolumeclaim.storage_class(claim) == class_.metadata.name
        ]

    def volumes_of_gone_node(node: Node, context: Context) -> list[Key]:
        """The volumes that a node which is no more may have left behind."""
        if context.cache(Node).get(node.metadata.name) is not None:
            return []
        volumes = context.cache(PersistentVolume).list()
        return [("", volume.metadata.name) for volume in volumes if provisioner.finalizer in volume.metadata.finalizers]

    return Controller(
        name=name,
        component=provisioner.name,
        sources=[
            Source(PersistentVolumeClaim, itself),
            Source(PersistentVolume, itself),
            Source(StorageClass, related=claims_of_class),
            Source(Node, related=volumes_of_gone_node),
        ],
        sync=sync,
    )


async def _provide(provisioner: Provisioner, claim: PersistentVolumeClaim, context: Context) -> None:
    """Make the volume of a claim that is due."""
    class_ = context.cache(StorageClass).get(persistentvolumeclaim.storage_class(claim))
    there = context.cache(PersistentVolume).get(volume_name(claim))
    if not is_due(provisioner, claim) or class_ is None or there is not None:
        return
    node = context.cache(Node).get(claim.metadata.annotations.get(SELECTED_NODE, ""))
    why = provisioner.refusal(claim, class_, node)
    if why:
        await carry_out(context.api, refused(claim, class_, why), context.recorder)
        return
    await carry_out(context.api, begun(claim), context.recorder)
    try:
        spec = await provisioner.make(claim, class_, node)
    except ProvisionerError as error:
        await carry_out(context.api, refused(claim, class_, error.message), context.recorder)
        raise
    volume = new_volume(provisioner, claim, class_, spec, [node] if node is not None else ())
    await carry_out(context.api, made(claim, volume), context.recorder)


async def _see_to_volume(provisioner: Provisioner, volume: PersistentVolume, context: Context) -> None:
    """Have a volume found by its node; bring one that nobody needs any more nearer to its end."""
    nodes = context.cache(Node)
    if nodes.get(volume.metadata.labels.get(volume_place.HOSTNAME, "")) is None:
        await carry_out(context.api, placed(volume, nodes.list()), context.recorder)
    if not volume.metadata.deletionTimestamp:
        await carry_out(context.api, released(volume), context.recorder)
    elif is_going(provisioner, volume):
        try:
            done = await provisioner.remove(volume, context.cache(Node).list())
        except ProvisionerError as error:
            await context.recorder.event(volume, "Warning", "VolumeFailedDelete", error.message)
            raise
        if done:
            await carry_out(context.api, gone(provisioner, volume), context.recorder)
