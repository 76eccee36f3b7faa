"""How fast an autoscaler follows what its metrics ask for: pure.

The highest recommendation of a window holds on the way down, the lowest on the way up; then policies say how much may
change within their periods; then the bounds hold. Without a `behavior` the window down is five minutes, and up a target
at most doubles, or goes to four, with each pass.
Source: kubernetes 1.37, pkg/controller/podautoscaler/horizontal.go.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from knarr.controllers.horizontalpodautoscaler_replicas import TOLERANCE, Tolerance
from knarr.kinds.horizontalpodautoscaler import scale_down, scale_up
from knarr.kinds.types.autoscaling_v2 import HorizontalPodAutoscalerSpec, HPAScalingPolicy, HPAScalingRules
from knarr.meta import quantity

DOWNSCALE_STABILIZATION = 300  #: seconds
UP_FACTOR, UP_LEAST = 2.0, 4.0  #: without a behavior, to which multiple and to how many a pass may go at least
WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
UP_LIMIT = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
DOWN_LIMIT = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
READY = ("ReadyForNewScale", "recommended size matches current size")
HELD_UP = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
HELD_DOWN = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)

Said = tuple[str, str]  #: reason and message
Moment = tuple[int, datetime]  #: a number of replicas, or by how many they changed, and when


@dataclass
class History:
    """What an autoscaler recommended and did of late; lost with the process, as upstream's is."""

    recommended: list[Moment] = field(default_factory=list)
    changes: list[Moment] = field(default_factory=list)


@dataclass(frozen=True)
class Limited:
    """The replicas that may be had now; why they are held, and why they are bounded."""

    replicas: int
    stabilized: Said
    bounded: Said
    limited: bool


@dataclass(frozen=True)
class Wish:
    """What the metrics ask for, and within which bounds."""

    current: int
    desired: int
    least: int
    most: int


def limited(spec: HorizontalPodAutoscalerSpec, wish: Wish, history: History, now: datetime) -> Limited:
    """What may be had of a wish, which the history takes note of."""
    up, down = rules_of(spec)
    held, said = stabilized(spec, wish, history, up, down, now)
    remember(history, wish.desired, up, down, now)
    if spec.behavior is None:
        replicas, bounded = within_default_rate(wish, held)
    else:
        replicas, bounded = within_rates(wish, held, history, up, down, now)
    return Limited(replicas, READY if held == wish.desired else said, bounded, replicas != held)


def rules_of(spec: HorizontalPodAutoscalerSpec) -> tuple[HPAScalingRules, HPAScalingRules]:
    """The rules on the way up and on the way down, with what they leave out."""
    given = spec.behavior
    up = given.scaleUp if given is not None and given.scaleUp is not None else None
    down = given.scaleDown if given is not None and given.scaleDown is not None else None
    usual = msgspec.convert((scale_up(), scale_down()), tuple[HPAScalingRules, HPAScalingRules])
    up, down = up or usual[0], down or usual[1]
    if down.stabilizationWindowSeconds is None:
        down = msgspec.structs.replace(down, stabilizationWindowSeconds=DOWNSCALE_STABILIZATION)
    return up, down


def tolerance_of(spec: HorizontalPodAutoscalerSpec) -> Tolerance:
    """How far from their targets metrics may be."""
    given = spec.behavior

    def read(rules: HPAScalingRules | None) -> float:
        return quantity.parse(rules.tolerance).nano / 1e9 if rules is not None and rules.tolerance else TOLERANCE

    return Tolerance(read(given.scaleDown), read(given.scaleUp)) if given is not None else Tolerance()


