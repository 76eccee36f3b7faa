"""StorageClass: which provisioner makes volumes, and when they are bound."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import fill
from knarr.kinds.types.core_v1 import TopologySelectorTerm
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.kinds.volumeattributesclass import parameters
from knarr.meta import field
from knarr.meta.field import FieldError, at

DEFAULT_ANNOTATIONS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
RECLAIM_POLICIES = ("Delete", "Retain")
BINDING_MODES = ("Immediate", "WaitForFirstConsumer")


def is_default(class_: StorageClass) -> bool:
    """Whether claims that name no class get this one."""
    return any(class_.metadata.annotations.get(key) == "true" for key in DEFAULT_ANNOTATIONS)


def default_class(classes: Iterable[StorageClass]) -> StorageClass | None:
    """The default class: the newest of those marked so, the first by name of equally new ones."""
    marked = sorted((class_ for class_ in classes if is_default(class_)), key=lambda class_: class_.metadata.name)
    return max(marked, key=lambda class_: class_.metadata.creationTimestamp, default=None)


def defaults(tree: Tree) -> None:
    fill(tree, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def validate(class_: StorageClass) -> Iterable[FieldError]:
    if not class_.provisioner:
        yield field.required("provisioner")
    else:
        yield from rules.qualified_name(class_.provisioner.lower(), "provisioner")
    yield from parameters(class_.parameters, "parameters")
    if class_.reclaimPolicy:
        yield from rules.one_of(class_.reclaimPolicy, RECLAIM_POLICIES, "reclaimPolicy")
    yield from rules.required_one_of(class_.volumeBindingMode, BINDING_MODES, "volumeBindingMode")
    for index, term in enumerate(class_.allowedTopologies):
        yield from topology(term, at("allowedTopologies", index))
        if term in class_.allowedTopologies[:index]:
            yield field.duplicate(at("allowedTopologies", index, "matchLabelExpressions"), "")


def topology(term: TopologySelectorTerm, path: str) -> Iterator[FieldError]:
    keys: set[str] = set()
    for index, requirement in enumerate(term.matchLabelExpressions):
        where = at(path, "matchLabelExpressions", index)
        if not requirement.values:
            yield field.required(at(where, "values"))
        for number, value in enumerate(requirement.values):
            if value in requirement.values[:number]:
                yield field.duplicate(at(where, "values", number), value)
        yield from rules.qualified_name(requirement.key, at(where, "key"))
        if requirement.key in keys:
            yield field.duplicate(at(where, "key"), requirement.key)
        keys.add(requirement.key)


def validate_update(new: StorageClass, old: StorageClass) -> Iterable[FieldError]:
    if new.parameters != old.parameters:
        yield field.forbidden("parameters", "updates to parameters are forbidden.")
    for key in ("provisioner", "reclaimPolicy", "volumeBindingMode"):
        yield from rules.unchanged(getattr(new, key), getattr(old, key), key)


COLUMNS = (
    NAME_COLUMN,
    Column("Provisioner"),
    Column("ReclaimPolicy"),
    Column("VolumeBindingMode"),
    Column("AllowVolumeExpansion"),
    AGE_COLUMN,
)


def row(class_: StorageClass, now: datetime) -> Sequence[object]:
    name = f"{class_.metadata.name} (default)" if is_default(class_) else class_.metadata.name
    return (
        name,
        class_.provisioner,
        class_.reclaimPolicy,
        class_.volumeBindingMode,
        bool(class_.allowVolumeExpansion),
        cells.age(class_, now),
    )


KIND = Kind(
    type=StorageClass,
    group="storage.k8s.io",
    version="v1",
    kind="StorageClass",
    plural="storageclasses",
    singular="storageclass",
    namespaced=False,
    short_names=("sc",),
    defaults=defaults,
    validate=validate,
    validate_update=validate_update,
    columns=COLUMNS,
    row=row,
)
