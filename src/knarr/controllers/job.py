"""Job: pods that run until so many have succeeded.

`sync` takes one snapshot, has `job_plan.plan` decide, carries the steps out, and counts the pods that ended in the
order that `job_counting` describes. What a pass did and the caches do not show yet is kept in `JobMemory`, so a stale
cache never makes a second pass repeat it; what is lost with the process is only how long failed pods wait.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from knarr.client.transport import TransportError
from knarr.controllers import job_counting as counting
from knarr.controllers.job_backoff import Failures
from knarr.controllers.job_counts import Snapshot
from knarr.controllers.job_plan import Plan, plan, untrack
from knarr.controllers.job_pods import TRACKING, is_managed_elsewhere, is_tracked
from knarr.controllers.job_policies import spec_of
from knarr.kinds.job import end_of
from knarr.kinds.types.batch_v1 import Job
from knarr.kinds.types.core_v1 import Pod
from knarr.loop.claims import ORPHANS, claim, orphaned_in
from knarr.loop.executor import carry_out, is_namespace_ending
from knarr.loop.expectations import PATIENCE, Expectations
from knarr.loop.expected import ensure_owner_alive
from knarr.loop.runner import Context, Controller, Key, Result, Source, itself
from knarr.loop.selecting import Selecting, by_spec
from knarr.loop.steps import Create, Delete, Step
from knarr.loop.written import Written
from knarr.meta import clock, labels
from knarr.meta.errors import ApiError, NotFound

JOBS = Selecting(Job, by_spec)
LONGEST = 60.0  #: seconds that a Job whose passes fail waits at most: upstream's MaxJobApiBackOff
PAUSE = 0.1  #: seconds between two passes over a Job whose spec is the same, so that many pods' changes share one


@dataclass
class JobMemory:
    """What the controller did that its caches do not show yet, and the failures that a Job waits for."""

    expectations: Expectations = field(default_factory=Expectations)
    released: set[str] = field(default_factory=set)  #: uids of pods whose finalizer was removed
    failures: dict[Key, tuple[str, Failures]] = field(default_factory=dict)  #: with the Job's uid
    written: Written = field(default_factory=Written)
    passes: dict[Key, tuple[float, int | None]] = field(default_factory=dict)  #: when, and over which generation

    def forget(self, key: Key) -> None:
        self.expectations.forget(key)
        self.written.forget(key)
        self.failures.pop(key, None)
        self.passes.pop(key, None)

    def observe(self, old: Pod | None, new: Pod | None) -> None:
        self.expectations.observe("Job", old, new)
        pod = new or old
        if pod is not None and (new is None or not is_tracked(pod)):
            self.released.discard(pod.metadata.uid)

    def failures_of(self, key: Key, job: Job) -> Failures:
        uid, known = self.failures.get(key, ("", Failures()))
        return known if uid == job.metadata.uid else Failures()

    def pause(self, key: Key, job: Job) -> float:
        """How long to wait for more to happen; 0 when a pass is due, which is noted."""
        now = asyncio.get_running_loop().time()
        last, generation = self.passes.get(key, (-PAUSE, None))
        if generation == job.metadata.generation and (left := last + PAUSE - now) > 0:
            return left
        self.passes[key] = (now, job.metadata.generation)
        return 0.0


def controller() -> Controller:
    """The controller, with memory of its own."""
    memory = JobMemory()

    async def sync_one(key: Key, context: Context) -> Result:
        try:
            return await sync(key, context, memory)
        except Exception:
            memory.passes.pop(key, None)  # a pause would pass for success, and the growing back-off end with it
            raise

    def observe(old: object, new: object) -> None:
        if isinstance(new or old, Pod):
            memory.observe(
                old if isinstance(old, Pod) else None,
                new if isinstance(new, Pod) else None,
            )

    return Controller(
        name="job",
        sources=[Source(Job, itself), JOBS.managed(Pod)],
        sync=sync_one,
        observe=observe,
        indexes=[(Pod, ORPHANS, orphaned_in), JOBS.index],
        longest=LONGEST,
    )


async def sync(key: Key, context: Context, memory: JobMemory) -> Result:
    """Bring one Job nearer its spec; give when to look again if no event will say."""
    namespace, name = key
    job = context.cache(Job).get(name, namespace)
    if job is None or is_managed_elsewhere(job) or end_of(job):
        memory.forget(key)
        return None
    if memory.written.is_newer(key, job):
        return None  # the newer one wakes the key when it comes
    if left := memory.pause(key, job):
        return left
    trusted = memory.expectations.satisfied(key)
    pods = await claim_pods(context, job)
    failures = memory.failures_of(key, job)
    planned = plan(Snapshot(job, pods, clock.now(), memory.released, trusted, failures))
    await ensure_owner_alive(context, key, job, planned.steps, memory.expectations)
    undone, again, failure = await act(context, key, planned, memory)
    outcome = counting.outcome(planned, undone)
    job = await write_status(context, key, job, outcome.job, memory)
    memory.failures[key] = (job.metadata.uid, planned.counts.failures)
    await carry_out(context.api, outcome.events, context.recorder)
    kept, refused = await release(context, outcome.release, memory)
    await finish(context, key, job, outcome, kept, memory)
    if (error := failure or refused) is not None:
        raise error
    patience = None if trusted else planned.snapshot.now + timedelta(seconds=PATIENCE)
    return min((when for when in (again, patience) if when is not None), default=None)


async def claim_pods(context: Context, job: Job) -> list[Pod]:
    """The Job's pods, adopted ones among them."""
    cache = context.cache(Pod)
    selector = labels.of_object(spec_of(job).selector)
    candidates = (*cache.by_index("owner", job.metadata.uid), *cache.by_index(ORPHANS, job.metadata.namespace))
    return await claim(context.api, job, candidates, lambda pod: selector.matches(pod.metadata.labels), (TRACKING,))


