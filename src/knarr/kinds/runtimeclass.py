"""RuntimeClass: which handler of a node runs a pod."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.node_v1 import RuntimeClass
from knarr.meta.field import FieldError


def validate(class_: RuntimeClass) -> Iterable[FieldError]:
    yield from rules.dns_label(class_.handler, "handler")


def validate_update(new: RuntimeClass, old: RuntimeClass) -> Iterable[FieldError]:
    yield from rules.unchanged(new.handler, old.handler, "handler")


def row(class_: RuntimeClass, now: datetime) -> Sequence[object]:
    return class_.metadata.name, class_.handler, cells.age(class_, now)


KIND = Kind(
    type=RuntimeClass,
    group="node.k8s.io",
    version="v1",
    kind="RuntimeClass",
    plural="runtimeclasses",
    singular="runtimeclass",
    namespaced=False,
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("Handler"), AGE_COLUMN),
    row=row,
)
