"""Node life cycle: what is said of a node that has fallen silent, and the taints that follow from what is said.

Keeps true: a node whose lease and status have not moved for the grace period is Ready Unknown, and so are its pods not
ready; a node's conditions show in its taints, so that the scheduler and `taint_eviction` need look at taints only. What
counts is when this controller saw the node move, never the node's own clock. When every node has fallen silent it is
this end that is cut off, and nobody is evicted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from knarr.kinds.types.coordination_v1 import Lease
from knarr.kinds.types.core_v1 import Node, NodeCondition, ObjectReference, Pod, PodCondition, Taint
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Event, Patch, Step, Wait
from knarr.meta import clock

GRACE = timedelta(seconds=50)  #: upstream's --node-monitor-grace-period
STARTUP_GRACE = timedelta(seconds=60)  #: for a node that has never said anything
EVICTION_INTERVAL = timedelta(seconds=10)  #: between two nodes whose pods are to go (0.1 a second)
PARTIAL = 0.55  #: the share of silent nodes, from three on, at which a zone's pods are left where they are
LEASES = "kube-node-lease"
ZONE = "topology.kubernetes.io/zone"

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
#: condition -> status -> the taint it brings
CONDITION_TAINTS: Mapping[str, Mapping[str, str]] = {
    "Ready": {"False": NOT_READY, "Unknown": UNREACHABLE},
    "MemoryPressure": {"True": "node.kubernetes.io/memory-pressure"},
    "DiskPressure": {"True": "node.kubernetes.io/disk-pressure"},
    "PIDPressure": {"True": "node.kubernetes.io/pid-pressure"},
    "NetworkUnavailable": {"True": "node.kubernetes.io/network-unavailable"},
}
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
MANAGED = {UNSCHEDULABLE} | {key for keys in CONDITION_TAINTS.values() for key in keys.values()}
WATCHED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")  #: the conditions a silent node loses


@dataclass(frozen=True, slots=True)
class Sign:
    """The last sign of life of a node: what it was, and when this controller saw it."""

    mark: tuple[str, str]
    seen: datetime


def sign(before: Sign | None, node: Node, lease: Lease | None, now: datetime) -> Sign:
    """The last sign of life, from what was seen before."""
    ready = condition(node, "Ready")
    heartbeat = ready.lastHeartbeatTime if ready is not None and ready.status != "Unknown" else ""
    mark = (lease.spec.renewTime if lease else "", heartbeat)
    if before is None:
        return Sign(mark, now)
    if heartbeat in ("", before.mark[1]) and mark[0] in ("", before.mark[0]):
        return before
    return Sign(mark, now)


def condition(node: Node, type_: str) -> NodeCondition | None:
    return next((found for found in node.status.conditions if found.type == type_), None)


def readiness(node: Node) -> str:
    """True, False or Unknown."""
    ready = condition(node, "Ready")
    return ready.status if ready is not None else "Unknown"


def plan(
    node: Node, pods: Sequence[Pod], last: Sign, may_evict: Callable[[], datetime | None], now: datetime
) -> Iterator[Step]:
    """What a node's silence or conditions ask for. `may_evict` gives from when its pods may go, None for not at all."""
    deadline = last.seen + (GRACE if condition(node, "Ready") else STARTUP_GRACE)
    if deadline <= now:
        yield from declare_silent(node, now)
    else:
        yield Wait(node, "alive", deadline)
    if deadline <= now or readiness(node) == "Unknown":
        yield from mark_unready(pods, now)
    said = replace(node, status=replace(node.status, conditions=silent(node, now))) if deadline <= now else node
    yield from taint(node, said, may_evict, now)


def silent(node: Node, now: datetime) -> list[NodeCondition]:
    """The conditions of a node that has fallen silent."""
    others = [found for found in node.status.conditions if found.type not in WATCHED]
    return [*(unknown(node, type_, now) for type_ in WATCHED), *others]


def unknown(node: Node, type_: str, now: datetime) -> NodeCondition:
    known, when = condition(node, type_), clock.timestamp(now)
    if known is None:
        return NodeCondition(
            type=type_,
            status="Unknown",
            reason="NodeStatusNeverUpdated",
            message="Kubelet never posted node status.",
            lastHeartbeatTime=node.metadata.creationTimestamp,
            lastTransitionTime=when,
        )
    if known.status == "Unknown":
        return known
    said = "Kubelet stopped posting node status."
    return replace(known, status="Unknown", reason="NodeStatusUnknown", message=said, lastTransitionTime=when)


def declare_silent(node: Node, now: datetime) -> Iterator[Step]:
    conditions = silent(node, now)
    if all(found in node.status.conditions for found in conditions):
        return
    patch = {"metadata": {"uid": node.metadata.uid}, "status": {"conditions": conditions}}
    yield Patch(node, patch, kind="strategic", subresource="status", reason="silent")
    if readiness(node) == "True":
        name = node.metadata.name
        yield Event(node, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")


def mark_unready(pods: Sequence[Pod], now: datetime) -> Iterator[Step]:
    """Say of a silent node's pods that they are not ready, so that services let go of them."""
    for pod in pods:
        ready = next((c for c in pod.status.conditions if c.type == "Ready" and c.status == "True"), None)
        if ready is None:
            continue
        unready = PodCondition(
            type="Ready",
            status="False",
            lastTransitionTime=clock.timestamp(now),
            observedGeneration=pod.metadata.generation,
        )
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [unready]}}
        yield Patch(pod, patch, kind="strategic", subresource="status", reason="its node is silent")
        yield Event(pod, "Warning", "NodeNotReady", "Node is not ready")


