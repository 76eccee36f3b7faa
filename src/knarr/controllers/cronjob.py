"""CronJob: a Job whenever its schedule says so.

`sync` takes one snapshot, has `cronjob_plan.plan` decide, carries the steps out, creates the Job that is due and writes
the status. What stops between these two leaves a Job whose name says what time it is for, which the next pass finds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from knarr.controllers.cronjob_plan import Plan, plan
from knarr.kinds.job import end_of
from knarr.kinds.types.batch_v1 import CronJob, CronJobStatus, Job
from knarr.loop.claims import controller_of
from knarr.loop.executor import carry_out, is_namespace_ending
from knarr.loop.runner import Context, Controller, Key, Source, controlled_by, itself
from knarr.loop.steps import Event, reference
from knarr.loop.written import Written
from knarr.meta import clock
from knarr.meta.errors import AlreadyExists, ApiError, NotFound

AT_ONCE = 50  #: CronJobs: schedules are round, so many are due in the same moment


@dataclass
class CronMemory:
    """What the controller wrote, and the schedule that it followed last for each CronJob, with its uid."""

    written: Written = field(default_factory=Written)
    schedules: dict[Key, tuple[str, str, str]] = field(default_factory=dict)

    def forget(self, key: Key) -> None:
        self.written.forget(key)
        self.schedules.pop(key, None)

    def is_rescheduled(self, key: Key, cronjob: CronJob) -> bool:
        """Whether the schedule is another than in the pass before."""
        current = (cronjob.metadata.uid, cronjob.spec.schedule, cronjob.spec.timeZone)
        before = self.schedules.get(key, current)
        self.schedules[key] = current
        return before[0] == current[0] and before != current


def controller() -> Controller:
    """The controller, with memory of its own."""
    memory = CronMemory()

    async def sync_one(key: Key, context: Context) -> datetime | None:
        return await sync(key, context, memory)

    return Controller(
        name="cronjob",
        sources=[Source(CronJob, itself), Source(Job, controlled_by("CronJob"), matters=starts_or_ends)],
        sync=sync_one,
        workers=AT_ONCE,
    )


def starts_or_ends(old: Job, new: Job) -> bool:
    """Whether a change of a Job is one that its CronJob follows."""
    return end_of(old) != end_of(new) or controller_of(old) != controller_of(new)


async def sync(key: Key, context: Context, memory: CronMemory) -> datetime | None:
    """Start what is due, and follow what was started; give when to look again."""
    namespace, name = key
    cronjob = context.cache(CronJob).get(name, namespace)
    if cronjob is None:
        memory.forget(key)
        return None
    if memory.written.is_newer(key, cronjob):
        return None  # the newer one wakes the key when it comes
    jobs = context.cache(Job).by_index("owner", cronjob.metadata.uid)
    if has_unexpected(cronjob, jobs):
        cronjob = await context.api.get(CronJob, name, namespace)
    found, missing = await look_up(context, cronjob, jobs)
    planned = plan(cronjob, [*jobs, *found], clock.now(), missing, memory.is_rescheduled(key, cronjob))
    await carry_out(context.api, planned.steps, context.recorder)
    status = await start(context, cronjob, planned)
    if status != cronjob.status:
        written = await context.api.update(replace(cronjob, status=status), subresource="status")
        memory.written.note(key, written)
    return planned.again


def has_unexpected(cronjob: CronJob, jobs: Iterable[Job]) -> bool:
    """Whether a Job is at work that the status does not name: the status may be older than the Job."""
    active = {job.uid for job in cronjob.status.active}
    return any(job.metadata.uid not in active and not end_of(job) for job in jobs)


async def look_up(context: Context, cronjob: CronJob, jobs: Sequence[Job]) -> tuple[list[Job], set[str]]:
    """The active Jobs that the cache does not show, as the server has them, and the uids of those that are no more."""
    known = {job.metadata.uid for job in jobs}
    found, missing = [], set()
    for active in cronjob.status.active:
        if active.uid in known:
            continue
        try:
            job = await context.api.get(Job, active.name, cronjob.metadata.namespace)
        except NotFound:
            missing.add(active.uid)
            continue
        if job.metadata.uid == active.uid:
            found.append(job)
        else:
            missing.add(active.uid)
    return found, missing


async def start(context: Context, cronjob: CronJob, planned: Plan) -> CronJobStatus:
    """Create the Job that is due, if one is; give the status with it."""
    if planned.start is None or planned.at is None:
        return planned.status
    try:
        job = await context.api.create(planned.start)
        told = Event(cronjob, "Normal", "SuccessfulCreate", f"Created job {job.metadata.name}")
        await carry_out(context.api, [told], context.recorder)
    except AlreadyExists:
        job = await context.api.get(Job, planned.start.metadata.name, cronjob.metadata.namespace)
        owner = controller_of(job)
        if owner is None or owner.uid != cronjob.metadata.uid:
            return planned.status  # a stranger's: it says nothing about this schedule
    except ApiError as error:
        if not is_namespace_ending(error):
            told = Event(cronjob, "Warning", "FailedCreate", f"Error creating job: {error}")
            await carry_out(context.api, [told], context.recorder)
        raise
    active = [*(each for each in planned.status.active if each.uid != job.metadata.uid), reference(job)]
    return replace(planned.status, active=active, lastScheduleTime=clock.timestamp(planned.at))
