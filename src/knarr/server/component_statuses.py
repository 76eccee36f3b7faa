"""`kubectl get componentstatuses`: the control plane's parts, which here are one process and live and die together."""

from datetime import datetime

from knarr.kinds.kind import NAME_COLUMN, Column, Kind
from knarr.kinds.types.core_v1 import ComponentStatus
from knarr.registry.entry import Entry, encode, load
from knarr.server.status import not_found

PARTS = ("controller-manager", "etcd-0", "scheduler")


def row(component: ComponentStatus, now: datetime) -> tuple[str, str, str, str]:
    condition = component.conditions[0]
    return component.metadata.name, "Healthy", condition.message, condition.error


KIND = Kind(
    type=ComponentStatus,
    group="",
    version="v1",
    kind="ComponentStatus",
    plural="componentstatuses",
    singular="componentstatus",
    namespaced=False,
    short_names=("cs",),
    verbs=("get", "list"),
    columns=(NAME_COLUMN, Column("Status"), Column("Message"), Column("Error")),
    row=row,
)


def entries() -> list[Entry]:
    """Every part, healthy: whoever answers this is alive."""
    return [_entry(name) for name in PARTS]


def entry(name: str) -> Entry:
    """One part; raise NotFound for another name."""
    if name not in PARTS:
        raise not_found(KIND.plural, name)
    return _entry(name)


def _entry(name: str) -> Entry:
    condition = {"type": "Healthy", "status": "True", "message": "ok"}
    tree = {
        "apiVersion": "v1",
        "kind": "ComponentStatus",
        "metadata": {"name": name},
        "conditions": [condition],
    }
    return load(KIND, encode(tree), 0)
