"""Node life cycle: what is said of a node that has fallen silent, and the taints that follow from what is said.

Keeps true: a node whose lease and status have not moved for the grace period is Ready Unknown, and so are its pods not
ready; a node's conditions show in its taints, so that the scheduler and `taint_eviction` need look at taints only. What
counts is when this controller saw the node move, never the node's own clock. How fast the nodes that are not ready lose
their pods is `node_zones`'.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from knarr.controllers.node_zones import Zones
from knarr.kinds.types.coordination_v1 import Lease
from knarr.kinds.types.core_v1 import Node, NodeCondition, ObjectReference, Pod, PodCondition, Taint
from knarr.loop import pods_by_node
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Event, Patch, Step, Wait
from knarr.meta import clock

HEARTBEAT = 10.0  #: seconds between two of a node
GRACE = 5  #: heartbeats: upstream's --node-monitor-grace-period, 50 seconds
STARTUP_GRACE = 6  #: heartbeats, for a node that has never said anything
LEASES = "kube-node-lease"

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
#: condition -> status -> the taint it brings
CONDITION_TAINTS: Mapping[str, Mapping[str, str]] = {
    "Ready": {"False": NOT_READY, "Unknown": UNREACHABLE},
    "MemoryPressure": {"True": "node.kubernetes.io/memory-pressure"},
    "DiskPressure": {"True": "node.kubernetes.io/disk-pressure"},
    "PIDPressure": {"True": "node.kubernetes.io/pid-pressure"},
    "NetworkUnavailable": {"True": "node.kubernetes.io/network-unavailable"},
}
READY_KEYS = (NOT_READY, UNREACHABLE)
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


def renewed(before: Sign, lease: Lease, now: datetime) -> Sign:
    """The last sign of life when a lease is seen, from what was seen before."""
    time, heartbeat = before.mark
    return before if lease.spec.renewTime in ("", time) else Sign((lease.spec.renewTime, heartbeat), now)


def condition(node: Node, type_: str) -> NodeCondition | None:
    return next((found for found in node.status.conditions if found.type == type_), None)


def readiness(node: Node) -> str:
    """True, False or Unknown."""
    ready = condition(node, "Ready")
    return ready.status if ready is not None else "Unknown"


def plan(
    node: Node,
    pods: Iterable[Pod],
    last: Sign,
    turn: Callable[[], datetime | None],
    now: datetime,
    heartbeat: float = HEARTBEAT,
    *,
    spared: bool = False,
) -> Iterator[Step]:
    """What a node's silence or conditions ask for. `turn` gives from when its pods may go, None for not at all;
    `spared`: they may stay even if they were told to go. `heartbeat` is how many seconds lie between two of a node."""
    deadline = last.seen + timedelta(seconds=heartbeat * (GRACE if condition(node, "Ready") else STARTUP_GRACE))
    if deadline <= now:
        yield from declare_silent(node, now)
    else:
        yield Wait(node, "alive", deadline)
    if deadline <= now or readiness(node) == "Unknown":
        yield from mark_unready(pods, now)
    said = replace(node, status=replace(node.status, conditions=silent(node, now))) if deadline <= now else node
    yield from taint(node, said, turn, now, spared=spared)


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


def mark_unready(pods: Iterable[Pod], now: datetime) -> Iterator[Step]:
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


def taint(
    node: Node, said: Node, turn: Callable[[], datetime | None], now: datetime, *, spared: bool
) -> Iterator[Step]:
    """Bring the node's taints in line with what is said of it. Its pods go when all can see that it is not ready: then
    it counts among those of its zone."""
    told = any(found.key in READY_KEYS and found.effect == "NoExecute" for found in node.spec.taints)
    evict = told and not spared
    if not told and not spared and readiness(node) != "True" and (due := turn()) is not None:
        evict = due <= now
        if not evict:
            yield Wait(node, "its pods may stay until other nodes' have gone", due)
    taints = wanted_taints(said, evict, now)
    if taints != said.spec.taints:
        metadata = {"uid": node.metadata.uid}
        if all(found in node.status.conditions for found in said.status.conditions):  # else they are being written now
            metadata["resourceVersion"] = node.metadata.resourceVersion  # a taint that came meanwhile is not lost
        patch = {"metadata": metadata, "spec": {"taints": taints or None}}
        reason = ", ".join(f"{t.key}:{t.effect}" for t in taints) or "no taints"
        yield Patch(node, patch, reason=reason)


def wanted_taints(node: Node, evict: bool, now: datetime) -> list[Taint]:
    """The node's own taints and those its conditions bring; taints that stand keep their time."""
    wanted = [(key, "NoSchedule") for key in condition_keys(node)]
    ready_key = CONDITION_TAINTS["Ready"].get(readiness(node), "")
    standing = {(t.key, t.effect) for t in node.spec.taints}
    if ready_key and evict:
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


