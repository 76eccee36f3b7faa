"""PodMetrics and NodeMetrics of metrics.k8s.io: what pods and nodes use. Answered, never stored.

The one kind holds what the other's containers do, and both are shown alike.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import field

from knarr.kinds.kind import NAME_COLUMN, Column, Kind
from knarr.kinds.types.base import Quantity, Time, Type
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta import quantity

GROUP, VERSION = "metrics.k8s.io", "v1beta1"


class ContainerMetrics(Type, frozen=True, kw_only=True):
    name: str = ""
    usage: dict[str, Quantity] = field(default_factory=dict)


class PodMetrics(Type, frozen=True, kw_only=True):
    apiVersion: str = field(default_factory=lambda: f"{GROUP}/{VERSION}")
    kind: str = field(default_factory=lambda: "PodMetrics")
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    timestamp: Time = ""
    window: str = ""
    containers: list[ContainerMetrics] = field(default_factory=list)


class NodeMetrics(Type, frozen=True, kw_only=True):
    apiVersion: str = field(default_factory=lambda: f"{GROUP}/{VERSION}")
    kind: str = field(default_factory=lambda: "NodeMetrics")
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    timestamp: Time = ""
    window: str = ""
    usage: dict[str, Quantity] = field(default_factory=dict)


def pod_row(metrics: PodMetrics, now: datetime) -> Sequence[object]:
    amounts = [
        str(quantity.total([each.usage[name] for each in metrics.containers if name in each.usage]))
        for name in ("cpu", "memory")
    ]
    return metrics.metadata.name, *amounts, metrics.window


def node_row(metrics: NodeMetrics, now: datetime) -> Sequence[object]:
    return metrics.metadata.name, metrics.usage.get("cpu", "0"), metrics.usage.get("memory", "0"), metrics.window


COLUMNS = (NAME_COLUMN, Column("cpu"), Column("memory"), Column("window"))
PODS = Kind(
    type=PodMetrics,
    group=GROUP,
    version=VERSION,
    kind="PodMetrics",
    plural="pods",
    singular="",
    verbs=("get", "list"),
    columns=COLUMNS,
    row=pod_row,
)
NODES = Kind(
    type=NodeMetrics,
    group=GROUP,
    version=VERSION,
    kind="NodeMetrics",
    plural="nodes",
    singular="",
    namespaced=False,
    verbs=("get", "list"),
    columns=COLUMNS,
    row=node_row,
)
KINDS = (NODES, PODS)
