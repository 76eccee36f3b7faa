"""The board: every node with what is placed on it, as the filters and scores read it.

Keeps true: a pod counts for its node from the moment it is assumed there until it is finished or gone, and only once.
The scheduler moves pods as its informers tell; the filters only read.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from knarr.kinds.types.core_v1 import Node, Pod
from knarr.scheduler import resources
from knarr.scheduler.resources import Amounts, HostPort

Key = tuple[str, str]


def key_of(pod: Pod) -> Key:
    return pod.metadata.namespace, pod.metadata.name


def owner_of(pod: Pod) -> str:
    """The uid of the pod's controller, "" without one."""
    return next((r.uid for r in pod.metadata.ownerReferences if r.controller), "")


@dataclass(slots=True)
class Place:
    """One node and what is on it."""

    node: Node
    allocatable: Amounts
    pods: dict[Key, Pod] = field(default_factory=dict)
    requested: Amounts = field(default_factory=dict)
    assumed: Amounts = field(default_factory=dict)  #: as requested, with something for pods that ask for nothing
    ports: Counter[HostPort] = field(default_factory=Counter)
    owners: Counter[str] = field(default_factory=Counter)
    guards: dict[Key, Pod] = field(default_factory=dict)  #: the pods that will not have some others near

    @property
    def name(self) -> str:
        return self.node.metadata.name

    def put(self, pod: Pod) -> None:
        self.pods[key_of(pod)] = pod
        if pod.spec.affinity is not None and pod.spec.affinity.podAntiAffinity is not None:
            self.guards[key_of(pod)] = pod
        self._count(pod, 1)

    def take(self, key: Key) -> Pod | None:
        pod = self.pods.pop(key, None)
        self.guards.pop(key, None)
        if pod is not None:
            self._count(pod, -1)
        return pod

    def _count(self, pod: Pod, sign: int) -> None:
        for total, more in ((self.requested, resources.requested(pod)), (self.assumed, resources.assumed(pod))):
            for name, amount in more.items():
                total[name] = total.get(name, 0) + sign * amount
        for port in resources.host_ports(pod):
            self.ports[port] += sign
        self.ports = +self.ports
        self.owners[owner_of(pod)] += sign


def place(node: Node, pods: Iterable[Pod] = ()) -> Place:
    """A node with these pods on it."""
    found = Place(node, resources.amounts(node.status.allocatable or node.status.capacity))
    for pod in pods:
        found.put(pod)
    return found


def counts_alike(old: Pod | None, new: Pod) -> bool:
    """Whether a pod takes up what it did: mostly it is but its status that has changed."""
    return old is not None and old.spec == new.spec and owner_of(old) == owner_of(new)


class Board:
    """All places by node name. Pods of a node not seen yet wait until it is."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._where: dict[Key, str] = {}
        self._early: dict[str, dict[Key, Pod]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def places(self) -> list[Place]:
        return [*self._places.values()]

    def place(self, name: str) -> Place | None:
        return self._places.get(name)

    def put_node(self, node: Node) -> Place:
        """Take in a node or what changed of it, with the pods that are on it."""
        old = self._places.get(node.metadata.name)
        pods = old.pods if old else self._early.pop(node.metadata.name, {})
        found = self._places[node.metadata.name] = place(node, pods.values())
        return found

    def drop_node(self, name: str) -> None:
        gone = self._places.pop(name, None)
        if gone is not None and gone.pods:
            self._early[name] = gone.pods

    def put_pod(self, pod: Pod, node: str) -> None:
        """Place a pod, or what changed of it, on a node."""
        key, found = key_of(pod), self._places.get(node)
        if found is not None and self._where.get(key) == node and counts_alike(found.pods.get(key), pod):
            found.pods[key] = pod
            return
        self.drop_pod(key)
        self._where[key] = node
        if (found := self._places.get(node)) is not None:
            found.put(pod)
        else:
            self._early.setdefault(node, {})[key_of(pod)] = pod

    def drop_pod(self, key: Key) -> None:
        node = self._where.pop(key, None)
        if node is None:
            return
        if (found := self._places.get(node)) is not None:
            found.take(key)
        else:
            self._early.get(node, {}).pop(key, None)

    def node_of(self, key: Key) -> str | None:
        return self._where.get(key)
