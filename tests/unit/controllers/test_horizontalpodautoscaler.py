"""How many replicas metrics ask for, and how fast they may come: rule by rule."""

from dataclasses import replace as replace_in
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from knarr.controllers import horizontalpodautoscaler_plan as planned
from knarr.controllers.horizontalpodautoscaler_behavior import (
    History,
    Wish,
    limited,
    rescaled,
    tolerance_of,
)
from knarr.controllers.horizontalpodautoscaler_plan import Decision, decide
from knarr.controllers.horizontalpodautoscaler_proposals import Snapshot
from knarr.controllers.horizontalpodautoscaler_replicas import (
    Incalculable,
    Measured,
    Sample,
    Tolerance,
    by_average,
    by_utilization,
    by_value,
    by_value_per_pod,
)
from knarr.kinds.types import autoscaling_v2 as v2
from knarr.kinds.types.autoscaling_v1 import Scale, ScaleSpec, ScaleStatus
from knarr.kinds.types.core_v1 import Container, ResourceRequirements
from knarr.meta import clock
from knarr.testing.builders import a_meta, a_pod

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WINDOW = timedelta(seconds=15)
JUST_NOW = clock.timestamp(NOW - timedelta(seconds=5))


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def pod(name, *, cpu="100m", **fields):
    asked = ResourceRequirements(requests={"cpu": cpu} if cpu else {})
    return a_pod(name, containers=[Container(name="c", image="i", resources=asked)], **fields)


def began(pod, when):
    return replace(pod, status=replace(pod.status, startTime=clock.timestamp(when)))


def used(**millis):
    return {name: Sample(value, NOW, WINDOW) for name, value in millis.items()}


def measured(pods, samples, resource="cpu", container=""):
    return Measured(pods, samples, NOW, resource, container)


READY = [pod("a"), pod("b"), pod("c")]
STARTING = began(pod("d", ready=False, ready_since=JUST_NOW), ago(60))
PENDING, FAILED, LEAVING = pod("d", phase="Pending"), pod("d", phase="Failed"), pod("d", deleting=True)

#: sentence -> pods, what they use, target in percent, current replicas, replicas asked for, percent
UTILIZATION = {
    "twice the target asks for twice as many": (READY, used(a=100, b=100, c=100), 50, 3, 6, 100),
    "half of it for half, rounded up": (READY, used(a=25, b=25, c=25), 50, 3, 2, 25),
    "what is near enough stays": (READY, used(a=54, b=54, c=54), 50, 3, 3, 54),
    "what is above the tolerance does not": (READY, used(a=56, b=56, c=56), 50, 3, 4, 56),
    "nothing used asks for none": (READY, used(a=0, b=0, c=0), 50, 3, 0, 0),
    "on the way up a pod without metrics uses nothing": (READY, used(a=100, b=100), 50, 3, 4, 100),
    "which may take the reason to grow away": (READY, used(a=70, b=70), 50, 3, 3, 70),
    "on the way down it uses all that it asked for": (READY, used(a=5, b=5), 50, 3, 3, 5),
    "or its target where that is more": (READY, used(a=10, b=10), 120, 3, 2, 10),
    "on the way up a starting pod uses nothing": ([*READY, STARTING], used(a=100, b=100, c=100, d=900), 50, 4, 6, 100),
    "and on the way down it is left out": ([*READY, STARTING], used(a=25, b=25, c=25, d=900), 50, 4, 2, 25),
    "so is one that is pending": ([*READY, PENDING], used(a=25, b=25, c=25), 50, 4, 2, 25),
    "one that failed counts for nothing": ([*READY, FAILED], used(a=100, b=100, c=100, d=900), 50, 4, 6, 100),
    "nor does one on its way out": ([*READY, LEAVING], used(a=100, b=100, c=100, d=900), 50, 4, 6, 100),
}


@pytest.mark.parametrize("pods, samples, target, current, replicas, percent", UTILIZATION.values(), ids=UTILIZATION)
def test_shares_of_requests(pods, samples, target, current, replicas, percent):
    found = by_utilization(current, target, Tolerance(), measured(pods, samples))
    assert (found.replicas, found.utilization) == (replicas, percent)


#: sentence -> pods, what they use, container, why nothing is said
INCALCULABLE = {
    "no pods": ([], used(), "", "no pods returned by selector while calculating replica count"),
    "no metrics of ready pods": (
        [STARTING], used(d=5), "", "did not receive metrics for targeted pods (pods might be unready)",
    ),
    "a container that requests nothing": (
        [pod("a", cpu="")], used(a=5), "", "missing request for cpu in container c of Pod a",
    ),
    "a container that is not there": ([pod("a")], used(a=5), "x", "container x not found in Pod a"),
    "metrics of other pods alone": ([pod("a", cpu="0")], used(a=5), "", "no metrics returned matched known pods"),
}  # fmt: skip


