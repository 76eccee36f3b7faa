"""Pod garbage collection: pods that nobody else will see to their end.

Keeps true: no pod stays bound to a node that is no more; no pod that is being deleted waits for a node it never got;
at most `THRESHOLD` finished pods are kept: those that were evicted go first, then the oldest. A pod that never ended is
first said to have failed, then deleted at once: nobody is left to confirm its end.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from knarr.client.api import Api
from knarr.kinds.pod import disrupted
from knarr.kinds.types.core_v1 import Node, Pod, PodCondition
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Enqueue, Key, Source
from knarr.loop.steps import Delete, Patch, Step, Wait
from knarr.meta import clock
from knarr.meta.errors import NotFound

THRESHOLD = 12500  #: finished pods kept (upstream's --terminated-pod-gc-threshold)
PERIOD = 20.0  #: seconds between two looks
QUARANTINE = timedelta(seconds=40)  #: how long a node must be gone before its pods are
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"

EVERYTHING: Key = ("", "pods")


def missing_since(
    before: Mapping[str, datetime], pods: Sequence[Pod], nodes: Collection[Node], now: datetime
) -> dict[str, datetime]:
    """Since when each node that pods name has been missing, from what was known before."""
    missing = {pod.spec.nodeName for pod in pods} - {node.metadata.name for node in nodes} - {""}
    return {name: before.get(name, now) for name in missing}


def plan(
    pods: Sequence[Pod], nodes: Collection[Node], missing: Mapping[str, datetime], now: datetime
) -> Iterator[Step]:
    """One look at all pods."""
    dead = {node.metadata.name for node in nodes if is_out_of_service(node)}
    ended: list[Pod] = []
    for pod in pods:
        node = pod.spec.nodeName
        if node in missing:
            until = missing[node] + QUARANTINE
            yield from orphan(pod, now) if until <= now else [Wait(pod, f"node {node} is missing", until)]
        elif pod.metadata.deletionTimestamp and (not node or node in dead):
            yield from end(pod, f"node {node} is out of service" if node else "never had a node")
        elif pod.status.phase in ("Failed", "Succeeded") and not pod.metadata.deletionTimestamp:
            ended.append(pod)
    ended.sort(key=lambda pod: (not was_evicted(pod), pod.metadata.creationTimestamp, pod.metadata.name))
    for pod in ended[: max(0, len(ended) - THRESHOLD)]:
        yield Delete(pod, "finished long ago", grace=0)


def orphan(pod: Pod, now: datetime) -> Iterator[Step]:
    """End a pod whose node is gone."""
    condition = disrupted(pod, "DeletionByPodGC", "PodGC: node no longer exists", now)
    yield from end(pod, "its node is gone", condition)


def end(pod: Pod, why: str, *conditions: PodCondition) -> Iterator[Step]:
    """Say that a pod failed, as nobody else will, and delete it at once."""
    if pod.status.phase not in ("Failed", "Succeeded"):
        status: dict[str, object] = {"phase": "Failed"} | ({"conditions": conditions} if conditions else {})
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": status}
        yield Patch(pod, patch, kind="strategic", subresource="status", reason=why)
    yield Delete(pod, why, grace=0)


def was_evicted(pod: Pod) -> bool:
    """Whether a node has thrown the pod out: such pods are the first to go."""
    return pod.status.phase == "Failed" and pod.status.reason == "Evicted"


def is_out_of_service(node: Node) -> bool:
    """Whether somebody has said that a node that is not ready will not come back."""
    ready = any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)
    return not ready and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def controller() -> Controller:
    """The controller, with its memory of missing nodes; one look at everything when something changed, but none within
    `PERIOD` of the last, and when one is due."""
    missing: dict[str, datetime] = {}
    changed = asyncio.Event()

    async def sync(key: Key, context: Context) -> datetime | None:
        nonlocal missing
        pods, nodes = context.cache(Pod).list(), context.cache(Node).list()
        now = clock.now()
        missing = missing_since(missing, pods, nodes, now)
        for name in [name for name, since in missing.items() if since + QUARANTINE <= now]:
            if await is_there(context.api, name):
                missing[name] = now  # the cache will show it
        return await carry_out(context.api, plan(pods, nodes, missing, now), context.recorder)

    def observe(old: Pod | Node | None, new: Pod | Node | None) -> None:
        changed.set()

    async def look_regularly(context: Context, wake: Enqueue) -> None:
        while True:
            changed.clear()
            wake(EVERYTHING)
            await asyncio.sleep(PERIOD)
            await changed.wait()

    return Controller(
        name="pod-garbage-collector",
        sources=[Source(Pod, stranded), Source(Node)],
        sync=sync,
        background=look_regularly,
        observe=observe,
    )


async def is_there(api: Api, node: str) -> bool:
    """Whether the server has a node. It is asked before pods end for want of theirs: what a late cache does not show
    may run them."""
    try:
        await api.get(Node, node)
    except NotFound:
        return False
    return True


def stranded(pod: Pod) -> list[Key]:
    """A pod that is being deleted without ever having had a node need not wait for the next look."""
    return [EVERYTHING] if pod.metadata.deletionTimestamp and not pod.spec.nodeName else []