async def act(
    context: Context, key: Key, planned: Plan, memory: JobMemory
) -> tuple[list[Step], datetime | None, Exception | None]:
    """Carry out the plan's steps; give those that came to nothing, when to look again, and what failed."""
    creations = counting.creations(planned.steps)
    deletions = [step.obj.metadata.uid for step in planned.steps if isinstance(step, Delete)]
    if planned.snapshot.trusted and (creations or deletions):
        memory.expectations.expect(key, creations, deletions)
    undone: list[Step] = []

    def note(step: Step) -> None:
        undone.append(step)
        if isinstance(step, Create):
            memory.expectations.created(key)
        elif isinstance(step, Delete):
            memory.expectations.deleted(key, step.obj.metadata.uid)

    try:
        again = await carry_out(context.api, planned.steps, context.recorder, together=True, undone=note)
    except (ApiError, TransportError) as error:
        return undone, None, None if is_namespace_ending(error) else error
    return undone, again, None


async def write_status(context: Context, key: Key, old: Job, new: Job, memory: JobMemory) -> Job:
    """Write the Job's status if it says something new; give the Job as it is then."""
    if new.status == old.status:
        return old
    written = await context.api.update(new, subresource="status")
    memory.written.note(key, written)
    return written


async def release(
    context: Context, pods: Sequence[Pod], memory: JobMemory
) -> tuple[set[str], ApiError | TransportError | None]:
    """Remove the finalizer of pods that the status names; give the uids of those that keep it, and why one does."""
    memory.released.update(pod.metadata.uid for pod in pods)
    results = await asyncio.gather(*(release_one(context, pod) for pod in pods))
    kept: set[str] = set()
    failure: ApiError | TransportError | None = None
    for pod, error in zip(pods, results, strict=True):
        if error is None:
            continue
        memory.released.discard(pod.metadata.uid)
        if not isinstance(error, NotFound):
            kept.add(pod.metadata.uid)
            failure = error
    return kept, failure


async def release_one(context: Context, pod: Pod) -> ApiError | TransportError | None:
    """Remove one pod's finalizer; give what kept it from going."""
    try:
        await carry_out(context.api, [untrack(pod)], context.recorder)
    except (ApiError, TransportError) as error:
        return error
    return None


async def finish(
    context: Context, key: Key, job: Job, outcome: counting.Outcome, kept: set[str], memory: JobMemory
) -> None:
    """Count the pods that lost their finalizer, and end the Job when that was all."""
    gone = {pod.metadata.uid for pod in outcome.release} - kept
    after, events = counting.closed(job, outcome, gone)
    await write_status(context, key, job, after, memory)
    await carry_out(context.api, events, context.recorder)


# What wakes a Job