def stabilized(
    spec: HorizontalPodAutoscalerSpec,
    wish: Wish,
    history: History,
    up: HPAScalingRules,
    down: HPAScalingRules,
    now: datetime,
) -> tuple[int, Said]:
    """The recommendation that recent ones leave, and what is said when it is not the newest."""
    if spec.behavior is None:
        since = now - timedelta(seconds=DOWNSCALE_STABILIZATION)
        held = max([wish.desired, *(replicas for replicas, when in history.recommended if when >= since)])
        return held, HELD_DOWN

    def recent(rules: HPAScalingRules) -> list[int]:
        since = now - window(rules)
        return [wish.desired, *(replicas for replicas, when in history.recommended if when > since)]

    held = min(max(wish.current, min(recent(up))), max(recent(down)))
    return held, HELD_UP if wish.desired >= wish.current else HELD_DOWN


def window(rules: HPAScalingRules) -> timedelta:
    return timedelta(seconds=rules.stabilizationWindowSeconds or 0)


def remember(history: History, desired: int, up: HPAScalingRules, down: HPAScalingRules, now: datetime) -> None:
    """Keep the recommendations that a window may still need."""
    oldest = now - max(window(up), window(down))
    history.recommended[:] = [moment for moment in history.recommended if moment[1] >= oldest] + [(desired, now)]


def within_default_rate(wish: Wish, held: int) -> tuple[int, Said]:
    """Within the bounds, and no faster than the rule for autoscalers without a behavior."""
    fastest = int(max(UP_FACTOR * wish.current, UP_LEAST))
    most, why = (fastest, UP_LIMIT) if wish.most > fastest else (wish.most, TOO_MANY)
    if held < wish.least:
        return wish.least, TOO_FEW
    return (most, why) if held > most else (held, WITHIN)


def within_rates(
    wish: Wish, held: int, history: History, up: HPAScalingRules, down: HPAScalingRules, now: datetime
) -> tuple[int, Said]:
    """Within the bounds, and no faster than the policies allow."""
    if held > wish.current:
        fastest = max(wish.current, highest(wish.current, history, up, now))
        most, why = (fastest, UP_LIMIT) if wish.most > fastest else (wish.most, TOO_MANY)
        return (most, why) if held > most else (held, WITHIN)
    if held < wish.current:
        fastest = min(wish.current, lowest(wish.current, history, down, now))
        least, why = (fastest, DOWN_LIMIT) if wish.least < fastest else (wish.least, TOO_FEW)
        return (least, why) if held < least else (held, WITHIN)
    return held, WITHIN


def highest(current: int, history: History, rules: HPAScalingRules, now: datetime) -> int:
    """To how many replicas the policies let a target grow now."""
    reached = [grown(current - changed(history, policy, now), policy) for policy in rules.policies]
    if rules.selectPolicy == "Disabled" or not reached:
        return current
    return min(reached) if rules.selectPolicy == "Min" else max(reached)


def lowest(current: int, history: History, rules: HPAScalingRules, now: datetime) -> int:
    """To how many replicas the policies let a target shrink now."""
    reached = [shrunk(current - changed(history, policy, now), policy) for policy in rules.policies]
    if rules.selectPolicy == "Disabled" or not reached:
        return current
    return max(reached) if rules.selectPolicy == "Min" else min(reached)


def grown(before: int, policy: HPAScalingPolicy) -> int:
    if policy.type == "Pods":
        return before + policy.value
    return math.ceil(before * (1 + policy.value / 100))


def shrunk(before: int, policy: HPAScalingPolicy) -> int:
    if policy.type == "Pods":
        return before - policy.value
    return int(before * (1 - policy.value / 100))


def changed(history: History, policy: HPAScalingPolicy, now: datetime) -> int:
    """By how many replicas a target grew within a policy's period; below zero when it shrank."""
    since = now - timedelta(seconds=policy.periodSeconds)
    return sum(change for change, when in history.changes if when > since)


def rescaled(spec: HorizontalPodAutoscalerSpec, before: int, after: int, history: History, now: datetime) -> None:
    """Take note of a change, for the policies, as long as one of them may count it."""
    periods = [policy.periodSeconds for rules in rules_of(spec) for policy in rules.policies]
    oldest = now - timedelta(seconds=max(periods, default=0))
    history.changes[:] = [moment for moment in history.changes if moment[1] >= oldest] + [(after - before, now)]
