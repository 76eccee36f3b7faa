"""The board: every node with what is placed on it, as the filters and scores read it.

Keeps true: a pod counts for its node from the moment it is assumed there until it is finished or gone, and only once.
The scheduler moves pods as its informers tell; the filters only read.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec import Struct

from knarr.kinds.host_ports import HostPort, host_ports
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.scheduler import resources
from knarr.scheduler.resources import Amounts

Key = tuple[str, str]
Asked = tuple[int, ...]  #: so much of what counts when nodes are compared
T = TypeVar("T")


def key_of(pod: Pod) -> Key:
    return pod.metadata.namespace, pod.metadata.name


def owner_of(pod: Pod) -> str:
    """The uid of the pod's controller, "" without one."""
    return next((r.uid for r in pod.metadata.ownerReferences if r.controller), "")


def priority_of(pod: Pod) -> int:
    return pod.spec.priority or 0


class Load(Struct, frozen=True):
    """What a pod takes up on its node."""

    requested: Amounts
    assumed: Amounts
    ports: tuple[HostPort, ...]
    owner: str
    priority: int


def load(pod: Pod) -> Load:
    requested, assumed = resources.requested(pod), resources.assumed(pod)
    return Load(requested, assumed, tuple(host_ports(pod)), owner_of(pod), priority_of(pod))


@dataclass(slots=True)
class Place:
    """One node and what is on it."""

    name: str
    node: Node
    allocatable: Amounts
    pods: dict[Key, Pod] = field(default_factory=dict)
    loads: dict[Key, Load] = field(default_factory=dict)
    requested: Amounts = field(default_factory=dict)
    assumed: Amounts = field(default_factory=dict)  #: as requested, with something for pods that ask for nothing
    ports: Counter[HostPort] = field(default_factory=Counter)
    owners: Counter[str] = field(default_factory=Counter)
    priorities: Counter[int] = field(default_factory=Counter)
    lookouts: dict[Key, Pod] = field(default_factory=dict)  #: the pods to which it matters where some others are
    judged: tuple[Asked, float] | None = None  #: what its room was worth to who asked last, until what it has changes

    def put(self, pod: Pod, weight: Load | None = None) -> None:
        """Add a pod; `weight` is what it takes up, where that is known."""
        key = key_of(pod)
        self.pods[key] = pod
        if looks_out(pod):
            self.lookouts[key] = pod
        weight = self.loads[key] = weight or load(pod)
        self._count(weight, 1)

    def take(self, key: Key) -> Pod | None:
        pod = self.pods.pop(key, None)
        self.lookouts.pop(key, None)
        if pod is not None:
            self._count(self.loads.pop(key), -1)
        return pod

    def without(self, keys: Iterable[Key]) -> "Place":
        """The node as it would be without some of its pods; what is done to it leaves this one as it is."""
        other = Place(
            self.name,
            self.node,
            self.allocatable,
            dict(self.pods),
            dict(self.loads),
            dict(self.requested),
            dict(self.assumed),
            self.ports.copy(),
            self.owners.copy(),
            self.priorities.copy(),
            dict(self.lookouts),
        )
        for key in keys:
            other.take(key)
        return other

    def _count(self, weight: Load, sign: int) -> None:
        self.judged = None
        for total, more in ((self.requested, weight.requested), (self.assumed, weight.assumed)):
            for name, amount in more.items():
                total[name] = total.get(name, 0) + sign * amount
        _add(self.owners, weight.owner, sign)
        _add(self.priorities, weight.priority, sign)
        for port in weight.ports:
            _add(self.ports, port, sign)


def _add(counts: Counter[T], what: T, sign: int) -> None:
    counts[what] += sign
    if not counts[what]:
        del counts[what]


def looks_out(pod: Pod) -> bool:
    """Whether the pod, once placed, has a say in who else comes near."""
    affinity = pod.spec.affinity
    return affinity is not None and (affinity.podAntiAffinity is not None or affinity.podAffinity is not None)


def place(node: Node, pods: Iterable[Pod] = ()) -> Place:
    """A node with these pods on it."""
    found = Place(node.metadata.name, node, resources.amounts(node.status.allocatable or node.status.capacity))
    for pod in pods:
        found.put(pod)
    return found


def counts_alike(old: Pod | None, new: Pod) -> bool:
    """Whether a pod takes up what it did: mostly it is but its status that has changed, or it has got its node."""
    if old is None or owner_of(old) != owner_of(new):
        return False
    was, is_ = old.metadata, new.metadata
    same_generation = was.generation and was.generation == is_.generation and was.uid == is_.uid
    return bool(same_generation) or old.spec == new.spec


def looks_alike(old: Pod, new: Pod) -> bool:
    """Whether a pod that takes up what it did also is to others what it was."""
    before, after = old.metadata, new.metadata
    return before.labels == after.labels and before.deletionTimestamp == after.deletionTimestamp


class Board:
    """All places by node name. Pods of a node not seen yet wait until it is."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._where: dict[Key, str] = {}
        self._early: dict[str, dict[Key, Pod]] = {}
        self.version = 0  #: counts the changes that filters see

    def __len__(self) -> int:
        return len(self._places)

    def places(self) -> list[Place]:
        return [*self._places.values()]

    def place(self, name: str) -> Place | None:
        return self._places.get(name)

    def put_node(self, node: Node) -> Place:
        """Take in a node or what changed of it, with the pods that are on it."""
        self.version += 1
        old = self._places.get(node.metadata.name)
        pods = old.pods if old else self._early.pop(node.metadata.name, {})
        found = self._places[node.metadata.name] = place(node, pods.values())
        return found

    def drop_node(self, name: str) -> None:
        self.version += 1
        gone = self._places.pop(name, None)
        if gone is not None and gone.pods:
            self._early[name] = gone.pods

    def put_pod(self, pod: Pod, node: str) -> None:
        """Place a pod, or what changed of it, on a node."""
        key, found = key_of(pod), self._places.get(node)
        if found is not None and self._where.get(key) == node and counts_alike(found.pods.get(key), pod):
            self.version += not looks_alike(found.pods[key], pod)
            found.pods[key] = pod
            return
        self.drop_pod(key)
        self.version += 1
        self._where[key] = node
        if (found := self._places.get(node)) is not None:
            found.put(pod)
        else:
            self._early.setdefault(node, {})[key_of(pod)] = pod

    def drop_pod(self, key: Key) -> None:
        node = self._where.pop(key, None)
        if node is None:
            return
        self.version += 1
        if (found := self._places.get(node)) is not None:
            found.take(key)
        else:
            self._early.get(node, {}).pop(key, None)

    def node_of(self, key: Key) -> str | None:
        return self._where.get(key)