@pytest.mark.parametrize("pods, samples, container, why", INCALCULABLE.values(), ids=INCALCULABLE)
def test_shares_that_cannot_be_said(pods, samples, container, why):
    with pytest.raises(Incalculable) as error:
        by_utilization(1, 50, Tolerance(), measured(pods, samples, container=container))
    assert str(error.value) == why


def test_cpu_of_a_start_does_not_count_until_a_window_has_passed_since_readiness():
    fresh = pod("a", ready_since=clock.timestamp(ago(10)))
    young = began(fresh, ago(60))
    with pytest.raises(Incalculable):
        by_utilization(1, 50, Tolerance(), measured([young], used(a=100)))
    assert by_average(1, 50, Tolerance(), measured([young], used(a=100), "memory")).replicas == 2


#: sentence -> pods, values, target, current, replicas, average
AVERAGES = {
    "twice the target asks for twice as many": (READY, used(a=20, b=20, c=20), 10, 3, 6, 20),
    "an average is what counts": (READY, used(a=30, b=0, c=0), 10, 3, 3, 10),
    "a pod without metrics is at its target on the way down": (READY, used(a=2, b=2), 10, 3, 2, 2),
    "and at nothing on the way up": (READY, used(a=20, b=20), 10, 3, 4, 20),
}


@pytest.mark.parametrize("pods, samples, target, current, replicas, average", AVERAGES.values(), ids=AVERAGES)
def test_averages(pods, samples, target, current, replicas, average):
    found = by_average(current, target, Tolerance(), measured(pods, samples, ""))
    assert (found.replicas, found.average) == (replicas, average)


#: sentence -> current replicas, value, target, replicas
VALUES = {
    "a value twice the target asks for twice the ready pods": (3, 20, 10, 6),
    "one that is near enough for what there is": (3, 11, 10, 3),
    "from none it asks for as many as it is worth": (0, 25, 10, 3),
    "and from none for none while it is nothing": (0, 0, 10, 0),
}


@pytest.mark.parametrize("current, usage, target, replicas", VALUES.values(), ids=VALUES)
def test_values(current, usage, target, replicas):
    assert by_value(current, usage, target, Tolerance(), READY).replicas == replicas


#: sentence -> existing replicas, value, target of each, replicas, average
PER_POD = {
    "a value is shared by as many as their targets allow": (3, 100, 10, 10, 34),
    "near enough is enough": (10, 105, 10, 10, 11),
    "from none too": (0, 25, 10, 3, 0),
}


@pytest.mark.parametrize("existing, usage, target, replicas, average", PER_POD.values(), ids=PER_POD)
def test_values_of_each_pod(existing, usage, target, replicas, average):
    found = by_value_per_pod(existing, usage, target, Tolerance())
    assert (found.replicas, found.average) == (replicas, average)


def test_tolerances_are_those_of_the_behavior():
    rules = v2.HorizontalPodAutoscalerBehavior(scaleUp=v2.HPAScalingRules(tolerance="500m"))
    found = tolerance_of(v2.HorizontalPodAutoscalerSpec(behavior=rules))
    assert (found.down, found.up) == (0.1, 0.5)
    assert by_utilization(3, 50, found, measured(READY, used(a=74, b=74, c=74))).replicas == 3


# How fast


def policy(type_, value, period=60):
    return v2.HPAScalingPolicy(type=type_, value=value, periodSeconds=period)


def behavior(up=(), down=(), select="Max", up_window=0, down_window=0):
    usual = (policy("Percent", 1000),)
    return v2.HorizontalPodAutoscalerBehavior(
        scaleUp=v2.HPAScalingRules(
            policies=list(up or usual), selectPolicy=select, stabilizationWindowSeconds=up_window
        ),
        scaleDown=v2.HPAScalingRules(
            policies=list(down or (policy("Percent", 100),)),
            selectPolicy=select,
            stabilizationWindowSeconds=down_window,
        ),
    )


def history(recommended=(), changes=()):
    return History([(n, ago(s)) for n, s in recommended], [(n, ago(s)) for n, s in changes])


