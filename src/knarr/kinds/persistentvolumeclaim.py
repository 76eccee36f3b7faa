"""PersistentVolumeClaim: somebody's wish for storage, and the volume that answers it."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import carry, child
from knarr.kinds.types.core_v1 import PersistentVolumeClaim
from knarr.kinds.volume_defaults import claim_defaults

PROTECTION = "kubernetes.io/pvc-protection"
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def is_bound(claim: PersistentVolumeClaim) -> bool:
    return claim.status.phase == "Bound"


def storage_class(obj: PersistentVolumeClaim) -> str:
    """The class a claim names, in its old annotation or its spec; "" for none."""
    if CLASS_ANNOTATION in obj.metadata.annotations:
        return obj.metadata.annotations[CLASS_ANNOTATION]
    return obj.spec.storageClassName or ""


def defaults(tree: Tree) -> None:
    claim_defaults(child(tree, "spec"))
    status = child(tree, "status")
    if not status.get("phase"):
        status["phase"] = "Pending"


def prepare_create(tree: Tree) -> None:
    tree["status"] = {"phase": "Pending"}
    protect(tree, PROTECTION)
    same_sources(child(tree, "spec"))


def protect(tree: Tree, finalizer: str) -> None:
    """Put in the finalizer that keeps storage as long as it is used."""
    finalizers = child(tree, "metadata").setdefault("finalizers", [])
    if finalizer not in finalizers:
        finalizers.append(finalizer)


def same_sources(spec: Tree) -> None:
    """Keep `dataSource` and its wider form `dataSourceRef` equal when only one is given."""
    old, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    if old and not ref:
        spec["dataSourceRef"] = dict(old)
    elif ref and not old and not ref.get("namespace"):
        spec["dataSource"] = {key: value for key, value in ref.items() if key != "namespace"}


def prepare_update(new: Tree, old: Tree) -> None:
    carry(new, old, "status")
    same_sources(child(new, "spec"))


def prepare_status(new: Tree, old: Tree) -> None:
    carry(new, old, "spec")


COLUMNS = (
    NAME_COLUMN,
    Column("Status"),
    Column("Volume"),
    Column("Capacity"),
    Column("Access Modes"),
    Column("StorageClass"),
    Column("VolumeAttributesClass"),
    AGE_COLUMN,
    Column("VolumeMode", priority=1),
)


def row(claim: PersistentVolumeClaim, now: datetime) -> Sequence[object]:
    bound = bool(claim.spec.volumeName)
    return (
        claim.metadata.name,
        "Terminating" if claim.metadata.deletionTimestamp else claim.status.phase,
        claim.spec.volumeName,
        claim.status.capacity.get("storage", "0") if bound else "",
        cells.access_modes(claim.status.accessModes) if bound else "",
        storage_class(claim),
        cells.UNSET if claim.spec.volumeAttributesClassName is None else claim.spec.volumeAttributesClassName,
        cells.age(claim, now),
        claim.spec.volumeMode or cells.UNSET,
    )


KIND = Kind(
    type=PersistentVolumeClaim,
    group="",
    version="v1",
    kind="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    singular="persistentvolumeclaim",
    short_names=("pvc",),
    subresources={"status": ("get", "patch", "update")},
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    prepare_status=prepare_status,
    columns=COLUMNS,
    row=row,
)
