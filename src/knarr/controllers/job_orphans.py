"""Frees pods that carry a Job's tracking finalizer though no Job will ever count them: those it let go, and those of a
Job that has ended or is gone. Without it they could never be deleted.
"""

from collections.abc import Iterable

from knarr.controllers.job_plan import untrack
from knarr.controllers.job_pods import is_managed_elsewhere, is_tracked
from knarr.kinds.job import end_of
from knarr.kinds.pod import is_terminating
from knarr.kinds.types.batch_v1 import Job
from knarr.kinds.types.core_v1 import Pod
from knarr.kinds.types.meta_v1 import OwnerReference
from knarr.loop.claims import controller_of
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source
from knarr.meta.errors import NotFound


def may_be_orphaned(pod: Pod, context: Context) -> Iterable[Key]:
    """The pod itself, if it is tracked and nobody manages it, or is on its way out and its Job is not at work."""
    if not is_tracked(pod):
        return []
    owner = controller_of(pod)
    if owner is not None:
        job = context.cache(Job).get(owner.name, pod.metadata.namespace)
        if not is_terminating(pod) or (job is not None and job.metadata.uid == owner.uid and not end_of(job)):
            return []
    return [(pod.metadata.namespace, pod.metadata.name)]


def tracked_pods(job: Job, context: Context) -> Iterable[Key]:
    """The pods that a Job leaves tracked when it has ended or is gone."""
    known = context.cache(Job).get(job.metadata.name, job.metadata.namespace)
    if known is not None and known.metadata.uid == job.metadata.uid and not end_of(known):
        return []
    pods = context.cache(Pod).by_index("owner", job.metadata.uid)
    return [(pod.metadata.namespace, pod.metadata.name) for pod in pods if is_tracked(pod)]


async def sync(key: Key, context: Context) -> None:
    """Free one pod, once it is sure that its Job does not count it."""
    namespace, name = key
    pod = context.cache(Pod).get(name, namespace)
    if pod is None or not is_tracked(pod):
        return
    owner = controller_of(pod)
    if owner is not None and await is_counted(owner, namespace, context):
        return
    try:
        await carry_out(context.api, [untrack(pod)], context.recorder)
    except NotFound:
        return


async def is_counted(owner: OwnerReference, namespace: str, context: Context) -> bool:
    """Whether the pod's owner is a Job that is still at work, as the server has it, or not a Job at all."""
    if (owner.kind, owner.apiVersion) != ("Job", "batch/v1"):
        return True
    try:
        job = await context.api.get(Job, owner.name, namespace)
    except NotFound:
        return False
    return job.metadata.uid == owner.uid and (is_managed_elsewhere(job) or not end_of(job))


CONTROLLER = Controller(
    name="job-orphans",
    component="job-controller",
    sources=[Source(Pod, related=may_be_orphaned), Source(Job, related=tracked_pods)],
    sync=sync,
)
