"""What a Job's pods amount to, counted from one snapshot. Pure; called by `job_plan`.

Keeps true: a pod counts once. It carries the tracking finalizer until the Job's status names it, by its uid or its
index; without the finalizer it is in the status's numbers already.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from knarr.controllers import job_indexes
from knarr.controllers.job_backoff import Failures
from knarr.controllers.job_indexes import Indexes
from knarr.controllers.job_pods import (
    all_failures_of,
    failures_of,
    finished_at,
    index_of,
    is_failed,
    is_indexed,
    is_tracked,
)
from knarr.controllers.job_policies import spec_of, verdict
from knarr.kinds.pod import is_active, is_finished, is_ready, is_terminating
from knarr.kinds.types.batch_v1 import Job, UncountedTerminatedPods
from knarr.kinds.types.core_v1 import Pod

NO_FAILURES = Failures()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A Job and its pods. `released` are the uids of pods whose finalizer is gone though the cache still shows it;
    `trusted` says that the cache shows all that was created and deleted."""

    job: Job
    pods: Sequence[Pod]
    now: datetime
    released: Set[str] = frozenset()
    trusted: bool = True
    failures: Failures = NO_FAILURES


@dataclass(frozen=True, slots=True)
class Counts:
    """`tracked` are the pods still to be counted, by their index if they have one; `succeeded` and `failed` include
    what is newly so. `successes` and `lost` are the indexes that succeeded and failed; None where there are none to
    tell. `replaced` are failed pods that wait, by index, until another takes over their count of failures."""

    tracked: Sequence[Pod]
    active: Sequence[Pod]
    terminating: Sequence[Pod]
    ready: int
    succeeded: int
    failed: int
    failures: Failures
    successes: Indexes | None = None
    lost: Indexes | None = None
    replaced: Mapping[int, Pod] | None = None


def count(snapshot: Snapshot) -> Counts:
    """Count the Job's pods."""
    job, status = snapshot.job, snapshot.job.status
    uncounted = status.uncountedTerminatedPods or UncountedTerminatedPods()
    tracked = [pod for pod in snapshot.pods if is_tracked(pod) and pod.metadata.uid not in snapshot.released]
    if is_indexed(job):
        tracked.sort(key=lambda pod: -1 if (index := index_of(pod)) is None else index)
    valid = [pod for pod in tracked if has_place(job, pod)]
    succeeded = new(valid, uncounted.succeeded, lambda pod: pod.status.phase == "Succeeded")
    failed = new(valid, uncounted.failed, lambda pod: is_failed(job, pod))
    active = [pod for pod in snapshot.pods if is_active(pod)]
    counts = Counts(
        tracked=tracked,
        active=active,
        terminating=[pod for pod in snapshot.pods if is_terminating(pod) and not is_finished(pod)],
        ready=sum(map(is_ready, active)),
        succeeded=(status.succeeded or 0) + len(succeeded) + len(uncounted.succeeded),
        failed=(status.failed or 0) + sum(verdict(job, pod).counts for pod in failed) + len(uncounted.failed),
        failures=snapshot.failures.after(succeeded, failed),
    )
    return by_index(job, counts, valid) if is_indexed(job) else counts


def has_place(job: Job, pod: Pod) -> bool:
    """Whether the pod counts: in an Indexed Job only with an index that is wanted."""
    if not is_indexed(job):
        return True
    index = index_of(pod)
    return index is not None and index < (spec_of(job).completions or 0)


def new(pods: Iterable[Pod], known: Iterable[str], chosen: Callable[[Pod], bool]) -> list[Pod]:
    """The chosen pods that the status does not name."""
    named = set(known)
    return [pod for pod in pods if chosen(pod) and pod.metadata.uid not in named]


def by_index(job: Job, counts: Counts, valid: Sequence[Pod]) -> Counts:
    """The counts of an Indexed Job: what succeeded are indexes, not pods."""
    completions = spec_of(job).completions or 0
    done = indexes_of(pod for pod in valid if pod.status.phase == "Succeeded")
    successes = job_indexes.parse(job.status.completedIndexes, completions) | done
    lost: Indexes | None = None
    replaced: Mapping[int, Pod] = {}
    if spec_of(job).backoffLimitPerIndex is not None:
        lost = job_indexes.parse(job.status.failedIndexes, completions)
        lost |= indexes_of(pod for pod in valid if has_lost_index(job, pod))
        replaced = to_be_replaced(job, valid, successes | lost | indexes_of(counts.active))
    return Counts(
        tracked=counts.tracked,
        active=counts.active,
        terminating=counts.terminating,
        ready=counts.ready,
        succeeded=len(successes),
        failed=counts.failed,
        failures=counts.failures,
        successes=successes,
        lost=lost,
        replaced=replaced,
    )


def indexes_of(pods: Iterable[Pod]) -> Indexes:
    return job_indexes.of(index for pod in pods if (index := index_of(pod)) is not None)


def has_lost_index(job: Job, pod: Pod) -> bool:
    """Whether the pod's failure is the last that its index may have."""
    if not is_failed(job, pod):
        return False
    found = verdict(job, pod)
    if found.action == "FailIndex":
        return True
    return found.counts and failures_of(pod) >= (spec_of(job).backoffLimitPerIndex or 0)


def to_be_replaced(job: Job, pods: Iterable[Pod], settled: Indexes) -> dict[int, Pod]:
    """By index, the last failed pod of those indexes that are not settled: another pod has to follow it."""
    last: dict[int, Pod] = {}
    for pod in pods:
        index = index_of(pod)
        if index is None or index in settled or not is_failed(job, pod):
            continue
        other = last.get(index)
        if other is None or (all_failures_of(other) <= all_failures_of(pod) and finished_at(pod) >= finished_at(other)):
            last[index] = pod
    return last
