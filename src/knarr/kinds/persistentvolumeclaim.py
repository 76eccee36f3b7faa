"""PersistentVolumeClaim: somebody's wish for storage, and the volume that answers it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from knarr.kinds import cells, claims, internal, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.resources import amounts, basic
from knarr.kinds.trees import carry, child, keep_spec
from knarr.kinds.types.core_v1 import PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements
from knarr.kinds.volume_defaults import claim_defaults
from knarr.meta import field, quantity
from knarr.meta.field import FieldError, at_key

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


IMMUTABLE = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def validate(claim: PersistentVolumeClaim) -> Iterator[FieldError]:
    yield from claims.spec(claim.spec, "spec")


def validate_update(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> Iterator[FieldError]:
    """A bound claim may ask for more; an unbound one may be given a volume, and a class if it has none."""
    yield from validate(new)
    path = "metadata.annotations." + CLASS_ANNOTATION
    class_before, class_after = (obj.metadata.annotations.get(CLASS_ANNOTATION, "") for obj in (old, new))
    moved = bool(class_before) and old.spec.storageClassName is None and new.spec.storageClassName == class_before
    if class_before != class_after and not (moved and not class_after):
        yield field.wrong(path, class_after, rules.IMMUTABLE)
    masked = mask(new, old)
    if masked != old.spec and masked != replace(old.spec, volumeName=masked.volumeName or old.spec.volumeName):
        before = replace(old.spec, volumeName=old.spec.volumeName or masked.volumeName)
        yield field.forbidden("spec", f"{IMMUTABLE}\n{internal.difference(before, masked)}")
    yield from sizes(new, old)
    yield from rules.unchanged(new.spec.volumeMode, old.spec.volumeMode, "volumeMode")
    if old.spec.volumeAttributesClassName is not None and not new.spec.volumeAttributesClassName:
        what = "nil" if new.spec.volumeAttributesClassName is None else "an empty string"
        yield field.forbidden("spec.volumeAttributesClassName", f"update from non-nil value to {what} is forbidden")


def mask(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> PersistentVolumeClaimSpec:
    """The new spec with the old one's values wherever a change is allowed."""
    masked, before = new.spec, old.spec
    if before.storageClassName is None and masked.storageClassName in (
        None,
        old.metadata.annotations.get(CLASS_ANNOTATION, masked.storageClassName),
    ):
        masked = replace(masked, storageClassName=None)
    if is_bound(new):
        resources, was = masked.resources or VolumeResourceRequirements(), requests(before)
        if resources.requests and "storage" in was:
            kept = {**resources.requests, "storage": was["storage"]}
            masked = replace(masked, resources=replace(resources, requests=kept))
        if masked.volumeAttributesClassName is not None:
            masked = replace(masked, volumeAttributesClassName=before.volumeAttributesClassName)
    return masked


def requests(spec: PersistentVolumeClaimSpec) -> dict[str, str]:
    return spec.resources.requests if spec.resources is not None else {}


def sizes(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> Iterator[FieldError]:
    """A claim may shrink only back towards what it already has."""
    after, before = (quantity.parse(requests(claim.spec).get("storage", "0")) for claim in (new, old))
    if after < before and after <= quantity.parse(old.status.capacity.get("storage", "0")):
        yield field.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")


RESIZES = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
)


def validate_status(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> Iterator[FieldError]:
    if not new.spec.accessModes:
        yield field.required("Spec.accessModes")
    for name, size in new.status.capacity.items():
        yield from basic(size, at_key("status.capacity", name))
    for name, state in new.status.allocatedResourceStatuses.items():
        yield from storage_name(name, "status.allocatedResourceStatus")
        if state not in RESIZES:
            yield field.unsupported("status.allocatedResourceStatus", name, sorted(RESIZES))
    yield from amounts(new.status.allocatedResources, storage_name, "status.allocatedResources")


def storage_name(name: str, path: str) -> Iterator[FieldError]:
    faults = list(rules.qualified_name(name, path))
    yield from faults
    if not faults and ("/" not in name or "kubernetes.io/" in name) and name != "storage":
        yield field.unsupported(path, name, ("storage",))


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
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    columns=COLUMNS,
    row=row,
)
