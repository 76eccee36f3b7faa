"""What a Job's status may say: whoever sees to a Job, its numbers and its end are what clients rely on.

A rule is asked only where what it is about has changed, so that a status that breaks it may still be mended. Rules and
wordings after upstream's `ValidateJobStatusUpdate`.
"""

from collections.abc import Iterator

from knarr.kinds import rules
from knarr.kinds.job_rules import index_count
from knarr.kinds.types.batch_v1 import Job, JobSpec, JobStatus, UncountedTerminatedPods
from knarr.meta import field
from knarr.meta.field import FieldError, at, valueless

CONDITIONS = "status.conditions"


def status_rules(new: Job, old: Job) -> Iterator[FieldError]:
    status, before = new.status, old.status
    for name in ("active", "succeeded", "failed", "ready", "terminating"):
        yield from rules.not_negative(getattr(status, name), at("status", name))
    listed = status.uncountedTerminatedPods or UncountedTerminatedPods()
    yield from uncounted_rules(listed)
    yield from counter_rules(new, before)
    yield from index_rules(new, before)
    yield from condition_rules(new, before)
    yield from time_rules(new, before)
    if is_finished(status) and (not is_finished(before) or status != before):
        yield from finished_rules(new, listed)


def has(status: JobStatus, type_: str) -> bool:
    return any(each.type == type_ and each.status == "True" for each in status.conditions)


def is_finished(status: JobStatus) -> bool:
    return has(status, "Complete") or has(status, "Failed")


# Numbers


def uncounted_rules(listed: UncountedTerminatedPods) -> Iterator[FieldError]:
    seen: set[str] = set()
    for name in ("succeeded", "failed"):
        for index, uid in enumerate(getattr(listed, name)):
            path = at("status.uncountedTerminatedPods", name, index)
            if not uid:
                yield field.wrong(path, uid, "must not be empty")
            elif uid in seen:
                yield field.duplicate(path, uid)
            seen.add(uid)


def counter_rules(new: Job, before: JobStatus) -> Iterator[FieldError]:
    """What was counted stays counted, but of a Job that may become smaller."""
    spec, status = new.spec or JobSpec(), new.status
    elastic = spec.completionMode == "Indexed" and spec.completions == spec.parallelism
    for name in ("failed", "succeeded"):
        count = getattr(status, name) or 0
        if count < (getattr(before, name) or 0) and not (name == "succeeded" and elastic):
            yield field.wrong(at("status", name), count, f"cannot decrease the {name} counter")
    changed = (status.ready, status.active) != (before.ready, before.active)
    if changed and (status.ready or 0) > (status.active or 0):
        yield field.wrong("status.ready", status.ready, "cannot set more ready pods than active")


def index_rules(new: Job, before: JobStatus) -> Iterator[FieldError]:
    spec, status = new.spec or JobSpec(), new.status
    if status.completedIndexes and status.completedIndexes != before.completedIndexes:
        yield from indexes_rules(spec, "completedIndexes", status.completedIndexes)
        if spec.completionMode != "Indexed":
            message = "cannot set non-empty completedIndexes when non-indexed completion mode"
            yield field.wrong("status.completedIndexes", status.completedIndexes, message)
    if status.failedIndexes and status.failedIndexes != before.failedIndexes:
        if spec.backoffLimitPerIndex is not None:
            yield from indexes_rules(spec, "failedIndexes", status.failedIndexes)
        else:
            message = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            yield field.wrong("status.failedIndexes", status.failedIndexes, message)


def indexes_rules(spec: JobSpec, name: str, text: str) -> Iterator[FieldError]:
    if spec.completions is None:
        return
    try:
        index_count(text, spec.completions)
    except ValueError as error:
        yield field.wrong(at("status", name), text, f"error parsing {name}: {error}")


# The end


def condition_rules(new: Job, before: JobStatus) -> Iterator[FieldError]:
    """A Job ends in one way, for a reason that was given before, and once."""
    status = new.status
    for type_, shown in LASTING:
        if has(before, type_) and not has(status, type_):
            yield valueless(CONDITIONS, f"cannot disable the {shown}=True condition")
    for one, other, message in EXCLUSIVE:
        if has(status, one) and has(status, other) and not (has(before, one) and has(before, other)):
            yield valueless(CONDITIONS, message)
    for end, reason in (("Failed", "FailureTarget"), ("Complete", "SuccessCriteriaMet")):
        if has(status, end) and not has(before, end) and not has(status, reason):
            yield valueless(CONDITIONS, f"cannot set {end}=True condition without the {reason}=true condition")


LASTING = (
    ("Failed", "terminal Failed"),
    ("Complete", "terminal Complete"),
    ("FailureTarget", "terminal FailureTarget"),
    ("SuccessCriteriaMet", "SuccessCriteriaMet"),
)
EXCLUSIVE = (
    ("Complete", "Failed", "cannot set Complete=True and Failed=true conditions"),
    ("Complete", "FailureTarget", "cannot set Complete=True and FailureTarget=true conditions"),
    ("SuccessCriteriaMet", "Failed", "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
    ("SuccessCriteriaMet", "FailureTarget", "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
)


def time_rules(new: Job, before: JobStatus) -> Iterator[FieldError]:
    status, suspended = new.status, bool((new.spec or JobSpec()).suspend)
    start, end, path = status.startTime, status.completionTime, "status.completionTime"
    if before.startTime and start != before.startTime and not suspended:
        yield field.required("status.startTime", "startTime cannot be removed for unsuspended job")
    if before.completionTime and end and end != before.completionTime:
        yield field.wrong(path, end, "completionTime cannot be mutated")
    if (end, start) != (before.completionTime, before.startTime) and start and end and end < start:
        yield field.wrong(path, end, "completionTime cannot be set before startTime")
    if (end, has(status, "Complete")) == (before.completionTime, has(before, "Complete")):
        return
    if end and not has(status, "Complete"):
        yield field.wrong(path, end, "cannot set completionTime when there is no Complete=True condition")
    if not end and has(status, "Complete"):
        yield field.required(path, "completionTime is required for Complete jobs")


def finished_rules(new: Job, listed: UncountedTerminatedPods) -> Iterator[FieldError]:
    status, suspended = new.status, bool((new.spec or JobSpec()).suspend)
    for name in ("active", "terminating"):
        if count := getattr(status, name):
            yield field.wrong(at("status", name), count, f"{name}>0 is invalid for finished job")
    if not status.startTime and not suspended:
        yield field.required("status.startTime", "startTime is required for finished job")
    if listed.succeeded or listed.failed:
        message = "uncountedTerminatedPods needs to be empty for finished job"
        shown = {name: uids for name in ("succeeded", "failed") if (uids := getattr(listed, name))}
        yield field.wrong("status.uncountedTerminatedPods", shown, message)
