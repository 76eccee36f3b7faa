"""VolumeAttributesClass: what a driver may be asked to change about a volume that exists."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.storage_v1 import VolumeAttributesClass
from knarr.meta import field
from knarr.meta.field import FieldError

MOST_PARAMETERS = 512
LONGEST = 256 * 1024  #: bytes of all parameters


def validate(class_: VolumeAttributesClass) -> Iterator[FieldError]:
    if not class_.driverName:
        yield field.required("driverName")
    else:
        yield from rules.qualified_name(class_.driverName.lower(), "driverName")
    yield from parameters(class_.parameters, "parameters")
    if not class_.parameters:
        yield field.required("parameters", "must contain at least one key/value pair")


def parameters(given: Mapping[str, str], path: str) -> Iterator[FieldError]:
    """What a class may tell its driver; also of a StorageClass."""
    if len(given) > MOST_PARAMETERS:
        yield field.too_long(path, MOST_PARAMETERS)
        return
    if "" in given:
        yield field.wrong(path, "", "field can not be empty.")
    if sum(len(key.encode()) + len(value.encode()) for key, value in given.items()) > LONGEST:
        yield field.too_long(path, LONGEST)


def validate_update(new: VolumeAttributesClass, old: VolumeAttributesClass) -> Iterator[FieldError]:
    for name in ("driverName", "parameters"):
        if getattr(new, name) != getattr(old, name):
            yield field.forbidden(name, f"updates to {name} are forbidden.")
    yield from validate(new)


def row(class_: VolumeAttributesClass, now: datetime) -> Sequence[object]:
    return class_.metadata.name, class_.driverName, cells.age(class_, now)


KIND = Kind(
    type=VolumeAttributesClass,
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttributesClass",
    plural="volumeattributesclasses",
    singular="volumeattributesclass",
    namespaced=False,
    short_names=("vac",),
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("DriverName"), AGE_COLUMN),
    row=row,
)
