"""Taint eviction: pods leave a node whose NoExecute taints they do not tolerate, or no longer.

Keeps true: a pod is deleted once a taint it does not tolerate is on its node, or once the shortest of its limited
tolerations has run out since the taint came; a taint that goes in time spares it, and that is told.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from knarr.kinds.placement import is_for
from knarr.kinds.types.core_v1 import Node, Pod, PodCondition, Taint, Toleration
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Delete, Event, Patch, Step, Wait
from knarr.meta import clock

NO_EXECUTE = "NoExecute"


def plan(node: Node, pods: Sequence[Pod], now: datetime) -> Iterator[Step]:
    """What a node's taints mean for the pods on it."""
    taints = [taint for taint in node.spec.taints if taint.effect == NO_EXECUTE]
    if not taints:
        return
    for pod in pods:
        if pod.metadata.deletionTimestamp:
            continue
        leave = leaves_at(pod.spec.tolerations, taints, now)
        if leave is None:
            continue
        if leave > now:
            yield Wait(pod, "tolerates its node's taints for a while", leave)
        else:
            yield from evict(pod, now)


def leaves_at(tolerations: Sequence[Toleration], taints: Sequence[Taint], now: datetime) -> datetime | None:
    """When a pod has to leave; None when it tolerates the taints for good."""
    limits: list[datetime] = []
    for taint in taints:
        matching = [toleration for toleration in tolerations if is_for(toleration, taint)]
        if not matching:
            return now
        seconds = [t.tolerationSeconds for t in matching if t.tolerationSeconds is not None]
        if seconds:
            since = clock.parse(taint.timeAdded) if taint.timeAdded else now
            limits.append(since + timedelta(seconds=max(0, min(seconds))))
    return min(limits, default=None)


def evict(pod: Pod, now: datetime) -> Iterator[Step]:
    """Say why on the pod, then delete it."""
    namespace, name = pod.metadata.namespace, pod.metadata.name
    yield Event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {namespace}/{name}")
    condition = PodCondition(
        type="DisruptionTarget",
        status="True",
        reason="DeletionByTaintManager",
        message="Taint manager: deleting due to NoExecute taint",
        lastTransitionTime=clock.timestamp(now),
        observedGeneration=pod.metadata.generation,
    )
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
    """The controller, which remembers which pods are to leave their nodes later."""
    waiting: dict[str, set[str]] = {}

    async def sync(key: Key, context: Context) -> datetime | None:
        """Look at the pods of one node."""
        name = key[1]
        node = context.cache(Node).get(name)
        waited = waiting.pop(name, set())
        if node is None:
            return None
        pods = context.cache(Pod).by_index("node", name)
        steps = list(plan(node, pods, clock.now()))
        if leaving := {step.obj.metadata.uid for step in steps if isinstance(step, Wait)}:
            waiting[name] = leaving
        return await carry_out(context.api, [*spared(waited, pods, steps), *steps], context.recorder)

    return Controller(
        name="taint-eviction",
        component="taint-eviction-controller",
        sources=[Source(Node, itself), Source(Pod, node_of)],
        sync=sync,
        indexes=[(Pod, "node", lambda pod: [pod.spec.nodeName] if pod.spec.nodeName else [])],
    )


def node_of(pod: Pod) -> list[Key]:
    return [("", pod.spec.nodeName)] if pod.spec.nodeName else []
