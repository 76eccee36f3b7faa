"""How a Job counts its pods exactly, whatever fails between two writes: first the status names the pods that ended,
then they lose their finalizer, then they are in the numbers. Pure; called by `job.sync`.

`outcome` is the status that names them, `counted` the one after their finalizers went, `ended` the one that says that
the Job has ended. A pass that stops between any two of them leaves enough for the next to go on: a pod with the
finalizer that is named is counted when it loses it, and one that is not named is not counted yet.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from msgspec.structs import replace

from knarr.controllers import job_conditions, job_indexes
from knarr.controllers.job_conditions import condition, final, suspension
from knarr.controllers.job_counts import has_place
from knarr.controllers.job_plan import Plan
from knarr.controllers.job_pods import index_of, is_failed, is_indexed
from knarr.controllers.job_policies import spec_of, verdict
from knarr.kinds.pod import is_ready
from knarr.kinds.types.batch_v1 import Job, JobCondition, JobStatus, UncountedTerminatedPods
from knarr.kinds.types.core_v1 import Pod
from knarr.loop.steps import Create, Delete, Event, Step

MOST_UNCOUNTED = 500  #: pods that one pass counts at most, so that the status stays small


@dataclass(frozen=True, slots=True)
class Outcome:
    """`job` has the status to write, `release` are the pods to lose their finalizer then, `tracked` the uids of those
    that have it until then. `end` is the condition that the Job ends with once all is counted; None when it goes on."""

    job: Job
    release: Sequence[Pod]
    tracked: Set[str]
    end: JobCondition | None
    events: list[Event] = field(default_factory=list)


def outcome(plan: Plan, undone: Sequence[Step]) -> Outcome:
    """What the Job's status says after the plan's steps, but for those that came to nothing."""
    job, now = plan.snapshot.job, plan.snapshot.now
    counts, failed = plan.counts, {id(step) for step in undone}
    deleted = [step.obj for step in plan.steps if isinstance(step, Delete) and id(step) not in failed]
    active = len(counts.active) - len(deleted) + creations(plan.steps) - creations(undone)
    end, events = plan.end, list[Event]()
    if end is not None:
        if len(deleted) != len(counts.active) or not plan.snapshot.trusted:
            end = None  # there may be pods that are not on their way out
    elif is_complete(job, counts.succeeded, active):
        end = condition("SuccessCriteriaMet", *job_conditions.REACHED, now)
    elif plan.managed:
        job, news = suspension(job, now)
        if news:
            events.append(Event(job, "Normal", news, f"Job {news.lower()}"))
    status = replace(
        job.status,
        active=active or None,
        ready=counts.ready - sum(map(is_ready, deleted)),
        terminating=len(counts.terminating) + len(deleted),
        uncountedTerminatedPods=job.status.uncountedTerminatedPods or UncountedTerminatedPods(),
    )
    if end is not None and job_conditions.found(status.conditions, end.type) is None:
        status = replace(status, conditions=[*status.conditions, end])
    return named(plan, replace(job, status=status), end, events)


def creations(steps: Sequence[Step]) -> int:
    return sum(isinstance(step, Create) for step in steps)


def is_complete(job: Job, succeeded: int, active: int) -> bool:
    """Whether enough pods have succeeded, or the one that has to, and none is left."""
    completions = spec_of(job).completions
    return not active and succeeded >= (1 if completions is None else completions)


def named(plan: Plan, job: Job, end: JobCondition | None, events: list[Event]) -> Outcome:
    """The outcome with the pods that ended named in the status, and those that are to lose their finalizer."""
    counts = plan.counts
    tracked = {pod.metadata.uid for pod in counts.tracked}
    status = counted(job.status, tracked)
    listed = status.uncountedTerminatedPods or UncountedTerminatedPods()
    succeeded, failed = list(listed.succeeded), list(listed.failed)
    known_ones = {*succeeded, *failed}
    before = job_indexes.parse(job.status.completedIndexes, spec_of(job).completions or 0)
    new_indexes: set[int] = set()
    releasable = [pod for pod in counts.tracked if may_be_released(plan, end, pod)]
    release = []
    for pod in releasable:
        release.append(pod)
        uid = pod.metadata.uid
        if pod.status.phase == "Succeeded" and uid not in listed.failed:
            if is_indexed(job):
                if has_place(job, pod) and (index := index_of(pod)) is not None and index not in before:
                    new_indexes.add(index)
            elif uid not in known_ones:
                succeeded.append(uid)
        elif uid not in known_ones and counts_as_failed(job, end, pod):
            failed.append(uid)
        if len(new_indexes) + len(succeeded) + len(failed) >= MOST_UNCOUNTED:
            break
    status = replace(status, uncountedTerminatedPods=UncountedTerminatedPods(succeeded=succeeded, failed=failed))
    if counts.successes is not None:
        status = replace(status, succeeded=len(counts.successes) or None, completedIndexes=str(counts.successes))
        status = replace(status, failedIndexes=str(counts.lost) if counts.lost is not None else "")
    finish = final(end, plan.snapshot.now) if end is not None and len(release) == len(releasable) else None
    return Outcome(replace(job, status=status), release, tracked, finish, events)


def may_be_released(plan: Plan, end: JobCondition | None, pod: Pod) -> bool:
    """Whether the pod need not be kept: it has ended and is to be counted, or the Job ends. A failed pod is kept until
    another takes over the count of its index's failures."""
    job = plan.snapshot.job
    if job.metadata.deletionTimestamp or end is not None or pod.status.phase == "Succeeded":
        return True
    if not is_failed(job, pod):
        return False
    index = index_of(pod)
    waiting = (plan.counts.replaced or {}).get(index) if index is not None else None
    return waiting is None or waiting.metadata.uid != pod.metadata.uid


