"""PersistentVolume: a piece of storage, and the claim it is bound to."""

import posixpath
from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from knarr.kinds import cells, claims, internal, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.persistentvolumeclaim import CLASS_ANNOTATION, protect
from knarr.kinds.podspec_affinity import node_selector
from knarr.kinds.resources import basic, positive
from knarr.kinds.trees import carry, child, fill, fill_zero, keep_status
from knarr.kinds.types.core_v1 import PersistentVolume, PersistentVolumeSpec
from knarr.kinds.volume_defaults import source_defaults
from knarr.kinds.volume_sources import MORE_THAN_ONE, SOURCES, Check, csi_volume, local
from knarr.meta import clock, field
from knarr.meta.field import FieldError, at, at_key

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


def prepare_status(new: Tree, old: Tree) -> None:
    """Keep the spec, and note when the phase changed unless the writer did."""
    carry(new, old, "spec")
    now, before = child(new, "status"), old.get("status") or {}
    if now.get("phase") != before.get("phase") and (
        now.get("lastPhaseTransitionTime") in (None, before.get("lastPhaseTransitionTime"))
    ):
        now["lastPhaseTransitionTime"] = clock.timestamp()


RECLAIM = ("Delete", "Recycle", "Retain")
#: the order in which upstream looks at a volume's sources: the first is checked, any further one is one too many
ORDER = (
    *("hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte"),
    *("cephfs", "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk"),
    *("portworxVolume", "azureDisk", "scaleIO", "local", "storageos", "csi"),
)
CHECKS: dict[str, Check] = {**SOURCES, "local": local, "csi": csi_volume}


def validate(volume: PersistentVolume) -> Iterator[FieldError]:
    spec = volume.spec
    if not spec.accessModes:
        yield field.required("spec.accessModes")
    yield from claims.access_modes(spec.accessModes, "spec.accessModes")
    yield from capacity(spec.capacity, "spec.capacity")
    if spec.persistentVolumeReclaimPolicy:
        policy = spec.persistentVolumeReclaimPolicy
        yield from rules.one_of(policy, RECLAIM, "spec.persistentVolumeReclaimPolicy")
    yield from node_affinity(spec)
    yield from source(spec)
    if spec.storageClassName:
        yield from rules.dns_subdomain(spec.storageClassName, "spec.storageClassName")
    if spec.volumeMode:
        yield from rules.one_of(spec.volumeMode, claims.VOLUME_MODES, "spec.volumeMode")
    if spec.volumeAttributesClassName is not None:
        yield from attributes_class(spec.volumeAttributesClassName, "spec.volumeAttributesClassName")
        if spec.csi is None:
            yield field.required("spec.csi", "has to be specified when using volumeAttributesClassName")


def capacity(given: dict[str, str], path: str) -> Iterator[FieldError]:
    if not given:
        yield field.required(path)
    if given.keys() != {"storage"}:
        yield field.unsupported(path, given, ("storage",))
    for name, size in given.items():
        yield from basic(size, at_key(path, name))
        yield from positive(size, at_key(path, name))


def attributes_class(name: str, path: str) -> Iterator[FieldError]:
    if not name:
        yield field.required(path, "an empty string is disallowed")
    else:
        yield from rules.dns_subdomain(name, path)


def node_affinity(spec: PersistentVolumeSpec) -> Iterator[FieldError]:
    if spec.nodeAffinity is None:
        return
    if spec.nodeAffinity.required is None:
        yield field.required("spec.nodeAffinity.required", "must specify required node constraints")
    else:
        yield from node_selector(spec.nodeAffinity.required, "spec.nodeAffinity.required")


def source(spec: PersistentVolumeSpec) -> Iterator[FieldError]:
    found = [name for name in ORDER if getattr(spec, name) is not None]
    if not found:
        yield field.required("spec", "must specify a volume type")
        return
    yield from CHECKS[found[0]](getattr(spec, found[0]), at("spec", found[0]))
    if found[0] == "local" and spec.nodeAffinity is None:
        yield field.required("spec.nodeAffinity", "Local volume requires node affinity")
    for name in found[1:]:
        yield field.forbidden(at("spec", name), MORE_THAN_ONE)
    root = spec.hostPath is not None and posixpath.normpath(spec.hostPath.path or ".") == "/"
    if root and spec.persistentVolumeReclaimPolicy == "Recycle":
        message = "may not be 'recycle' for a hostPath mount of '/'"
        yield field.forbidden("spec.persistentVolumeReclaimPolicy", message)


def validate_update(new: PersistentVolume, old: PersistentVolume) -> Iterator[FieldError]:
    """What a volume is made of stays; how it is used may change."""
    yield from validate(new)
    after, before = new.spec, old.spec
    if after.csi is not None and before.csi is not None and before.csi.controllerExpandSecretRef is None:
        after = replace(after, csi=replace(after.csi, controllerExpandSecretRef=None))
    if any(getattr(after, name) != getattr(before, name) for name in ORDER):
        changes = internal.difference(before, after, "PersistentVolumeSource")
        message = f"spec.persistentvolumesource is immutable after creation\n{changes}"
        yield field.forbidden("spec.persistentvolumesource", message)
    yield from rules.unchanged(after.volumeMode, before.volumeMode, "volumeMode")
    if before.nodeAffinity is not None and after.nodeAffinity != before.nodeAffinity:
        message = rules.IMMUTABLE + ", except for updating from beta label to GA"
        yield field.wrong("nodeAffinity", internal.tree(after.nodeAffinity), message)
    if before.volumeAttributesClassName is not None and after.volumeAttributesClassName is None:
        message = "update from non-nil value to nil is forbidden"
        yield field.forbidden("spec.volumeAttributesClassName", message)


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
    prepare_update=keep_status,
    prepare_status=prepare_status,
    validate=validate,
    validate_update=validate_update,
    columns=COLUMNS,
    row=row,
)
