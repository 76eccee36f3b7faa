"""What one pass over a CronJob does: `plan` reads a snapshot and decides. Pure; called by `cronjob.sync`.

Keeps true: a Job's name follows from the time it is for, so no time has two Jobs; of all times that were missed only
the last is made up for, and only within the deadline.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from knarr.kinds.job import end_of
from knarr.kinds.types.batch_v1 import CronJob, CronJobStatus, Job, JobSpec
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.revisions import controller_reference
from knarr.loop.steps import Delete, Event, Note, Step
from knarr.meta import clock, cron

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MARGIN = timedelta(milliseconds=100)  #: after a time is due, so that it is never looked at too early
MANY = 100  #: missed times that are worth a warning
TOO_MANY = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
FORBIDDEN = "Not starting job because prior execution is running and concurrency policy is Forbid"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: `steps` in order, then to create `start` if there is one. `status` is what holds before that."""

    status: CronJobStatus
    steps: list[Step] = field(default_factory=list)
    start: Job | None = None
    at: datetime | None = None  #: the time that `start` is for
    again: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """The last time that has come and was not served, None when there is none; whether there are many before it."""

    last: datetime | None = None
    many: bool = False


def plan(
    cronjob: CronJob, jobs: Sequence[Job], now: datetime, missing: Set[str] = frozenset(), rescheduled: bool = False
) -> Plan:
    """This pass's steps. `missing` are the uids of active Jobs that are no more; a schedule that was just changed
    makes up for nothing that it would have had before."""
    cleanup = surplus(cronjob, jobs)
    status, events = observed(cronjob, jobs, missing)
    gone = {step.obj.metadata.uid for step in cleanup}
    status = replace(status, active=[job for job in status.active if job.uid not in gone])
    result = Plan(status, [*cleanup, *events])
    if cronjob.metadata.deletionTimestamp:
        return result
    zone, schedule = zone_of(cronjob), schedule_of(cronjob)
    if isinstance(zone, Event):
        result.steps.append(zone)
        return result
    if cronjob.spec.suspend:
        return result
    if isinstance(schedule, Event):
        result.steps.append(schedule)
        return result
    again = next_time(cronjob, schedule, zone, now)
    if rescheduled:
        return Plan(status, result.steps, again=again)
    try:
        due = missed(schedule, earliest(cronjob, now), now, zone)
    except ValueError as error:
        message = f"invalid schedule: {cronjob.spec.schedule} : {error}"
        result.steps.append(Event(cronjob, "Warning", "InvalidSchedule", message))
        return result
    if due.many:
        result.steps.append(Event(cronjob, "Warning", "TooManyMissedTimes", TOO_MANY))
    if due.last is None:
        return Plan(status, result.steps, again=again)
    return started(cronjob, jobs, Plan(status, result.steps, again=again), due.last, now, zone)


# What has become of Jobs


def observed(cronjob: CronJob, jobs: Iterable[Job], missing: Set[str]) -> tuple[CronJobStatus, list[Step]]:
    """The status with what ended or went missing taken off the active Jobs, and what is told of that."""
    status = cronjob.status
    active = {job.uid: job for job in status.active}
    successful = status.lastSuccessfulTime
    events: list[Step] = []
    for job in jobs:
        end, uid = end_of(job), job.metadata.uid
        if uid not in active and not end:
            message = f"Saw a job that the controller did not create or forgot: {job.metadata.name}"
            events.append(Event(cronjob, "Warning", "UnexpectedJob", message))
        elif uid in active and end:
            del active[uid]
            message = f"Saw completed job: {job.metadata.name}, status: {end}"
            events.append(Event(cronjob, "Normal", "SawCompletedJob", message))
        if end == "Complete" and job.status.completionTime:
            successful = max(successful, job.status.completionTime)
    lost = [job for uid, job in active.items() if uid in missing]
    events += [Event(cronjob, "Normal", "MissingJob", f"Active job went missing: {job.name}") for job in lost]
    left = [job for uid, job in active.items() if uid not in missing]
    return replace(status, active=left, lastSuccessfulTime=successful), events


def surplus(cronjob: CronJob, jobs: Iterable[Job]) -> list[Delete]:
    """Delete what the history has beyond its limits, what began first first."""
    ended: dict[str, list[Job]] = {"Complete": [], "Failed": []}
    for job in sorted(jobs, key=lambda job: (not job.status.startTime, job.status.startTime, job.metadata.name)):
        if (end := end_of(job)) in ended:
            ended[end].append(job)
    limits = {"Complete": cronjob.spec.successfulJobsHistoryLimit, "Failed": cronjob.spec.failedJobsHistoryLimit}
    return [
        delete(cronjob, job, "beyond the history's limit")
        for end, limit in limits.items()
        if limit is not None
        for job in ended[end][: max(0, len(ended[end]) - limit)]
    ]


