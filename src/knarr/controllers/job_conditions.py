"""How a Job's end shows in its conditions, and what brings it about. Pure; called by `job_plan` and `job_counting`.

A Job ends in two writes: FailureTarget or SuccessCriteriaMet says that it will, and why, while pods are still on their
way out or not counted; Failed or Complete says that it has.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from knarr.controllers.job_counts import Counts, Snapshot
from knarr.controllers.job_pods import is_failed, is_suspended
from knarr.controllers.job_policies import spec_of, success, verdict
from knarr.kinds.types.batch_v1 import Job, JobCondition, JobSpec
from knarr.kinds.types.core_v1 import Pod
from knarr.meta import clock

REACHED = ("CompletionsReached", "Reached expected number of succeeded pods")
BACKOFF_LIMIT = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = ("DeadlineExceeded", "Job was active longer than specified deadline")
TOO_MANY_INDEXES = ("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes")
FAILED_INDEXES = ("FailedIndexes", "Job has failed indexes")
DEFAULT_LIMIT = 6
FINAL = {"FailureTarget": "Failed", "SuccessCriteriaMet": "Complete"}


def condition(type_: str, reason: str, message: str, now: datetime, status: str = "True") -> JobCondition:
    time = clock.timestamp(now)
    return JobCondition(
        type=type_, status=status, reason=reason, message=message, lastProbeTime=time, lastTransitionTime=time
    )


def found(conditions: Iterable[JobCondition], type_: str) -> JobCondition | None:
    """The condition of that type, if it holds."""
    return next((each for each in conditions if each.type == type_ and each.status == "True"), None)


def ensured(conditions: Sequence[JobCondition], wanted: JobCondition) -> list[JobCondition]:
    """The conditions with this one, in its place if there was one of its type. What was never true is not denied."""
    if not any(each.type == wanted.type for each in conditions):
        return [*conditions, wanted] if wanted.status != "False" else list(conditions)
    return [wanted if each.type == wanted.type and not _alike(each, wanted) else each for each in conditions]


def _alike(one: JobCondition, other: JobCondition) -> bool:
    return (one.status, one.reason, one.message) == (other.status, other.reason, other.message)


def final(interim: JobCondition, now: datetime) -> JobCondition:
    """The condition that a Job ends with, from the one that said it would."""
    return condition(FINAL[interim.type], interim.reason, interim.message, now)


def ending(snapshot: Snapshot, counts: Counts) -> JobCondition | None:
    """The condition that says why the Job is to end, if something but its own completion makes it."""
    job, now = snapshot.job, snapshot.now
    for type_ in ("SuccessCriteriaMet", "FailureTarget"):
        if (known := found(job.status.conditions, type_)) is not None:
            return known
    if message := failing_pod(job, snapshot.pods):
        return condition("FailureTarget", "PodFailurePolicy", message, now)
    if (why := failure(snapshot, counts)) is not None:
        return condition("FailureTarget", *why, now)
    if counts.successes is not None and (message := success(job, counts.successes)):
        return condition("SuccessCriteriaMet", "SuccessPolicy", message, now)
    return None


def failing_pod(job: Job, pods: Iterable[Pod]) -> str:
    """What the failure policy says of a pod that fails the whole Job; "" when none does."""
    if spec_of(job).podFailurePolicy is None:
        return ""
    messages = (verdict(job, pod).message for pod in pods if is_failed(job, pod))
    return next(filter(None, messages), "")


def failure(snapshot: Snapshot, counts: Counts) -> tuple[str, str] | None:
    """Which limit the Job has passed."""
    job, spec = snapshot.job, spec_of(snapshot.job)
    if counts.failed > limit_of(spec) or restarts_too_often(job, snapshot.pods):
        return BACKOFF_LIMIT
    due = deadline(job, snapshot.now)
    if due is not None and due <= snapshot.now:
        return DEADLINE
    if counts.lost is None or counts.successes is None:
        return None
    lost = len(counts.lost)
    if spec.maxFailedIndexes is not None and lost > spec.maxFailedIndexes:
        return TOO_MANY_INDEXES
    if lost and lost + len(counts.successes) >= (spec.completions or 0):
        return FAILED_INDEXES
    return None


def limit_of(spec: JobSpec) -> int:
    return DEFAULT_LIMIT if spec.backoffLimit is None else spec.backoffLimit


def restarts_too_often(job: Job, pods: Iterable[Pod]) -> bool:
    """Whether containers that are restarted in place have reached the limit; it counts for living pods only."""
    if spec_of(job).template.spec.restartPolicy != "OnFailure":
        return False
    living = (pod.status for pod in pods if pod.status.phase in ("Pending", "Running"))
    restarts = sum(
        container.restartCount
        for status in living
        for container in (*status.initContainerStatuses, *status.containerStatuses)
    )
    return restarts >= max(1, limit_of(spec_of(job)))


def deadline(job: Job, now: datetime) -> datetime | None:
    """When the Job has been active for too long; None where there is no limit or it is suspended."""
    seconds = spec_of(job).activeDeadlineSeconds
    if seconds is None or is_suspended(job):
        return None
    started = clock.parse(job.status.startTime) if job.status.startTime else now
    return started + timedelta(seconds=seconds)


def suspension(job: Job, now: datetime) -> tuple[Job, str]:
    """The Job with the condition that says whether it is suspended, and what is new about that ("" when nothing).

    Active time starts anew with every resumption, so a suspended Job has no start.
    """
    suspended = is_suspended(job)
    wanted = (
        condition("Suspended", "JobSuspended", "Job suspended", now)
        if suspended
        else condition("Suspended", "JobResumed", "Job resumed", now, "False")
    )
    conditions = ensured(job.status.conditions, wanted)
    if conditions == job.status.conditions:
        return job, ""
    start = "" if suspended else clock.timestamp(now)
    return replace(job, status=replace(job.status, conditions=conditions, startTime=start)), (
        "Suspended" if suspended else "Resumed"
    )