def counts_as_failed(job: Job, end: JobCondition | None, pod: Pod) -> bool:
    """Whether the pod is one more failure: of a Job that fails, all that had not ended are."""
    if not has_place(job, pod) or not verdict(job, pod).counts:
        return False
    return is_failed(job, pod) or (end is not None and end.type == "FailureTarget")


def counted(status: JobStatus, tracked: Set[str]) -> JobStatus:
    """The status after named pods lost their finalizer: they are in the numbers, and named no longer."""
    listed = status.uncountedTerminatedPods or UncountedTerminatedPods()
    succeeded = [uid for uid in listed.succeeded if uid in tracked]
    failed = [uid for uid in listed.failed if uid in tracked]
    return replace(
        status,
        succeeded=((status.succeeded or 0) + len(listed.succeeded) - len(succeeded)) or None,
        failed=((status.failed or 0) + len(listed.failed) - len(failed)) or None,
        uncountedTerminatedPods=UncountedTerminatedPods(succeeded=succeeded, failed=failed),
    )


def closed(job: Job, outcome: Outcome, gone: Set[str]) -> tuple[Job, list[Event]]:
    """The Job, written as the outcome says, after these pods lost their finalizer; with what is told of its end."""
    return ended(replace(job, status=counted(job.status, outcome.tracked - gone)), outcome.end)


def ended(job: Job, end: JobCondition | None) -> tuple[Job, list[Event]]:
    """The Job as it has ended, with what is told of it; as it was, while something is not counted or not gone."""
    status = job.status
    listed = status.uncountedTerminatedPods or UncountedTerminatedPods()
    if end is None or listed.succeeded or listed.failed or status.terminating:
        return job, []
    done = end.type == "Complete"
    status = replace(
        status,
        conditions=job_conditions.ensured(status.conditions, end),
        completionTime=end.lastTransitionTime if done else status.completionTime,
    )
    events: list[Event] = []
    completions = spec_of(job).completions
    if done and completions is not None and (status.succeeded or 0) > completions:
        message = "Too many succeeded pods running after completion count reached"
        events.append(Event(job, "Warning", "TooManySucceededPods", message))
    told = Event(job, "Normal", "Completed", "Job completed")
    events.append(told if done else Event(job, "Warning", end.reason, end.message))
    return replace(job, status=status), events
