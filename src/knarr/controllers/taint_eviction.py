"""Taint eviction: pods leave a node whose NoExecute taints they do not tolerate, or no longer.

Keeps true: a pod is deleted once a taint it does not tolerate is on its node, or once the shortest of its limited
tolerations has run out since the taint came, or the pod; a taint that goes in time spares it, and that is told. When a
taint came that does not say so itself is remembered from when it was first seen.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from knarr.kinds.placement import is_for
from knarr.kinds.pod import disrupted
from knarr.kinds.types.core_v1 import Node, Pod, Taint, Toleration
from knarr.loop import pods_by_node
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Delete, Event, Patch, Step, Wait
from knarr.meta import clock

NO_EXECUTE = "NoExecute"
Mark = tuple[str, str, str]  #: a taint: its node's uid, its key and value


def undated(node: Node, before: Mapping[Mark, datetime], now: datetime) -> dict[Mark, datetime]:
    """Since when a node has had those of its taints that do not say so, from what was known before."""
    marks = [mark(node, taint) for taint in node.spec.taints if taint.effect == NO_EXECUTE and not taint.timeAdded]
    return {each: before.get(each, now) for each in marks}


def dated(node: Node, since: Mapping[Mark, datetime]) -> Node:
    """The node with the time on each of these taints."""
    if not since:
        return node
    taints = [
        replace(taint, timeAdded=clock.timestamp(since[mark(node, taint)]))
        if taint.effect == NO_EXECUTE and mark(node, taint) in since and not taint.timeAdded
        else taint
        for taint in node.spec.taints
    ]
    return replace(node, spec=replace(node.spec, taints=taints))


def mark(node: Node, taint: Taint) -> Mark:
    return node.metadata.uid, taint.key, taint.value


def plan(node: Node, pods: Sequence[Pod], now: datetime) -> Iterator[Step]:
    """What a node's taints mean for the pods on it."""
    taints = [taint for taint in node.spec.taints if taint.effect == NO_EXECUTE]
    if not taints:
        return
    for pod in pods:
        if pod.metadata.deletionTimestamp:
            continue
        leave = leaves_at(pod.spec.tolerations, taints, now, arrived(pod))
        if leave is None:
            continue
        if leave > now:
            yield Wait(pod, "tolerates its node's taints for a while", leave)
        else:
            yield from evict(pod, now)


def arrived(pod: Pod) -> str:
    """When a pod came to its node: a timestamp, or "" when that is not known."""
    times = (c.lastTransitionTime for c in pod.status.conditions if c.type == "PodScheduled" and c.status == "True")
    return next(times, "") or pod.metadata.creationTimestamp


def leaves_at(
    tolerations: Sequence[Toleration], taints: Sequence[Taint], now: datetime, arrived: str = ""
) -> datetime | None:
    """When a pod has to leave; None when it tolerates the taints for good. Who came after a taint has as long as who
    was there: its successors would otherwise come and go without end.
    """
    limits: list[datetime] = []
    for taint in taints:
        matching = [toleration for toleration in tolerations if is_for(toleration, taint)]
        if not matching:
            return now
        seconds = [t.tolerationSeconds for t in matching if t.tolerationSeconds is not None]
        if seconds:
            times = [clock.parse(text) for text in (taint.timeAdded, arrived) if text]
            since = max(times) if taint.timeAdded else now
            limits.append(since + timedelta(seconds=max(0, min(seconds))))
    return min(limits, default=None)


def evict(pod: Pod, now: datetime) -> Iterator[Step]:
    """Say why on the pod, then delete it."""
    namespace, name = pod.metadata.namespace, pod.metadata.name
    yield Event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {namespace}/{name}")
    condition = disrupted(pod, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", now)
    patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition]}}
    yield Patch(pod, patch, kind="strategic", subresource="status", reason="evicted")
    yield Delete(pod, "taint not tolerated")


def spared(waited: Collection[str], pods: Sequence[Pod], steps: Sequence[Step]) -> Iterator[Step]:
    """Tell the pods that were to leave, by their uids, and need not any more."""
    leaving = {step.obj.metadata.uid for step in steps if isinstance(step, (Wait, Delete))}
    for pod in pods:
        meta = pod.metadata
        if meta.uid in waited and meta.uid not in leaving and not meta.deletionTimestamp:
            said = f"Cancelling deletion of Pod {meta.namespace}/{meta.name}"
            yield Event(pod, "Normal", "TaintManagerEviction", said)


def controller() -> Controller:
    """The controller, which remembers which pods are to leave their nodes later, and since when taints are there."""
    waiting: dict[str, set[str]] = {}
    seen: dict[str, dict[Mark, datetime]] = {}

    async def sync(key: Key, context: Context) -> datetime | None:
        """Look at the pods of one node."""
        name, now = key[1], clock.now()
        node = context.cache(Node).get(name)
        waited, before = waiting.pop(name, set()), seen.pop(name, {})
        if node is None:
            return None
        if since := undated(node, before, now):
            seen[name] = since
        pods = pods_by_node.pods_on(context, name) if waited or is_tainted(node) else []
        steps = list(plan(dated(node, since), pods, now))
        if leaving := {step.obj.metadata.uid for step in steps if isinstance(step, Wait)}:
            waiting[name] = leaving
        return await carry_out(context.api, [*spared(waited, pods, steps), *steps], context.recorder)

    return Controller(
        name="taint-eviction",
        component="taint-eviction-controller",
        sources=[Source(Node, itself), Source(Pod, related=tainted_node)],
        sync=sync,
        indexes=[pods_by_node.INDEX],
    )


def tainted_node(pod: Pod, context: Context) -> list[Key]:
    """The node of a pod, where it has taints: without any its pods concern nobody here."""
    node = context.cache(Node).get(pod.spec.nodeName) if pod.spec.nodeName else None
    return [("", node.metadata.name)] if node is not None and is_tainted(node) else []


def is_tainted(node: Node) -> bool:
    """Whether a node has taints that pods leave for."""
    return any(taint.effect == NO_EXECUTE for taint in node.spec.taints)
