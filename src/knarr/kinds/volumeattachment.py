"""VolumeAttachment: the wish that a driver attaches a volume to a node."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import keep_spec, keep_status
from knarr.kinds.types.storage_v1 import VolumeAttachment, VolumeAttachmentStatus
from knarr.kinds.volume_sources import driver
from knarr.meta import field
from knarr.meta.field import FieldError, at

ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
LONGEST_METADATA = 256 * 1024  #: bytes of all keys and values
LONGEST_MESSAGE = 1024  #: bytes


def prepare_create(tree: Tree) -> None:
    tree["status"] = {"attached": False}


def validate(attachment: VolumeAttachment) -> Iterator[FieldError]:
    spec = attachment.spec
    if not spec.attacher:
        yield field.required("spec.attacher")
    source = spec.source
    if source.inlineVolumeSpec is None and not source.persistentVolumeName:
        yield field.required("spec.source", ONE_SOURCE)
    elif source.inlineVolumeSpec is not None and source.persistentVolumeName:
        yield field.forbidden("spec.source", ONE_SOURCE)
    yield from rules.dns_subdomain(spec.nodeName, "spec.nodeName")
    yield from status_rules(attachment.status, "status")
    yield from driver(spec.attacher, "spec.attacher")
    if source.persistentVolumeName:
        yield from rules.dns_subdomain(source.persistentVolumeName, "spec.source.persistentVolumeName")


def status_rules(status: VolumeAttachmentStatus, path: str) -> Iterator[FieldError]:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in status.attachmentMetadata.items())
    if size > LONGEST_METADATA:
        yield field.too_long(at(path, "attachmentMetadata"), LONGEST_METADATA)
    for key in ("attachError", "detachError"):
        error = getattr(status, key)
        if error is None:
            continue
        if len(error.message.encode()) > LONGEST_MESSAGE:
            yield field.too_long(at(path, key, "message"), LONGEST_METADATA)
        if error.errorCode is not None:
            yield from rules.between(error.errorCode, 0, rules.INT32, at(path, key, "errorCode"))


def validate_update(new: VolumeAttachment, old: VolumeAttachment) -> Iterator[FieldError]:
    yield from validate(new)
    yield from rules.unchanged(new.spec, old.spec, "spec")


def row(attachment: VolumeAttachment, now: datetime) -> Sequence[object]:
    spec = attachment.spec
    volume = spec.source.persistentVolumeName or ""
    attached = bool(attachment.status.attached)
    return attachment.metadata.name, spec.attacher, volume, spec.nodeName, attached, cells.age(attachment, now)


KIND = Kind(
    type=VolumeAttachment,
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttachment",
    plural="volumeattachments",
    singular="volumeattachment",
    namespaced=False,
    subresources={"status": ("get", "patch", "update")},
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_update,
    columns=(
        NAME_COLUMN,
        Column("Attacher", format="name"),
        Column("PV"),
        Column("Node"),
        Column("Attached", "boolean"),
        AGE_COLUMN,
    ),
    row=row,
)
