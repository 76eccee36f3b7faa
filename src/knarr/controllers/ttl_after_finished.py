"""Deletes Jobs, and with them their pods, when they have been over for as long as their spec says."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from knarr.kinds.job import end_of
from knarr.kinds.types.batch_v1 import Job, JobSpec
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Delete, Step, Wait
from knarr.meta import clock
from knarr.meta.errors import NotFound


def plan(job: Job, now: datetime) -> list[Step]:
    """Delete the Job, or wait until it is to be deleted."""
    seconds = (job.spec or JobSpec()).ttlSecondsAfterFinished
    over = next(ended(job), None)
    if seconds is None or over is None or job.metadata.deletionTimestamp:
        return []
    due = over + timedelta(seconds=seconds)
    if due > now:
        return [Wait(job, f"deleted {seconds} s after its end", due)]
    return [Delete(job, f"over for {seconds} s", propagation="Foreground")]


def ended(job: Job) -> Iterator[datetime]:
    """When the Job was over."""
    for condition in job.status.conditions:
        if condition.type in ("Complete", "Failed") and condition.status == "True" and condition.lastTransitionTime:
            yield clock.parse(condition.lastTransitionTime)


async def sync(key: Key, context: Context) -> datetime | None:
    """Delete one Job when its time has come: as the server has it, for its time to live may just have grown."""
    namespace, name = key
    job = context.cache(Job).get(name, namespace)
    if job is None:
        return None
    now = clock.now()
    steps = plan(job, now)
    if any(isinstance(step, Delete) for step in steps):
        try:
            steps = plan(await context.api.get(Job, name, namespace), now)
        except NotFound:
            return None
    return await carry_out(context.api, steps, context.recorder)


def ending(job: Job) -> Iterable[Key]:
    """The key of a Job that is over and not to stay."""
    spec = job.spec
    return itself(job) if spec is not None and spec.ttlSecondsAfterFinished is not None and end_of(job) else ()


CONTROLLER = Controller(name="ttl-after-finished", sources=[Source(Job, ending)], sync=sync)
