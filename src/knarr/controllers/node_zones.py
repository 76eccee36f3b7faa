"""Zones: how fast the pods of nodes that are not ready may be told to go, zone by zone. `node_lifecycle` asks.

Keeps true: of each zone one node every ten seconds loses its pods. Where most of a zone is not ready, that is more
likely the zone's trouble than the nodes': one node every hundred seconds if the zone is large, else none. Where all of
it is not ready, as many as always, unless that is so in every zone: then it is this end that is cut off, nobody loses
pods, and who was told to lets them stay after all.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from knarr.kinds.types.core_v1 import Node

RATE, SECONDARY_RATE = 0.1, 0.01  #: nodes a second: --node-eviction-rate, --secondary-node-eviction-rate
LARGE = 50  #: nodes that a zone has at most which is not large: --large-cluster-size-threshold
UNHEALTHY = 0.55  #: share of nodes not ready, of three or more: --unhealthy-zone-threshold
ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
EXCLUDED = "node.kubernetes.io/exclude-disruption"


class State(Enum):
    """How much of a zone is not ready."""

    NORMAL = "normal"
    PARTIAL = "partial"
    FULL = "full"


@dataclass(slots=True)
class Count:
    """A zone's nodes."""

    ready: int = 0
    unready: int = 0

    @property
    def state(self) -> State:
        if not self.ready and self.unready:
            return State.FULL
        if self.unready > 2 and self.unready / (self.ready + self.unready) >= UNHEALTHY:
            return State.PARTIAL
        return State.NORMAL


def rate(count: Count) -> float:
    """Nodes a second of a zone that may lose their pods, while not everything is down."""
    if count.state is not State.PARTIAL:
        return RATE
    return SECONDARY_RATE if count.ready + count.unready > LARGE else 0.0


def zone_of(node: Node) -> str:
    labels = node.metadata.labels
    return f"{labels.get(REGION, '')}/{labels.get(ZONE, '')}"


def is_ready(node: Node) -> bool:
    return any(found.type == "Ready" and found.status == "True" for found in node.status.conditions)


@dataclass
class Zones:
    """The memory of who is ready where, and of whose pods went last."""

    _counts: dict[str, Count] = field(default_factory=dict)
    _nodes: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))  #: names by zone
    _last: dict[str, tuple[str, datetime]] = field(default_factory=dict)  #: zone -> the last node told, and when
    _down: bool = False

    def observe(self, old: Node | None, new: Node | None) -> set[str]:
        """Take in a change of a node; give the names of the nodes that must be looked at, since their zone's state is
        another one now, or everything is down, or no longer is."""
        before = self._states((old, new))
        for node, step in ((old, -1), (new, 1)):
            if node is not None and EXCLUDED not in node.metadata.labels:
                self._count(node, step)
        stirred = [zone for zone, state in self._states((old, new)).items() if before.get(zone) is not state]
        down = self.down
        if down is not self._down:
            self._down = down
            stirred = [*self._nodes]
        return {name for zone in stirred for name in self._nodes.get(zone, ())}

    def _count(self, node: Node, step: int) -> None:
        zone, name = zone_of(node), node.metadata.name
        count = self._counts.setdefault(zone, Count())
        if is_ready(node):
            count.ready += step
        else:
            count.unready += step
        if step > 0:
            self._nodes[zone][name] = None
        else:
            self._nodes[zone].pop(name, None)
        if not count.ready and not count.unready:
            for known in (self._counts, self._nodes, self._last):
                known.pop(zone, None)

    def _states(self, nodes: Iterable[Node | None]) -> Mapping[str, State]:
        zones = {zone_of(node) for node in nodes if node is not None}
        return {zone: self._counts[zone].state for zone in zones if zone in self._counts}

    @property
    def down(self) -> bool:
        """Whether no node of any zone is ready."""
        return bool(self._counts) and all(count.state is State.FULL for count in self._counts.values())

    def states(self) -> Counter[State]:
        """How many zones are in each state."""
        return Counter(count.state for count in self._counts.values())

    def turn(self, node: Node, now: datetime) -> datetime | None:
        """From when a node's pods may be told to go, and if that is now, that they are; None: not as things are."""
        zone = zone_of(node)
        speed = 0.0 if self.down else rate(self._counts.get(zone, Count()))
        if not speed:
            return None
        name, since = self._last.get(zone, ("", now))
        due = now if name in ("", node.metadata.name) else since + timedelta(seconds=1 / speed)
        if due <= now:
            self._last[zone] = (node.metadata.name, now)
        return due
