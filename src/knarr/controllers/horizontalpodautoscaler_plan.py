"""What an autoscaler does in one pass: pure, but for the history that it takes note in.

The metric that asks for the most replicas counts. Where some metrics say nothing, the others may make a target grow but
not shrink; where none says anything, nothing happens. The bounds hold before any metric is looked at. A target at no
replicas is left alone, unless it was the autoscaler that brought it there: the condition `ScaledToZero` says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from knarr.controllers.horizontalpodautoscaler_behavior import History, Said, Wish, limited
from knarr.controllers.horizontalpodautoscaler_proposals import SOURCES, Proposed, Snapshot, propose
from knarr.controllers.horizontalpodautoscaler_replicas import Incalculable
from knarr.kinds.horizontalpodautoscaler_rules import has_metrics_without_pods
from knarr.kinds.types.autoscaling_v2 import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerCondition,
    HorizontalPodAutoscalerStatus,
    MetricStatus,
)
from knarr.loop.steps import Event
from knarr.meta import clock

ABLE, ACTIVE, LIMITED, ZERO = "AbleToScale", "ScalingActive", "ScalingLimited", "ScaledToZero"
GOT_SCALE: Said = ("SucceededGetScale", "the HPA controller was able to get the target's current scale")
DISABLED: Said = ("ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
ZEROED: Said = ("ScaledToZero", "the HPA controller scaled the workload to zero")
NOT_ZEROED: Said = ("NotScaledToZero", "the HPA controller did not scale the workload to zero")
NO_SELECTOR: Said = ("InvalidSelector", "the HPA target's scale is missing a selector")
ABOVE = "Current number of replicas above Spec.MaxReplicas"
BELOW = "Current number of replicas below Spec.MinReplicas"


@dataclass(frozen=True)
class Decision:
    """What is to be done: have so many replicas, if not None, for this reason; what the status says then; events."""

    status: HorizontalPodAutoscalerStatus
    replicas: int | None = None
    reason: str = ""
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True)
class Recommendation:
    """What the metrics ask for together; None when that cannot be said, and then why."""

    replicas: int | None
    metric: str
    statuses: list[MetricStatus]
    events: list[Event]
    condition: tuple[str, Said]  #: of ScalingActive: its status, and what is said
    error: str = ""


def decide(snapshot: Snapshot, history: History) -> Decision:
    """One pass over a target whose scale is known."""
    scaler, current, now = snapshot.scaler, snapshot.current, snapshot.now
    status = say(observed(scaler), ABLE, "True", GOT_SCALE, now)
    if not history.recommended:
        history.recommended.append((current, now))
    if needs_metrics(scaler, current):
        return follow(snapshot, recommend(snapshot), status, history)
    if current == 0:
        status = say(status, ACTIVE, "False", DISABLED, now)
        return Decision(counted(status, current, current, []))
    least, most = least_of(scaler), scaler.spec.maxReplicas
    reason, replicas = (ABOVE, most) if current > most else (BELOW, least)
    return Decision(counted(status, current, replicas, []), replicas, reason)


def needs_metrics(scaler: HorizontalPodAutoscaler, current: int) -> bool:
    """Whether the metrics decide: not beyond the bounds, nor of a target that somebody else brought to nothing."""
    if current == 0:
        return is_zeroed(scaler) and (least_of(scaler) > 0 or has_metrics_without_pods(scaler.spec))
    return least_of(scaler) <= current <= scaler.spec.maxReplicas


def is_zeroed(scaler: HorizontalPodAutoscaler) -> bool:
    """Whether it was the autoscaler that brought its target to no replicas."""
    return any(each.type == ZERO and each.status == "True" for each in scaler.status.conditions)


def follow(
    snapshot: Snapshot, asked: Recommendation, status: HorizontalPodAutoscalerStatus, history: History
) -> Decision:
    """Go where the metrics ask to, as fast as may be."""
    scaler, current, now = snapshot.scaler, snapshot.current, snapshot.now
    status = say(status, ACTIVE, *asked.condition, now)
    if asked.replicas is None:
        told = Event(scaler, "Warning", "FailedComputeMetricsReplicas", asked.error)
        return Decision(counted(status, current, status.desiredReplicas, asked.statuses), events=[*asked.events, told])
    wish = Wish(current, asked.replicas, least_of(scaler), scaler.spec.maxReplicas)
    found = limited(scaler.spec, wish, history, now)
    replicas = found.replicas if current else max(found.replicas, wish.least)  # which may have been raised meanwhile
    status = say(status, ABLE, "True", found.stabilized, now)
    status = say(status, LIMITED, "True" if found.limited else "False", found.bounded, now)
    status = counted(status, current, replicas, asked.statuses)
    if replicas == current:
        return Decision(status, events=asked.events)
    return Decision(status, replicas, why(asked, current), asked.events)


def why(asked: Recommendation, current: int) -> str:
    """Why a target is rescaled, by what the metrics ask for before anything holds or bounds it."""
    assert asked.replicas is not None
    if asked.replicas > current:
        return f"{asked.metric} above target"
    return "All metrics below target" if asked.replicas < current else ""


def recommend(snapshot: Snapshot) -> Recommendation:
    """What the metrics ask for together."""
    found: list[Proposed] = []
    statuses: list[MetricStatus] = []
    events: list[Event] = []
    failures: list[tuple[Said, str]] = []
    for metric, reading in zip(snapshot.scaler.spec.metrics, snapshot.readings, strict=True):
        try:
            found.append(propose(metric, snapshot, reading))
            statuses.append(found[-1].status)
        except Incalculable as error:
            source = SOURCES[metric.type]
            statuses.append(MetricStatus())
            events.append(Event(snapshot.scaler, "Warning", source.reason, str(error)))
            said = (source.reason, f"the HPA was unable to compute the replica count: {error}")
            failures.append((said, source.failure(metric, str(error))))
    best = highest(found)
    error_text = ""
    if failures:
        count = f"{len(failures)} invalid out of {len(statuses)}"
        error_text = f"invalid metrics ({count}), first error is: {failures[0][1]}"
    if best is None or (failures and best.replicas < snapshot.current):
        said = failures[0][0] if failures else ("InvalidMetricSourceType", "the HPA has no metrics")
        return Recommendation(None, "", statuses, events, ("False", said), error_text)
    valid = ("ValidMetricFound", f"the HPA was able to successfully calculate a replica count from {best.metric}")
    return Recommendation(best.replicas, best.metric, statuses, events, ("True", valid), error_text)


def highest(found: Sequence[Proposed]) -> Proposed | None:
    """The first of those that ask for the most."""
    return max(found, key=lambda each: each.replicas, default=None)


def least_of(scaler: HorizontalPodAutoscaler) -> int:
    return 1 if scaler.spec.minReplicas is None else scaler.spec.minReplicas


# What is said


def unreachable(scaler: HorizontalPodAutoscaler, error: str, now: datetime) -> Decision:
    """When the target's scale cannot be read."""
    said = ("FailedGetScale", f"the HPA controller was unable to get the target's current scale: {error}")
    events = [Event(scaler, "Warning", "FailedGetScale", error)]
    return Decision(say(observed(scaler), ABLE, "False", said, now), events=events)


