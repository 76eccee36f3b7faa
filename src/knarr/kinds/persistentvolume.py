"""PersistentVolume: a piece of storage, and the claim it is bound to."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.persistentvolumeclaim import CLASS_ANNOTATION, protect
from knarr.kinds.trees import carry, child, fill, fill_zero
from knarr.kinds.types.core_v1 import PersistentVolume
from knarr.kinds.volume_defaults import source_defaults
from knarr.meta import clock

PROTECTION = "kubernetes.io/pv-protection"


def storage_class(volume: PersistentVolume) -> str:
    """The class a volume belongs to, from its old annotation or its spec; "" for none."""
    return volume.metadata.annotations.get(CLASS_ANNOTATION) or volume.spec.storageClassName


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    fill_zero(spec, persistentVolumeReclaimPolicy="Retain")
    fill(spec, volumeMode="Filesystem")
    fill_zero(child(tree, "status"), phase="Pending")
    source_defaults(spec)


def prepare_create(tree: Tree) -> None:
    tree["status"] = {"phase": "Pending", "lastPhaseTransitionTime": clock.timestamp()}
    protect(tree, PROTECTION)


def prepare_update(new: Tree, old: Tree) -> None:
    carry(new, old, "status")


def prepare_status(new: Tree, old: Tree) -> None:
    """Keep the spec, and note when the phase changed unless the writer did."""
    carry(new, old, "spec")
    now, before = child(new, "status"), old.get("status") or {}
    if now.get("phase") != before.get("phase") and (
        now.get("lastPhaseTransitionTime") in (None, before.get("lastPhaseTransitionTime"))
    ):
        now["lastPhaseTransitionTime"] = clock.timestamp()


COLUMNS = (
    NAME_COLUMN,
    Column("Capacity"),
    Column("Access Modes"),
    Column("Reclaim Policy"),
    Column("Status"),
    Column("Claim"),
    Column("StorageClass"),
    Column("VolumeAttributesClass"),
    Column("Reason"),
    AGE_COLUMN,
    Column("VolumeMode", priority=1),
)


def row(volume: PersistentVolume, now: datetime) -> Sequence[object]:
    claim = volume.spec.claimRef
    return (
        volume.metadata.name,
        volume.spec.capacity.get("storage", "0"),
        cells.access_modes(volume.spec.accessModes),
        volume.spec.persistentVolumeReclaimPolicy,
        "Terminating" if volume.metadata.deletionTimestamp else volume.status.phase,
        f"{claim.namespace}/{claim.name}" if claim else "",
        storage_class(volume),
        cells.UNSET if volume.spec.volumeAttributesClassName is None else volume.spec.volumeAttributesClassName,
        volume.status.reason,
        cells.age(volume, now),
        volume.spec.volumeMode or cells.UNSET,
    )


KIND = Kind(
    type=PersistentVolume,
    group="",
    version="v1",
    kind="PersistentVolume",
    plural="persistentvolumes",
    singular="persistentvolume",
    namespaced=False,
    short_names=("pv",),
    subresources={"status": ("get", "patch", "update")},
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    prepare_status=prepare_status,
    columns=COLUMNS,
    row=row,
)
