"""What one pass over a Job does: `plan` reads a snapshot and decides. Pure; called by `job.sync`.

Keeps true: never more pods at once than the parallelism, nor than are left to succeed; a pass either creates or
deletes; an index has one pod. A Job that has come to its end, good or bad, has its pods deleted, and ends when they are
gone and counted (`job_counting`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from msgspec.structs import replace

from knarr.controllers import job_conditions, job_indexes
from knarr.controllers.job_backoff import ready_indexes
from knarr.controllers.job_counts import Counts, Snapshot, count, indexes_of
from knarr.controllers.job_indexes import Indexes
from knarr.controllers.job_pods import (
    TRACKING,
    is_indexed,
    is_suspended,
    is_tracked,
    new_pod,
    replaces_failed_only,
    surplus,
)
from knarr.controllers.job_policies import spec_of
from knarr.kinds.types.batch_v1 import Job, JobCondition
from knarr.kinds.types.core_v1 import Pod
from knarr.loop.steps import Create, Delete, Note, Patch, Step, Wait
from knarr.meta import clock

BURST = 500  #: pods that one pass creates or deletes at most


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about the pods, and what is known of the Job: `end` is the condition that says why it is to end;
    `managed` whether the pass saw to the number of pods, so that what it says of suspension holds."""

    snapshot: Snapshot
    counts: Counts
    steps: list[Step]
    end: JobCondition | None = None
    managed: bool = False


def plan(snapshot: Snapshot) -> Plan:
    """This pass's steps."""
    snapshot = started(snapshot)
    job = snapshot.job
    counts = count(snapshot)
    end = job_conditions.ending(snapshot, counts)
    if end is not None:
        return Plan(snapshot, counts, [delete(job, pod, "the job ends") for pod in counts.active], end)
    waits: list[Step] = []
    if (due := job_conditions.deadline(job, snapshot.now)) is not None:
        waits.append(Wait(job, "active until its deadline", due))
    if not snapshot.trusted or job.metadata.deletionTimestamp:
        return Plan(snapshot, counts, waits)
    return Plan(snapshot, counts, [*manage(snapshot, counts), *waits], managed=True)


def started(snapshot: Snapshot) -> Snapshot:
    """The snapshot with the time of the Job's start, which is now for one that has none and is not suspended."""
    job = snapshot.job
    if job.status.startTime or is_suspended(job):
        return snapshot
    status = replace(job.status, startTime=clock.timestamp(snapshot.now))
    return Snapshot(
        replace(job, status=status),
        snapshot.pods,
        snapshot.now,
        snapshot.released,
        snapshot.trusted,
        snapshot.failures,
    )


def manage(snapshot: Snapshot, counts: Counts) -> list[Step]:
    """Delete the pods that are too many, or else create those that are missing."""
    job, active = snapshot.job, len(counts.active)
    if is_suspended(job):
        return remove(job, surplus(job, counts.active, active, snapshot.now), "suspended")
    wanted = wanted_pods(job, counts)
    if going := surplus(job, counts.active, max(0, active - wanted), snapshot.now):
        return remove(job, going[:BURST], "surplus")
    leaving = len(counts.terminating) if replaces_failed_only(job) else 0
    lacking = wanted - active - leaving
    return create(snapshot, counts, min(lacking, BURST)) if lacking > 0 else []


def wanted_pods(job: Job, counts: Counts) -> int:
    """How many pods should be active. Without completions the first success says that the work is done."""
    spec = spec_of(job)
    parallelism = 1 if spec.parallelism is None else spec.parallelism
    if spec.completions is None:
        return len(counts.active) if counts.succeeded else parallelism
    return max(0, min(spec.completions - counts.succeeded, parallelism))


def create(snapshot: Snapshot, counts: Counts, lacking: int) -> list[Step]:
    """Create so many pods, or wait until failures are long enough ago."""
    job = snapshot.job
    note = Note(job, ("SuccessfulCreate", "Created pod: {name}"), ("FailedCreate", "Error creating: {error}"))
    per_index = spec_of(job).backoffLimitPerIndex is not None
    left = timedelta() if per_index else counts.failures.left(snapshot.now)
    indexes: Sequence[int] = ()
    if is_indexed(job):
        indexes = job_indexes.missing(settled(job, counts), spec_of(job).completions or 0, lacking)
        if per_index:
            indexes, left = ready_indexes(indexes, counts.replaced or {}, snapshot.now)
    if left:
        return [Wait(job, "pods failed, the next one is made after a while", snapshot.now + left)]
    if not is_indexed(job):
        return [Create(new_pod(job), note=note)] * lacking
    replaced = counts.replaced or {}
    return [Create(new_pod(job, index, replaced.get(index)), note=note) for index in indexes]


def settled(job: Job, counts: Counts) -> Indexes:
    """The indexes that need no pod: they have one, or have succeeded or failed for good."""
    taken = (counts.successes or Indexes()) | (counts.lost or Indexes()) | indexes_of(counts.active)
    return taken | indexes_of(counts.terminating) if replaces_failed_only(job) else taken


def remove(job: Job, pods: Sequence[Pod], reason: str) -> list[Step]:
    """Delete pods that are to count as nothing: they lose their finalizer first."""
    return [
        *(untrack(pod) for pod in pods if is_tracked(pod)),
        *(delete(job, pod, reason) for pod in pods),
    ]


def untrack(pod: Pod) -> Patch:
    """Take the finalizer off this very pod."""
    patch = {"metadata": {"uid": pod.metadata.uid, "$deleteFromPrimitiveList/finalizers": [TRACKING]}}
    return Patch(pod, patch, kind="strategic", reason="tracked no longer")


def delete(job: Job, pod: Pod, reason: str) -> Delete:
    note = Note(job, ("SuccessfulDelete", "Deleted pod: {name}"), ("FailedDelete", "Error deleting: {error}"))
    return Delete(pod, reason, note)
