"""A StatefulSet's conditions Available and Progressing, where the set opted in to them. Pure; called by `status`.

Upstream knows neither. They are computed from the snapshot like all of the status: progress is when a pod was last made
or became ready, so a controller that starts anew goes on counting where the last one was.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from knarr.controllers.statefulset_status import (
    is_ready,
    is_terminating,
    max_unavailable,
    partition,
    ready_since,
    replicas,
    rolls,
)
from knarr.kinds.statefulset_options import progress_deadline
from knarr.kinds.types.apps_v1 import StatefulSet, StatefulSetCondition, StatefulSetStatus
from knarr.kinds.types.core_v1 import Pod
from knarr.meta import clock

AVAILABLE, PROGRESSING = "Available", "Progressing"
ENOUGH, TOO_FEW = "MinimumReplicasAvailable", "MinimumReplicasUnavailable"
COMPLETE, UNDER_WAY, EXCEEDED = "RolloutComplete", "RolloutProgressing", "ProgressDeadlineExceeded"


def conditions(
    set_: StatefulSet, counted: StatefulSetStatus, pods: Sequence[Pod], now: datetime
) -> list[StatefulSetCondition]:
    """Those that others wrote, and ours if the set wants them. `counted` is the status with its counts."""
    others = [known for known in set_.status.conditions if known.type not in (AVAILABLE, PROGRESSING)]
    if progress_deadline(set_) is None:
        return others
    return [*others, available(set_, counted, now), progressing(set_, counted, pods, now)]


def available(set_: StatefulSet, counted: StatefulSetStatus, now: datetime) -> StatefulSetCondition:
    """Whether as many pods are available as an update leaves, and one at least."""
    wanted, there = replicas(set_), counted.availableReplicas or 0
    least = min(wanted, max(1, wanted - max_unavailable(set_)))
    said = f"{there} of {wanted} pods are available, {least} must be"
    status, reason = ("True", ENOUGH) if there >= least else ("False", TOO_FEW)
    return _condition(set_, AVAILABLE, status, reason, said, now)


def progressing(
    set_: StatefulSet, counted: StatefulSetStatus, pods: Sequence[Pod], now: datetime
) -> StatefulSetCondition:
    """Whether the rollout, if there is one, gets on; once it is complete, only a change of the set begins another."""
    known = _known(set_, PROGRESSING)
    changed = set_.status.observedGeneration != set_.metadata.generation
    if is_complete(set_, counted) or (known is not None and known.reason == COMPLETE and not changed):
        said = f"all {replicas(set_)} pods were made, updated and available"
        return _condition(set_, PROGRESSING, "True", COMPLETE, said, now)
    said = f"{counted.updatedReplicas or 0} of {replicas(set_)} pods are updated, "
    said += f"{counted.availableReplicas or 0} available" + "".join(f"; {pod}" for pod in _held_up_by(pods))
    if not changed and overdue_at(set_, pods, now) <= now:
        return _condition(set_, PROGRESSING, "False", EXCEEDED, said, now)
    return _condition(set_, PROGRESSING, "True", UNDER_WAY, said, now, again=changed)


def is_complete(set_: StatefulSet, counted: StatefulSetStatus) -> bool:
    """Whether every pod that should be is there and available, and updated as far as the strategy goes."""
    wanted = replicas(set_)
    due = max(0, wanted - partition(set_)) if rolls(set_) else 0
    updated, there = counted.updatedReplicas or 0, counted.availableReplicas or 0
    return updated >= due and there == counted.replicas == wanted


def overdue_at(set_: StatefulSet, pods: Sequence[Pod], now: datetime) -> datetime:
    """When the rollout will have stood still for too long; progress is a pod that was made or became ready."""
    marks = [pod.metadata.creationTimestamp for pod in pods]
    marks += [ready_since(pod) or "" for pod in pods if is_ready(pod)]
    patience = timedelta(seconds=progress_deadline(set_) or 0)
    times = [clock.parse(mark) for mark in marks if mark]
    if (known := _known(set_, PROGRESSING)) is not None:  # too long ago is as long ago as it was then
        times.append(clock.parse(known.lastTransitionTime) - (patience if known.reason == EXCEEDED else timedelta()))
    return max(times, default=now) + patience


def next_deadline(set_: StatefulSet, counted: StatefulSetStatus, pods: Sequence[Pod], now: datetime) -> datetime | None:
    """When to look again, so that a rollout that stands still is said to."""
    known = next((found for found in counted.conditions if found.type == PROGRESSING), None)
    return overdue_at(set_, pods, now) if known is not None and known.reason == UNDER_WAY else None


def _held_up_by(pods: Sequence[Pod]) -> Iterator[str]:
    """The first pod that is waited for, in words."""
    for pod in sorted(pods, key=lambda pod: (len(pod.metadata.name), pod.metadata.name)):
        if is_terminating(pod):
            yield f"pod {pod.metadata.name} is terminating"
            return
        if not is_ready(pod):
            yield f"pod {pod.metadata.name} is not ready"
            return


def _known(set_: StatefulSet, type_: str) -> StatefulSetCondition | None:
    return next((found for found in set_.status.conditions if found.type == type_), None)


def _condition(
    set_: StatefulSet, type_: str, status: str, reason: str, message: str, now: datetime, *, again: bool = False
) -> StatefulSetCondition:
    """A condition, whose transition time moves with its status or reason, and when it begins `again`."""
    known = _known(set_, type_)
    same = known is not None and (known.status, known.reason) == (status, reason) and not again
    when = known.lastTransitionTime if known is not None and same else clock.timestamp(now)
    return StatefulSetCondition(type=type_, status=status, reason=reason, message=message, lastTransitionTime=when)
