"""Namespace: the scope of names; it empties itself before it goes."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, metadata, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import carry, child, fill_zero, keep_spec
from knarr.kinds.types.core_v1 import Namespace
from knarr.meta import field
from knarr.meta.field import FieldError

NAME_LABEL = "kubernetes.io/metadata.name"
FINALIZER = "kubernetes"


def is_terminating(namespace: Namespace) -> bool:
    return namespace.status.phase == "Terminating" or bool(namespace.metadata.deletionTimestamp)


def defaults(tree: Tree) -> None:
    """Label the namespace with its name, so that selectors can find it."""
    metadata = child(tree, "metadata")
    if name := metadata.get("name"):
        child(metadata, "labels")[NAME_LABEL] = name
    child(tree, "spec")
    fill_zero(child(tree, "status"), phase="Active")


def prepare_create(tree: Tree) -> None:
    """Active, and held by the finalizer that empties it."""
    defaults(tree)
    tree["status"] = {"phase": "Active"}
    finalizers = tree["spec"].setdefault("finalizers", [])
    if FINALIZER not in finalizers:
        finalizers.append(FINALIZER)


def prepare_update(new: Tree, old: Tree) -> None:
    """Neither finalizers nor status change but through their subresources."""
    carry(new, old, "spec", "status")


def validate(namespace: Namespace) -> Iterator[FieldError]:
    for name in namespace.spec.finalizers:
        yield from finalizer(name, "spec.finalizers")


def finalizer(name: str, path: str) -> Iterator[FieldError]:
    yield from rules.qualified_name(name, path)
    yield from metadata.standard_finalizer(name, path)


def validate_status(new: Namespace, old: Namespace) -> Iterator[FieldError]:
    """A namespace is terminating exactly when somebody deleted it."""
    deleted = bool(new.metadata.deletionTimestamp)
    wanted, when = ("Terminating", "not empty") if deleted else ("Active", "empty")
    if new.status.phase != wanted:
        message = f"may only be '{wanted}' if `deletionTimestamp` is {when}"
        yield field.wrong("status.Phase", new.status.phase, message)


def row(namespace: Namespace, now: datetime) -> Sequence[object]:
    return namespace.metadata.name, namespace.status.phase, cells.age(namespace, now)


KIND = Kind(
    type=Namespace,
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    singular="namespace",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources={"finalize": ("update",), "status": ("get", "patch", "update")},
    name_rule="label",
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    prepare_status=keep_spec,
    validate=validate,
    validate_status=validate_status,
    columns=(NAME_COLUMN, Column("Status"), AGE_COLUMN),
    row=row,
    selectable={"status.phase": lambda namespace: namespace.status.phase},
)
