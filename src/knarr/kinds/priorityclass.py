"""PriorityClass: a name for a pod's priority."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import fill
from knarr.kinds.types.scheduling_v1 import PriorityClass
from knarr.meta import field
from knarr.meta.field import FieldError

HIGHEST_OF_USERS = 1000000000
SYSTEM = {"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}
POLICIES = ("PreemptLowerPriority", "Never")


def defaults(tree: Tree) -> None:
    fill(tree, preemptionPolicy="PreemptLowerPriority")


def prepare_create(tree: Tree) -> None:
    tree.setdefault("metadata", {})["generation"] = 1


def validate(class_: PriorityClass) -> Iterable[FieldError]:
    name = class_.metadata.name
    if name.startswith("system-"):
        if SYSTEM.get(name) != class_.value:
            yield field.forbidden(
                "metadata.name",
                "priority class names with 'system-' prefix are reserved for system use only. error: "
                f"{name} is not a known system priority class",
            )
    elif (class_.value or 0) > HIGHEST_OF_USERS:
        yield field.forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST_OF_USERS}")
    if class_.preemptionPolicy:
        yield from rules.one_of(class_.preemptionPolicy, POLICIES, "preemptionPolicy")


def validate_update(new: PriorityClass, old: PriorityClass) -> Iterable[FieldError]:
    for key in ("value", "preemptionPolicy"):
        if getattr(new, key) != getattr(old, key):
            yield field.forbidden(key, "may not be changed in an update.")


COLUMNS = (
    NAME_COLUMN,
    Column("Value", "integer"),
    Column("Global-Default", "boolean"),
    AGE_COLUMN,
    Column("PreemptionPolicy"),
)


def row(class_: PriorityClass, now: datetime) -> Sequence[object]:
    return (
        class_.metadata.name,
        class_.value,
        bool(class_.globalDefault),
        cells.age(class_, now),
        class_.preemptionPolicy,
    )


KIND = Kind(
    type=PriorityClass,
    group="scheduling.k8s.io",
    version="v1",
    kind="PriorityClass",
    plural="priorityclasses",
    singular="priorityclass",
    namespaced=False,
    short_names=("pc",),
    defaults=defaults,
    prepare_create=prepare_create,
    validate=validate,
    validate_update=validate_update,
    columns=COLUMNS,
    row=row,
)
