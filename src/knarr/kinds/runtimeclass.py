"""RuntimeClass: which handler of a node runs a pod."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from knarr.kinds import cells, resources, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.podspec_affinity import tolerations
from knarr.kinds.types.core_v1 import ResourceRequirements
from knarr.kinds.types.node_v1 import RuntimeClass
from knarr.meta.field import FieldError
from knarr.meta.label_rules import validate_labels


def validate(class_: RuntimeClass) -> Iterable[FieldError]:
    yield from rules.dns_label(class_.handler, "handler")
    if class_.overhead is not None:
        yield from resources.requirements(ResourceRequirements(limits=class_.overhead.podFixed), (), "overhead")
    if class_.scheduling is not None:
        yield from validate_labels(class_.scheduling.nodeSelector, "scheduling.nodeSelector")
        yield from tolerations(class_.scheduling.tolerations, "scheduling.tolerations")


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