def unselectable(snapshot: Snapshot, reason: str, said: Said, error: str) -> Decision:
    """When it cannot be said which pods are the target's."""
    scaler, now = snapshot.scaler, snapshot.now
    status = say(say(observed(scaler), ABLE, "True", GOT_SCALE, now), ACTIVE, "False", said, now)
    events = [Event(scaler, "Warning", reason, error), Event(scaler, "Warning", "FailedComputeMetricsReplicas", error)]
    return Decision(counted(status, snapshot.current, status.desiredReplicas, []), events=events)


def rescaled(snapshot: Snapshot, decision: Decision) -> Decision:
    """The decision, once the target has been rescaled."""
    said = ("SucceededRescale", f"the HPA controller was able to update the target scale to {decision.replicas}")
    status = say(decision.status, ABLE, "True", said, snapshot.now)
    zeroed = decision.replicas == 0 and snapshot.current > 0 and has_metrics_without_pods(snapshot.scaler.spec)
    status = say(status, ZERO, *(("True", ZEROED) if zeroed else ("False", NOT_ZEROED)), snapshot.now)
    told = f"New size: {decision.replicas}; reason: {decision.reason}"
    event = Event(snapshot.scaler, "Normal", "SuccessfulRescale", told)
    status = replace(status, lastScaleTime=clock.timestamp(snapshot.now))
    return Decision(status, decision.replicas, decision.reason, [*decision.events, event])


def unscaled(snapshot: Snapshot, decision: Decision, error: str) -> Decision:
    """The decision, when the target could not be rescaled."""
    said = ("FailedUpdateScale", f"the HPA controller was unable to update the target scale: {error}")
    status = say(decision.status, ABLE, "False", said, snapshot.now)
    before = snapshot.scaler.status.desiredReplicas
    told = f"New size: {decision.replicas}; reason: {decision.reason}; error: {error}"
    event = Event(snapshot.scaler, "Warning", "FailedRescale", told)
    return Decision(replace(status, desiredReplicas=before), events=[*decision.events, event])


def counted(
    status: HorizontalPodAutoscalerStatus, current: int, desired: int, metrics: list[MetricStatus]
) -> HorizontalPodAutoscalerStatus:
    return replace(status, currentReplicas=current, desiredReplicas=desired, currentMetrics=metrics)


def observed(scaler: HorizontalPodAutoscaler) -> HorizontalPodAutoscalerStatus:
    """The status as it was, of the generation that is looked at."""
    return replace(scaler.status, observedGeneration=scaler.metadata.generation)


def say(
    status: HorizontalPodAutoscalerStatus, type_: str, value: str, said: Said, now: datetime
) -> HorizontalPodAutoscalerStatus:
    """The status with one condition set; its time of transition stays while its value does."""
    known = next((each for each in status.conditions if each.type == type_), None)
    since = known.lastTransitionTime if known is not None and known.status == value else clock.timestamp(now)
    told = HorizontalPodAutoscalerCondition(
        type=type_,
        status=value,
        reason=said[0],
        message=said[1],
        lastTransitionTime=since,
        observedGeneration=status.observedGeneration,
    )
    if known is None:
        return replace(status, conditions=[*status.conditions, told])
    return replace(status, conditions=[told if each is known else each for each in status.conditions])
