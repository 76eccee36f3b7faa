"""What a StatefulSet's pods amount to: which are ready, available, in transit, and the status that says so.

Keeps true: a status is counted from one snapshot, never carried along from the last one. Pure; called by
`statefulset.plan` and `statefulset.sync`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from knarr.controllers.statefulset_pods import REVISION, ordinal_of
from knarr.kinds.types.apps_v1 import StatefulSet, StatefulSetStatus
from knarr.kinds.types.core_v1 import Pod, PodTemplateSpec
from knarr.meta import clock
from knarr.meta.percent import share


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revision a set comes from, the one it goes to, and the pod template of each."""

    current: str
    update: str
    templates: Mapping[str, PodTemplateSpec]
    collisions: int = 0


def is_finished(pod: Pod) -> bool:
    return pod.status.phase in ("Failed", "Succeeded")


def is_terminating(pod: Pod) -> bool:
    return bool(pod.metadata.deletionTimestamp)


def is_ready(pod: Pod) -> bool:
    return pod.status.phase == "Running" and ready_since(pod) is not None


def ready_since(pod: Pod) -> str | None:
    """Since when the pod is ready; None when it is not."""
    for condition in pod.status.conditions:
        if condition.type == "Ready":
            return condition.lastTransitionTime if condition.status == "True" else None
    return None


def available_from(set_: StatefulSet, pod: Pod) -> datetime | None:
    """When a ready pod counts as available, be it past or to come; None while it is not ready."""
    since = ready_since(pod) if is_ready(pod) else None
    if since is None:
        return None
    if not set_.spec.minReadySeconds:
        return datetime.min.replace(tzinfo=UTC)
    return clock.parse(since) + timedelta(seconds=set_.spec.minReadySeconds) if since else None


def is_available(set_: StatefulSet, pod: Pod, now: datetime) -> bool:
    when = available_from(set_, pod)
    return when is not None and when <= now


def is_usable(set_: StatefulSet, pod: Pod | None, now: datetime) -> bool:
    """Whether a pod counts as one that the set can rely on: there, available, and not on its way out."""
    return pod is not None and not is_terminating(pod) and is_available(set_, pod, now)


def revision_of(pod: Pod) -> str:
    return pod.metadata.labels.get(REVISION, "")


def status(set_: StatefulSet, pods: Sequence[Pod], revisions: Revisions, now: datetime) -> StatefulSetStatus:
    """The set's status; a rollout that is complete makes the update revision the current one."""
    members = [pod for pod in pods if ordinal_of(pod) >= 0 and pod.status.phase]
    staying = [revision_of(pod) for pod in members if not is_terminating(pod)]
    ready = [pod for pod in members if is_ready(pod)]
    updated = staying.count(revisions.update)
    wanted = replicas(set_)
    complete = rolls(set_) and updated == len(ready) == len(members) == wanted
    return StatefulSetStatus(
        observedGeneration=set_.metadata.generation,
        replicas=len(members),
        readyReplicas=len(ready) or None,
        availableReplicas=sum(is_available(set_, pod, now) for pod in ready),
        currentReplicas=(updated if complete else staying.count(revisions.current)) or None,
        updatedReplicas=updated or None,
        currentRevision=revisions.update if complete else revisions.current,
        updateRevision=revisions.update,
        collisionCount=revisions.collisions,
        conditions=set_.status.conditions,
    )


def replicas(set_: StatefulSet) -> int:
    return 1 if set_.spec.replicas is None else set_.spec.replicas


def rolls(set_: StatefulSet) -> bool:
    """Whether the set's update strategy is RollingUpdate."""
    strategy = set_.spec.updateStrategy
    return strategy is None or strategy.type in ("", "RollingUpdate")


def partition(set_: StatefulSet) -> int:
    """How many of the lowest ordinals keep the current revision."""
    strategy = set_.spec.updateStrategy
    rolling = strategy.rollingUpdate if strategy else None
    return (rolling.partition or 0) if rolling else 0


def max_unavailable(set_: StatefulSet) -> int:
    """How many pods an update may have down at once: a percentage rounds down, and it is never less than one."""
    strategy = set_.spec.updateStrategy
    rolling = strategy.rollingUpdate if strategy else None
    value = rolling.maxUnavailable if rolling else None
    if value is None:
        return 1
    return max(1, share(value, replicas(set_)))


def next_availability(set_: StatefulSet, pods: Iterable[Pod], now: datetime) -> datetime | None:
    """When the next ready pod becomes available, if minReadySeconds make one wait."""
    times = (available_from(set_, pod) for pod in pods if not is_terminating(pod))
    return min((when for when in times if when is not None and when > now), default=None)
