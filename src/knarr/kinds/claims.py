"""Rules of what a claim asks for: the spec of a PersistentVolumeClaim and of every template of one."""

from collections.abc import Iterator, Sequence

from knarr.kinds import rules
from knarr.kinds.resources import amount, positive
from knarr.kinds.types.core_v1 import PersistentVolumeClaimSpec, TypedLocalObjectReference, TypedObjectReference
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta import field
from knarr.meta.field import FieldError, at, at_key
from knarr.meta.label_rules import validate_labels, validate_selector

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")


def template_metadata(metadata: ObjectMeta, path: str) -> Iterator[FieldError]:
    """The metadata of a template that is made into a claim: only labels and annotations."""
    yield from rules.annotations(metadata.annotations, at(path, "annotations"))
    yield from validate_labels(metadata.labels, at(path, "labels"))
    for name in metadata.__struct_fields__:
        if name not in ("annotations", "labels") and getattr(metadata, name) not in (None, "", [], {}):
            yield field.forbidden(at(path, name), "cannot be set")


def access_modes(modes: Sequence[str], path: str) -> Iterator[FieldError]:
    for mode in modes:
        yield from rules.one_of(mode, ACCESS_MODES, path)
    known = {mode for mode in modes if mode in ACCESS_MODES}
    if "ReadWriteOncePod" in known and len(known) > 1:
        yield field.forbidden(path, "may not use ReadWriteOncePod with other access modes")


def spec(given: PersistentVolumeClaimSpec, path: str) -> Iterator[FieldError]:
    if not given.accessModes:
        yield field.required(at(path, "accessModes"), "at least 1 access mode is required")
    yield from validate_selector(given.selector, at(path, "selector"))
    yield from access_modes(given.accessModes, at(path, "accessModes"))
    yield from storage(given, at_key(at(path, "resources"), "storage"))
    if given.storageClassName:
        yield from rules.dns_subdomain(given.storageClassName, at(path, "storageClassName"))
    if given.volumeMode:
        yield from rules.one_of(given.volumeMode, VOLUME_MODES, at(path, "volumeMode"))
    yield from sources(given, path)
    if given.volumeAttributesClassName:
        where = at(path, "volumeAttributesClassName")
        yield from rules.dns_subdomain(given.volumeAttributesClassName, where)


def storage(given: PersistentVolumeClaimSpec, path: str) -> Iterator[FieldError]:
    size = given.resources.requests.get("storage") if given.resources is not None else None
    if size is None:
        yield field.required(path)
        return
    found = list(positive(size, path))
    yield from found or amount("storage", size, path)


def sources(given: PersistentVolumeClaimSpec, path: str) -> Iterator[FieldError]:
    """What a claim may be filled from."""
    old, ref = given.dataSource, given.dataSourceRef
    if old is not None:
        yield from source(old, at(path, "dataSource"))
    if ref is None:
        return
    yield from source(ref, at(path, "dataSourceRef"))
    if ref.namespace:
        yield from rules.dns_label(ref.namespace, at(path, "dataSourceRef", "namespace"))
        if old is not None:
            message = "may not be specified when dataSourceRef.namespace is specified"
            yield field.wrong(path, {}, message)
    elif old is not None and (old.apiGroup, old.kind, old.name) != (ref.apiGroup, ref.kind, ref.name):
        yield field.wrong(path, {}, "must match dataSourceRef")


def source(given: TypedLocalObjectReference | TypedObjectReference, path: str) -> Iterator[FieldError]:
    yield from rules.needed(path, name=given.name, kind=given.kind)
    if not given.apiGroup and given.kind != "PersistentVolumeClaim":
        message = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        yield field.wrong(path, given.kind, message)
    if given.apiGroup:
        yield from rules.dns_subdomain(given.apiGroup, at(path, "apiGroup"))
