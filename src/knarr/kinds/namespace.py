"""Namespace: the scope of names; it empties itself before it goes."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import carry, child, fill_zero
from knarr.kinds.types.core_v1 import Namespace

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


def prepare_status(new: Tree, old: Tree) -> None:
    carry(new, old, "spec")


def prepare_finalize(new: Tree, old: Tree) -> None:
    """What an update to /finalize may not change."""
    carry(new, old, "status")


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
    prepare_status=prepare_status,
    columns=(NAME_COLUMN, Column("Status"), AGE_COLUMN),
    row=row,
    selectable={"status.phase": lambda namespace: namespace.status.phase},
)