# Running it


class Lifecycle:
    """The controller's memory: the nodes' last signs of life, and how their zones are."""

    def __init__(self, heartbeat: float = HEARTBEAT) -> None:
        self._heartbeat = heartbeat
        self._signs: dict[str, Sign] = {}
        self._zones = Zones()
        self._stirred: set[str] = set()

    def observe(self, old: object, new: object) -> None:
        """Note that a lease was renewed: that wakes nobody, the node is looked at when its grace might be over; and how
        a node's change leaves its zone."""
        if isinstance(new, Lease) and (before := self._signs.get(new.metadata.name)) is not None:
            self._signs[new.metadata.name] = renewed(before, new, clock.now())
        if isinstance(old, Node) or isinstance(new, Node):
            was_down = self._zones.down
            self._stirred = self._zones.observe(as_node(old), as_node(new))
            if was_down and not self._zones.down:  # this end was cut off: who is silent has its grace anew
                now = clock.now()
                self._signs = {name: Sign(last.mark, now) for name, last in self._signs.items()}

    def stirred(self, node: Node, context: Context) -> list[Key]:
        """The nodes whose zone's state the last change of a node made another one."""
        names, self._stirred = self._stirred, set()
        return [("", name) for name in sorted(names)]

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

        def pods() -> Iterator[Pod]:  # asked for of a silent node alone
            yield from pods_by_node.pods_on(context, name)

        def turn() -> datetime | None:
            return self._zones.turn(node, now)

        steps = plan(node, pods(), last, turn, now, self._heartbeat, spared=self._zones.down)
        return await carry_out(context.api, steps, context.recorder)


def controller(heartbeat: float = HEARTBEAT) -> Controller:
    """The controller of nodes that renew their leases every so many seconds."""
    lifecycle = Lifecycle(heartbeat)
    return Controller(
        name="node-lifecycle",
        component="node-controller",
        sources=[
            Source(Node, itself, related=lifecycle.stirred),
            Source(Lease, node_of_lease, namespace=LEASES, matters=never),
            Source(Pod, related=unheard_node, matters=changes_node),
        ],
        sync=lifecycle.sync,
        observe=lifecycle.observe,
        indexes=[pods_by_node.INDEX],
    )


def reference_to(name: str) -> ObjectReference:
    """A node that is no more, as events name it."""
    return ObjectReference(apiVersion="v1", kind="Node", name=name, uid=name)


def as_node(obj: object) -> Node | None:
    return obj if isinstance(obj, Node) else None


def never(old: Lease, new: Lease) -> bool:
    """A renewal changes nothing but how long the node may be silent from now on."""
    return False


def node_of_lease(lease: Lease) -> list[Key]:
    return [("", lease.metadata.name)]


def changes_node(old: Pod, new: Pod) -> bool:
    """Whether a pod comes to a node. What else changes wakes nobody: a pod's node, when it is alive after all, says of
    each pod that it is ready as soon as it is told otherwise, and the two would answer one another without end."""
    return old.spec.nodeName != new.spec.nodeName


def unheard_node(pod: Pod, context: Context) -> list[Key]:
    """The pod's node, if nothing is heard of it: to the others a pod more makes no difference."""
    node = context.cache(Node).get(pod.spec.nodeName) if pod.spec.nodeName else None
    return [("", node.metadata.name)] if node is not None and readiness(node) == "Unknown" else []
