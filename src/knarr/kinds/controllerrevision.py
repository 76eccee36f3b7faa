"""ControllerRevision: what a StatefulSet's or DaemonSet's template was at one point of its history."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.apps_v1 import ControllerRevision
from knarr.meta import field
from knarr.meta.field import FieldError


def validate(revision: ControllerRevision) -> Iterable[FieldError]:
    if (revision.revision or 0) < 0:
        yield field.wrong("revision", revision.revision, "must be greater than or equal to 0")
    if revision.data is None:
        yield field.required("data", "data is mandatory")


def validate_update(new: ControllerRevision, old: ControllerRevision) -> Iterable[FieldError]:
    yield from validate(new)
    if new.data != old.data:
        yield field.wrong("data", new.data, "field is immutable")


def row(revision: ControllerRevision, now: datetime) -> Sequence[object]:
    owner = next((o for o in revision.metadata.ownerReferences if o.controller), None)
    named = cells.NONE
    if owner is not None:
        group = owner.apiVersion.partition("/")[0] if "/" in owner.apiVersion else ""
        named = f"{owner.kind.lower()}.{group}/{owner.name}" if group else f"{owner.kind.lower()}/{owner.name}"
    return revision.metadata.name, named, revision.revision or 0, cells.age(revision, now)


KIND = Kind(
    type=ControllerRevision,
    group="apps",
    version="v1",
    kind="ControllerRevision",
    plural="controllerrevisions",
    singular="controllerrevision",
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("Controller"), Column("Revision"), AGE_COLUMN),
    row=row,
)