BOTH = (policy("Pods", 4), policy("Percent", 100))
#: sentence -> behavior, current, desired, history, replicas, why held, why bounded
SPEEDS = {
    "a wish within the bounds is granted": (None, 5, 6, history(), 6, "ReadyForNewScale", "DesiredWithinRange"),
    "without a behavior four may be had at once": (None, 1, 9, history(), 4, "ReadyForNewScale", "ScaleUpLimit"),
    "and then twice as many": (None, 6, 15, history(), 12, "ReadyForNewScale", "ScaleUpLimit"),
    "but no more than the most": (None, 15, 40, history(), 20, "ReadyForNewScale", "TooManyReplicas"),
    "nor fewer than the least": (None, 5, 0, history(), 2, "ReadyForNewScale", "TooFewReplicas"),
    "five minutes' highest wish holds on the way down": (
        None, 10, 3, history([(8, 299)]), 8, "ScaleDownStabilized", "DesiredWithinRange",
    ),
    "what was longer ago does not": (None, 10, 3, history([(8, 301)]), 3, "ReadyForNewScale", "DesiredWithinRange"),
    "a window of one's own holds on the way down": (
        behavior(down_window=60), 10, 3, history([(9, 61), (7, 30)]), 7, "ScaleDownStabilized", "DesiredWithinRange",
    ),
    "and on the way up": (
        behavior(up_window=60), 5, 9, history([(6, 30)]), 6, "ScaleUpStabilized", "DesiredWithinRange",
    ),
    "the policy that allows most counts": (
        behavior(BOTH), 10, 20, history(), 20, "ReadyForNewScale", "DesiredWithinRange",
    ),
    "or the one that allows least": (
        behavior(BOTH, select="Min"), 10, 20, history(), 14, "ReadyForNewScale", "ScaleUpLimit",
    ),
    "or none": (
        behavior(select="Disabled"), 10, 20, history(), 10, "ReadyForNewScale", "ScaleUpLimit",
    ),
    "what came within the period counts": (
        behavior([policy("Pods", 4)]), 10, 20, history(changes=[(3, 30)]), 11, "ReadyForNewScale", "ScaleUpLimit",
    ),
    "what came before does not": (
        behavior([policy("Pods", 4)]), 10, 20, history(changes=[(3, 61)]), 14, "ReadyForNewScale", "ScaleUpLimit",
    ),
    "what went is had back on top": (
        behavior([policy("Pods", 4)]), 10, 20, history(changes=[(-2, 30)]), 16, "ReadyForNewScale", "ScaleUpLimit",
    ),
    "policies bound the way down": (
        behavior(down=[policy("Pods", 2)]), 10, 3, history(), 8, "ReadyForNewScale", "ScaleDownLimit",
    ),
    "a share is of what there was": (
        behavior(down=[policy("Percent", 50)]), 8, 2, history(changes=[(-2, 30)]), 5,
        "ReadyForNewScale", "ScaleDownLimit",
    ),
    "the way down may be closed": (
        behavior(select="Disabled"), 10, 3, history(), 10, "ReadyForNewScale", "ScaleDownLimit",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rules, current, desired, past, replicas, held, bounded", SPEEDS.values(), ids=SPEEDS)
def test_how_fast_a_wish_is_granted(rules, current, desired, past, replicas, held, bounded):
    spec = v2.HorizontalPodAutoscalerSpec(behavior=rules)
    found = limited(spec, Wish(current, desired, 2, 20), past, NOW)
    assert (found.replicas, found.stabilized[0], found.bounded[0]) == (replicas, held, bounded)


def test_what_no_window_and_no_period_can_need_any_more_is_forgotten():
    spec = v2.HorizontalPodAutoscalerSpec(behavior=behavior(down_window=60))
    past = history([(5, 61), (4, 59)], [(1, 61), (1, 59)])
    limited(spec, Wish(3, 3, 1, 9), past, NOW)
    rescaled(spec, 3, 5, past, NOW)
    assert past.recommended == [(4, ago(59)), (3, NOW)]
    assert past.changes == [(1, ago(59)), (2, NOW)]


# All together


def cpu(percent):
    target = v2.MetricTarget(type="Utilization", averageUtilization=percent)
    return v2.MetricSpec(type="Resource", resource=v2.ResourceMetricSource(name="cpu", target=target))


def snapshot(current, readings, metrics=None, **spec):
    scaler = v2.HorizontalPodAutoscaler(
        metadata=a_meta("web"),
        spec=v2.HorizontalPodAutoscalerSpec(
            metrics=metrics or [cpu(50)] * len(readings), **{"maxReplicas": 20, **spec}
        ),
    )
    scale = Scale(spec=ScaleSpec(replicas=current), status=ScaleStatus(replicas=current, selector="app=db"))
    return Snapshot(scaler, scale, READY, readings, NOW)


def said(decision):
    return {each.type: (each.status, each.reason) for each in decision.status.conditions}


def test_the_metric_that_asks_for_most_counts():
    decision = decide(snapshot(3, [used(a=50, b=50, c=50), used(a=100, b=100, c=100)]), History())
    assert (decision.replicas, decision.reason) == (
        6,
        "cpu resource utilization (percentage of request) above target",
    )


BROKEN = Incalculable("unable to get metrics for resource cpu: gone")


def test_with_a_broken_metric_the_others_may_let_a_target_grow():
    decision = decide(snapshot(3, [BROKEN, used(a=100, b=100, c=100)]), History())
    assert decision.replicas == 6
    assert said(decision)["ScalingActive"] == ("True", "ValidMetricFound")
    assert [str(event) for event in decision.events] == [
        "event on horizontalpodautoscaler web: FailedGetResourceMetric: failed to get cpu utilization: "
        "unable to get metrics for resource cpu: gone"
    ]


def test_but_not_shrink():
    decision = decide(snapshot(3, [BROKEN, used(a=10, b=10, c=10)]), History())
    assert decision.replicas is None
    assert said(decision)["ScalingActive"] == ("False", "FailedGetResourceMetric")
    assert str(decision.events[-1]) == (
        "event on horizontalpodautoscaler web: FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 2), "
        "first error is: failed to get cpu resource metric value: failed to get cpu utilization: "
        "unable to get metrics for resource cpu: gone"
    )


def test_bounds_come_before_metrics():
    assert decide(snapshot(30, [BROKEN]), History()).replicas == 20
    assert decide(snapshot(1, [BROKEN], minReplicas=2), History()).replicas == 2


QUEUE = v2.MetricSpec(
    type="External",
    external=v2.ExternalMetricSource(
        metric=v2.MetricIdentifier(name="queue"), target=v2.MetricTarget(type="Value", value="10")
    ),
)


def zeroed(snapshot):
    """The snapshot, of a target that the autoscaler brought to no replicas."""
    told = v2.HorizontalPodAutoscalerCondition(type="ScaledToZero", status="True", reason="ScaledToZero")
    status = v2.HorizontalPodAutoscalerStatus(conditions=[told])
    return replace_in(snapshot, scaler=replace(snapshot.scaler, status=status))


#: sentence -> snapshot, replicas, reason
FROM_ZERO = {
    "what somebody else brought to none stays there": (snapshot(0, [25000], [QUEUE], minReplicas=0), None, ""),
    "what the autoscaler brought there comes back": (
        zeroed(snapshot(0, [25000], [QUEUE], minReplicas=0)), 3, "external metric queue(nil) above target",
    ),
    "unless nothing asks for it": (zeroed(snapshot(0, [0], [QUEUE], minReplicas=0)), None, ""),
    "or the metrics need pods": (zeroed(snapshot(0, [BROKEN], minReplicas=0)), None, ""),
    "where the least was raised it comes back to that": (
        zeroed(snapshot(0, [0], [QUEUE], minReplicas=2)), 2, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("seen, replicas, reason", FROM_ZERO.values(), ids=FROM_ZERO)
def test_a_target_at_no_replicas(seen, replicas, reason):
    decision = decide(seen, History())
    assert (decision.replicas, decision.reason) == (replicas, reason)


def test_that_a_target_is_left_alone_is_said():
    assert said(decide(snapshot(0, [BROKEN]), History()))["ScalingActive"] == ("False", "ScalingDisabled")


#: sentence -> metrics, the least, replicas before and after, ScaledToZero
ZEROED = {
    "the last replica goes for want of work": ([QUEUE], 0, 1, 0, ("True", "ScaledToZero")),
    "a first one comes back": ([QUEUE], 0, 0, 1, ("False", "NotScaledToZero")),
    "any other change says that it was none such": ([cpu(50)], 1, 3, 2, ("False", "NotScaledToZero")),
}


@pytest.mark.parametrize("metrics, least, before, after, condition", ZEROED.values(), ids=ZEROED)
def test_whether_the_autoscaler_brought_its_target_to_none_is_said(metrics, least, before, after, condition):
    seen = snapshot(before, [0], metrics, minReplicas=least)
    assert said(planned.rescaled(seen, Decision(seen.scaler.status, after)))["ScaledToZero"] == condition


def test_status_and_conditions_are_of_the_generation_that_was_looked_at():
    seen = snapshot(3, [used(a=50, b=50, c=50)])
    meta = replace(seen.scaler.metadata, generation=7)
    status = decide(replace_in(seen, scaler=replace(seen.scaler, metadata=meta)), History()).status
    assert status.observedGeneration == 7
    assert {each.observedGeneration for each in status.conditions} == {7}


def test_a_first_pass_takes_what_there_is_for_wanted():
    decision = decide(snapshot(3, [used(a=5, b=5, c=5)]), History())
    assert decision.replicas is None
    assert said(decision)["AbleToScale"] == ("True", "ScaleDownStabilized")