def taint(node: Node, said: Node, may_evict: Callable[[], datetime | None], now: datetime) -> Iterator[Step]:
    """Bring the node's taints in line with what is said of it."""
    evict: datetime | None = None
    if readiness(said) != "True":
        evict = may_evict()
        if evict is not None and evict > now:
            yield Wait(node, "its pods may stay until other nodes' have gone", evict)
    taints = wanted_taints(said, evict is not None and evict <= now, now)
    if taints != said.spec.taints:
        metadata = {"uid": node.metadata.uid}
        patch = {"metadata": metadata, "spec": {"taints": taints or None}}
        reason = ", ".join(f"{t.key}:{t.effect}" for t in taints) or "no taints"
        yield Patch(node, patch, reason=reason)


def wanted_taints(node: Node, evict: bool, now: datetime) -> list[Taint]:
    """The node's own taints and those its conditions bring; taints that stand keep their time."""
    wanted = [(key, "NoSchedule") for key in condition_keys(node)]
    ready_key = CONDITION_TAINTS["Ready"].get(readiness(node), "")
    standing = {(t.key, t.effect) for t in node.spec.taints}
    if ready_key and (evict or (ready_key, "NoExecute") in standing):
        wanted.append((ready_key, "NoExecute"))
    kept = [t for t in node.spec.taints if t.key not in MANAGED or (t.key, t.effect) in wanted]
    new = [
        Taint(key=key, effect=effect, timeAdded=clock.timestamp(now))
        for key, effect in wanted
        if (key, effect) not in standing
    ]
    return [*kept, *new]


def condition_keys(node: Node) -> Iterator[str]:
    """The keys of the taints that a node's conditions, and its being cordoned, bring."""
    if condition(node, "Ready") is None:
        yield NOT_READY
    for found in node.status.conditions:
        if key := CONDITION_TAINTS.get(found.type, {}).get(found.status):
            yield key
    if node.spec.unschedulable:
        yield UNSCHEDULABLE


def evicts(node: Node, nodes: Sequence[Node]) -> bool:
    """Whether a node that is not ready may lose its pods: not when all, or most of its zone, are in the same state."""
    if all(readiness(other) != "True" for other in nodes):
        return False
    zone = [other for other in nodes if other.metadata.labels.get(ZONE) == node.metadata.labels.get(ZONE)]
    silent_ones = sum(readiness(other) != "True" for other in zone)
    return silent_ones <= 2 or silent_ones == len(zone) or silent_ones / len(zone) < PARTIAL


# Running it


class Lifecycle:
    """The controller's memory: the nodes' last signs of life, and the last node that was told to let its pods go."""

    def __init__(self) -> None:
        self._signs: dict[str, Sign] = {}
        self._evicted: tuple[str, datetime] | None = None

    async def sync(self, key: Key, context: Context) -> datetime | None:
        """Look at one node."""
        name, now = key[1], clock.now()
        node = context.cache(Node).get(name)
        if node is None:
            if self._signs.pop(name, None) is not None:
                said = f"Node {name} event: Removing Node {name} from Controller"
                await context.recorder.event(reference_to(name), "Normal", "RemovingNode", said)
            return None
        if name not in self._signs:
            said = f"Node {name} event: Registered Node {name} in Controller"
            await context.recorder.event(node, "Normal", "RegisteredNode", said)
        lease = context.cache(Lease, namespace=LEASES).get(name, LEASES)
        last = self._signs[name] = sign(self._signs.get(name), node, lease, now)
        pods = context.cache(Pod).by_index("node", name)

        def may_evict() -> datetime | None:
            return self._may_evict(node, context.cache(Node).list(), now)

        return await carry_out(context.api, plan(node, pods, last, may_evict, now), context.recorder)

    def _may_evict(self, node: Node, nodes: Sequence[Node], now: datetime) -> datetime | None:
        """From when a node may lose its pods: one node at a time, and none when all have fallen silent."""
        if not evicts(node, nodes):
            return None
        if self._evicted is None or self._evicted[0] == node.metadata.name:
            self._evicted = (node.metadata.name, now)
            return now
        turn = self._evicted[1] + EVICTION_INTERVAL
        if turn <= now:
            self._evicted = (node.metadata.name, now)
        return turn


def controller() -> Controller:
    return Controller(
        name="node-lifecycle",
        component="node-controller",
        sources=[
            Source(Node, itself),
            Source(Lease, node_of_lease, namespace=LEASES),
            Source(Pod, node_of_pod, matters=changes_node),
        ],
        sync=Lifecycle().sync,
        indexes=[(Pod, "node", lambda pod: [pod.spec.nodeName] if pod.spec.nodeName else [])],
    )


def reference_to(name: str) -> ObjectReference:
    """A node that is no more, as events name it."""
    return ObjectReference(apiVersion="v1", kind="Node", name=name, uid=name)


def node_of_lease(lease: Lease) -> list[Key]:
    return [("", lease.metadata.name)]


def changes_node(old: Pod, new: Pod) -> bool:
    """Whether a pod comes to a node. What else changes wakes nobody: a pod's node, when it is alive after all, says of
    each pod that it is ready as soon as it is told otherwise, and the two would answer one another without end."""
    return old.spec.nodeName != new.spec.nodeName


def node_of_pod(pod: Pod) -> list[Key]:
    return [("", pod.spec.nodeName)] if pod.spec.nodeName else []
