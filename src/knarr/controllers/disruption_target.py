"""Stale disruptions: a pod that was to be evicted and after two minutes still is not on its way out is no target.

Keeps true: the condition `DisruptionTarget` of a pod that lives on does not stay True, but for the kubelet's, which may
take as long as the pod takes to end.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from knarr.kinds.pod import DISRUPTION_TARGET, condition, is_active
from knarr.kinds.types.core_v1 import Pod, PodCondition
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source
from knarr.loop.steps import Patch, Step, Wait
from knarr.meta import clock

BY_KUBELET = "TerminationByKubelet"
PATIENCE = timedelta(minutes=2)


def target(pod: Pod) -> PodCondition | None:
    """The condition that may go stale."""
    found = condition(pod, DISRUPTION_TARGET)
    stays = found is None or found.status != "True" or found.reason == BY_KUBELET or not is_active(pod)
    return None if stays else found


def plan(pod: Pod, now: datetime) -> list[Step]:
    """Take back the condition once it is stale."""
    found = target(pod)
    if found is None:
        return []
    stale = clock.parse(found.lastTransitionTime) + PATIENCE if found.lastTransitionTime else now
    if stale > now:
        return [Wait(pod, "was to be evicted", stale)]
    reset = {"type": DISRUPTION_TARGET, "status": "False", "reason": None, "message": None}
    conditions = [{**reset, "lastTransitionTime": clock.timestamp(now)}]
    patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": conditions}}
    return [Patch(pod, patch, kind="strategic", subresource="status", reason="it was not evicted")]


async def sync(key: Key, context: Context) -> datetime | None:
    pod = context.cache(Pod).get(key[1], key[0])
    if pod is None:
        return None
    return await carry_out(context.api, plan(pod, clock.now()), context.recorder)


def targeted(pod: Pod) -> Iterable[Key]:
    return [(pod.metadata.namespace, pod.metadata.name)] if target(pod) is not None else ()


CONTROLLER = Controller(
    name="disruption-target", component="controllermanager", sources=[Source(Pod, targeted)], sync=sync
)
