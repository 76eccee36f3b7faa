"""What a Deployment's sets amount to: its status, and the conditions that say whether it gets anywhere. Pure.

Keeps true: counts come from one snapshot of the sets; the time at which progress was last seen moves on only when there
was some, so that a rollout that stands still is told after its deadline.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from knarr.controllers.deployment_sets import UNLIMITED, available, least, total, wanted
from knarr.kinds.types.apps_v1 import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet
from knarr.meta import clock

Conditions = list[DeploymentCondition]

AVAILABLE, PROGRESSING, FAILURE = "Available", "Progressing", "ReplicaFailure"
PAUSED, RESUMED, TIMED_OUT, DONE = (
    "DeploymentPaused",
    "DeploymentResumed",
    "ProgressDeadlineExceeded",
    "NewReplicaSetAvailable",
)
SLACK = timedelta(seconds=1)  #: times in conditions have whole seconds


def status(
    deployment: Deployment,
    sets: Sequence[ReplicaSet],
    new: ReplicaSet | None,
    now: datetime,
    *,
    rolling: bool,
    created: bool = False,
    failure: str = "",
) -> DeploymentStatus:
    """The status that the sets amount to. `rolling` has progress judged; `created` says that the new set was just made,
    `failure` why it could not be."""
    counted = counts(deployment, sets, new)
    conditions = set_condition(list(deployment.status.conditions), availability(deployment, counted, now))
    conditions = noticed(deployment, conditions, new, now, created=created, failure=failure)
    counted = replace(counted, conditions=conditions)
    if rolling and not failure:
        before = replace(deployment, status=replace(deployment.status, conditions=conditions))
        counted = replace(counted, conditions=judged(before, counted, new, now))
    return replace(counted, conditions=with_failures(counted.conditions, sets, new) if rolling else counted.conditions)


def counts(deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None) -> DeploymentStatus:
    """The numbers alone."""
    leaving = [set_.status.terminatingReplicas for set_ in sets]
    return DeploymentStatus(
        observedGeneration=deployment.metadata.generation,
        replicas=sum(set_.status.replicas for set_ in sets) or None,
        updatedReplicas=(new.status.replicas if new else 0) or None,
        readyReplicas=sum(set_.status.readyReplicas or 0 for set_ in sets) or None,
        availableReplicas=available(sets) or None,
        unavailableReplicas=max(total(sets) - available(sets), 0) or None,
        terminatingReplicas=sum(count or 0 for count in leaving),
        collisionCount=deployment.status.collisionCount,
    )


def is_complete(deployment: Deployment, status_: DeploymentStatus) -> bool:
    """Whether all that is wanted is there, up to date and available, and nothing else."""
    count = wanted(deployment)
    observed = (status_.observedGeneration or 0) >= (deployment.metadata.generation or 0)
    numbers = (status_.updatedReplicas, status_.replicas, status_.availableReplicas)
    return observed and all((each or 0) == count for each in numbers)


# Conditions


def has_deadline(deployment: Deployment) -> bool:
    return deployment.spec.progressDeadlineSeconds not in (None, UNLIMITED)


def find(conditions: Conditions, type_: str) -> DeploymentCondition | None:
    return next((condition for condition in conditions if condition.type == type_), None)


def a_condition(type_: str, status_: str, reason: str, message: str, now: datetime) -> DeploymentCondition:
    time = clock.timestamp(now)
    return DeploymentCondition(
        type=type_, status=status_, reason=reason, message=message, lastUpdateTime=time, lastTransitionTime=time
    )


def set_condition(conditions: Conditions, condition: DeploymentCondition) -> Conditions:
    """The conditions with this one; one that says the same stays as it is, and with it its times."""
    known = find(conditions, condition.type)
    if known is not None and known.status == condition.status:
        if known.reason == condition.reason:
            return conditions
        condition = replace(condition, lastTransitionTime=known.lastTransitionTime)
    return [*without(conditions, condition.type), condition]


def without(conditions: Conditions, type_: str) -> Conditions:
    return [condition for condition in conditions if condition.type != type_]


def availability(deployment: Deployment, counted: DeploymentStatus, now: datetime) -> DeploymentCondition:
    if (counted.availableReplicas or 0) >= least(deployment):
        message = "Deployment has minimum availability."
        return a_condition(AVAILABLE, "True", "MinimumReplicasAvailable", message, now)
    message = "Deployment does not have minimum availability."
    return a_condition(AVAILABLE, "False", "MinimumReplicasUnavailable", message, now)


def noticed(
    deployment: Deployment,
    conditions: Conditions,
    new: ReplicaSet | None,
    now: datetime,
    *,
    created: bool,
    failure: str,
) -> Conditions:
    """The conditions with what this pass met: a pause, its end, a new set made, found or refused."""
    if not has_deadline(deployment):
        return conditions
    known = find(conditions, PROGRESSING)
    paused = known is not None and known.reason == PAUSED
    if known is None or known.reason != TIMED_OUT:
        if deployment.spec.paused and not paused:
            conditions = set_condition(
                conditions, a_condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused", now)
            )
        elif not deployment.spec.paused and paused:
            conditions = set_condition(
                conditions, a_condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed", now)
            )
    if failure:
        return set_condition(conditions, a_condition(PROGRESSING, "False", "ReplicaSetCreateError", failure, now))
    if created and new is not None:
        message = f'Created new replica set "{new.metadata.name}"'
        return set_condition(conditions, a_condition(PROGRESSING, "True", "NewReplicaSetCreated", message, now))
    if new is not None and find(conditions, PROGRESSING) is None:
        message = f'Found new replica set "{new.metadata.name}"'
        return set_condition(conditions, a_condition(PROGRESSING, "True", "FoundNewReplicaSet", message, now))
    return conditions


def judged(deployment: Deployment, counted: DeploymentStatus, new: ReplicaSet | None, now: datetime) -> Conditions:
    """The conditions with the rollout judged: done, getting on, or standing still for too long."""
    if not has_deadline(deployment):
        return without(counted.conditions, PROGRESSING)
    known = find(deployment.status.conditions, PROGRESSING)
    if known is not None and known.reason == DONE and counted.replicas == counted.updatedReplicas:
        return counted.conditions
    what = f'ReplicaSet "{new.metadata.name}"' if new else f'Deployment "{deployment.metadata.name}"'
    if is_complete(deployment, counted):
        message = f"{what} has successfully progressed."
        return set_condition(counted.conditions, a_condition(PROGRESSING, "True", DONE, message, now))
    if has_progressed(deployment.status, counted):
        condition = a_condition(PROGRESSING, "True", "ReplicaSetUpdated", f"{what} is progressing.", now)
        if known is not None and known.status == "True":
            condition = replace(condition, lastTransitionTime=known.lastTransitionTime)
        return [*without(counted.conditions, PROGRESSING), condition]
    deadline = progress_deadline(deployment)
    if deadline is not None and deadline < now:
        message = f"{what} has timed out progressing."
        return set_condition(counted.conditions, a_condition(PROGRESSING, "False", TIMED_OUT, message, now))
    return counted.conditions


def has_progressed(before: DeploymentStatus, after: DeploymentStatus) -> bool:
    """Whether there are more new pods, fewer old ones, or more that are ready or available."""
    old_before = (before.replicas or 0) - (before.updatedReplicas or 0)
    old_after = (after.replicas or 0) - (after.updatedReplicas or 0)
    return (
        (after.updatedReplicas or 0) > (before.updatedReplicas or 0)
        or old_after < old_before
        or (after.readyReplicas or 0) > (before.readyReplicas or 0)
        or (after.availableReplicas or 0) > (before.availableReplicas or 0)
    )


def progress_deadline(deployment: Deployment) -> datetime | None:
    """When a rollout that makes no progress has timed out; None when nothing is waited for."""
    known = find(deployment.status.conditions, PROGRESSING)
    seconds = deployment.spec.progressDeadlineSeconds
    if known is None or seconds is None or not has_deadline(deployment) or known.reason in (DONE, TIMED_OUT):
        return None
    return clock.parse(known.lastUpdateTime) + timedelta(seconds=seconds)


def next_check(deployment: Deployment, status_: DeploymentStatus) -> datetime | None:
    """When to look whether the rollout has timed out."""
    if is_complete(deployment, status_) or deployment.spec.paused:
        return None
    deadline = progress_deadline(replace(deployment, status=status_))
    return deadline + SLACK if deadline is not None else None


def with_failures(conditions: Conditions, sets: Sequence[ReplicaSet], new: ReplicaSet | None) -> Conditions:
    """The conditions with why a set cannot make its pods: the new set's reason before another's."""
    ordered = [*([new] if new else []), *(set_ for set_ in sets if set_ is not new)]
    found = next((c for set_ in ordered for c in set_.status.conditions if c.type == FAILURE), None)
    if found is None:
        return without(conditions, FAILURE)
    told = DeploymentCondition(
        type=FAILURE,
        status=found.status,
        reason=found.reason,
        message=found.message,
        lastUpdateTime=found.lastTransitionTime,
        lastTransitionTime=found.lastTransitionTime,
    )
    return set_condition(conditions, told)