def delete(cronjob: CronJob, job: Job, reason: str) -> Delete:
    note = Note(cronjob, ("SuccessfulDelete", "Deleted job {name}"), ("FailedDelete", "Deleted job: {error}"))
    return Delete(job, reason, note, propagation="Background")


# When the next one is due


def zone_of(cronjob: CronJob) -> tzinfo | Event:
    """The time zone of the schedule's clock; what to tell when it is none."""
    name = cronjob.spec.timeZone
    try:
        return ZoneInfo(name) if name else UTC
    except (OSError, KeyError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        message = f'invalid timeZone: "{name}": unknown time zone {name}'
        return Event(cronjob, "Warning", "UnknownTimeZone", message)


def schedule_of(cronjob: CronJob) -> cron.Schedule | Event:
    """The schedule; what to tell when it is none."""
    try:
        return cron.parse(cronjob.spec.schedule)
    except ValueError as error:
        message = f'unparseable schedule: "{cronjob.spec.schedule}" : {error}'
        return Event(cronjob, "Warning", "UnparseableSchedule", message)


def earliest(cronjob: CronJob, now: datetime) -> datetime:
    """After when a time may still be served: the last that was, or the CronJob's creation; none past the deadline."""
    since = clock.parse(cronjob.status.lastScheduleTime or cronjob.metadata.creationTimestamp)
    seconds = cronjob.spec.startingDeadlineSeconds
    return since if seconds is None else max(since, now - timedelta(seconds=seconds))


def missed(schedule: cron.Schedule, since: datetime, now: datetime, zone: tzinfo) -> Due:
    """The last time due since then. How many there were is estimated from the distance of the first two."""
    first = schedule.next(since, zone)
    if first is not None and now < first:
        return Due()
    second = schedule.next(first, zone) if first is not None else None
    if first is None or second is None:
        raise ValueError("time difference between two schedules is less than 1 second")
    count = (now - first) // (second - first) + 1
    return Due(schedule.latest(since, now, zone), count > MANY)


def next_time(cronjob: CronJob, schedule: cron.Schedule, zone: tzinfo, now: datetime) -> datetime | None:
    """When to look again: a moment after the next time is due."""
    since = clock.parse(cronjob.status.lastScheduleTime or cronjob.metadata.creationTimestamp)
    coming = schedule.next(schedule.latest(since, now, zone) or since, zone)
    return coming + MARGIN if coming is not None else None


# Starting


def started(cronjob: CronJob, jobs: Iterable[Job], so_far: Plan, at: datetime, now: datetime, zone: tzinfo) -> Plan:
    """The plan with the Job for a time that is due, unless something keeps it from being started."""
    spec, status, steps = cronjob.spec, so_far.status, list(so_far.steps)
    deadline = spec.startingDeadlineSeconds
    if deadline is not None and at + timedelta(seconds=deadline) < now:
        when = at.strftime("%a, %d %b %Y %H:%M:%S +0000")
        steps.append(Event(cronjob, "Warning", "MissSchedule", f"Missed scheduled time to start a job: {when}"))
        return Plan(status, steps, again=so_far.again)
    name = job_name(cronjob, at)
    if any(job.name == name for job in status.active) or status.lastScheduleTime == clock.timestamp(at):
        return so_far
    if spec.concurrencyPolicy == "Forbid" and status.active:
        steps.append(Event(cronjob, "Normal", "JobAlreadyActive", FORBIDDEN))
        return Plan(status, steps, again=so_far.again)
    if spec.concurrencyPolicy == "Replace":
        by_uid = {job.metadata.uid: job for job in jobs}
        running = [by_uid[job.uid] for job in status.active if job.uid in by_uid]
        steps += [delete(cronjob, job, "replaced") for job in running]
        gone = {job.metadata.uid for job in running}
        status = replace(status, active=[job for job in status.active if job.uid not in gone])
    return Plan(status, steps, new_job(cronjob, at, zone), at, so_far.again)


def job_name(cronjob: CronJob, at: datetime) -> str:
    """The name of the Job for a time: the CronJob's and the time in minutes since the epoch."""
    return f"{cronjob.metadata.name}-{int(at.timestamp()) // 60}"


def new_job(cronjob: CronJob, at: datetime, zone: tzinfo) -> Job:
    """The Job for a time."""
    template = cronjob.spec.jobTemplate
    meta = template.metadata
    local = at.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Job(
        metadata=ObjectMeta(
            name=job_name(cronjob, at),
            namespace=cronjob.metadata.namespace,
            labels=meta.labels,
            annotations={**meta.annotations, SCHEDULED: local},
            ownerReferences=[controller_reference(cronjob)],
        ),
        spec=template.spec or JobSpec(),
    )
