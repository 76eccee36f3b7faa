"""How many replicas a metric asks for: pure. Amounts are in thousandths (millicores, thousandths of a byte).

Pods that are not ready yet are left out, and pods without a metric, until what is known says which way to go: then they
count as using nothing when more replicas are wanted, and as using all that they may when fewer are. A number that would
turn the direction round is not followed.
Source: kubernetes 1.37, pkg/controller/podautoscaler/replica_calculator.go.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from knarr.kinds.pod import condition, is_active, is_ready
from knarr.kinds.pod_resources import requests
from knarr.kinds.types.core_v1 import Pod
from knarr.meta import clock, quantity

CPU_INITIALIZATION = timedelta(minutes=5)  #: after its start a pod's CPU counts only while it is ready
FIRST_READINESS = timedelta(seconds=30)  #: a pod that was last unready this soon after its start was never ready
TOLERANCE = 0.1
MOST = 2**31 - 1  #: replicas
NO_PODS = "no pods returned by selector while calculating replica count"
NO_METRICS = "did not receive metrics for targeted pods (pods might be unready)"


class Incalculable(Exception):
    """A metric that says nothing; the message says why."""


@dataclass(frozen=True)
class Sample:
    """What a pod used on average over a window that ended at a time."""

    value: int
    timestamp: datetime
    window: timedelta


@dataclass(frozen=True)
class Tolerance:
    """How far below and above its target a metric may be, as shares."""

    down: float = TOLERANCE
    up: float = TOLERANCE

    def allows(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True)
class Proposal:
    """The replicas that a metric asks for, what it is on average, and that as a percentage where one is wanted."""

    replicas: int
    average: int = 0
    utilization: int | None = None


@dataclass(frozen=True)
class Grouped:
    """Pods by what their metrics are worth."""

    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    ignored: frozenset[str]


Samples = Mapping[str, Sample]  #: by the pod's name


@dataclass(frozen=True)
class Measured:
    """The pods of a target and what is known of them. `resource` is "" for metrics that are no resource."""

    pods: Sequence[Pod]
    samples: Samples
    now: datetime
    resource: str = ""
    container: str = ""


def by_utilization(current: int, target: int, tolerance: Tolerance, measured: Measured) -> Proposal:
    """Replicas for an average share, in percent, of what pods request. Incalculable when that cannot be said."""
    groups, values = counted(measured)
    asked = {pod.metadata.name: requested(pod, measured) for pod in measured.pods}

    def ratio_of(amounts: Mapping[str, int]) -> float:
        return utilization(amounts, asked) / target

    share = utilization(values, asked)
    known = [value for name, value in values.items() if name in asked]
    floor = {name: asked[name] * max(100, target) // 100 for name in groups.missing}
    replicas = settle(current, tolerance, groups, values, floor, ratio_of)
    return Proposal(replicas, sum(known) // len(known), share)


def by_average(current: int, target: int, tolerance: Tolerance, measured: Measured) -> Proposal:
    """Replicas for an average amount of each pod. Incalculable when nothing is known of any."""
    groups, values = counted(measured)

    def ratio_of(amounts: Mapping[str, int]) -> float:
        return (sum(amounts.values()) // len(amounts)) / target

    floor = dict.fromkeys(groups.missing, target)
    replicas = settle(current, tolerance, groups, values, floor, ratio_of)
    return Proposal(replicas, sum(values.values()) // len(values))


def by_value(current: int, usage: int, target: int, tolerance: Tolerance, pods: Sequence[Pod]) -> Proposal:
    """Replicas for an amount that is one for all pods, of which each takes its share."""
    ratio = usage / target
    if not current:
        return Proposal(min(math.ceil(ratio), MOST), usage)  # from nothing: as many as the amount is worth
    if tolerance.allows(ratio):
        return Proposal(current, usage)
    if not pods:
        raise Incalculable(f"unable to calculate ready pods: {NO_PODS}")
    ready = sum(pod.status.phase == "Running" and is_ready(pod) for pod in pods)
    return Proposal(min(math.ceil(ratio * ready), MOST), usage)


def by_value_per_pod(existing: int, usage: int, target: int, tolerance: Tolerance) -> Proposal:
    """Replicas for an amount of which each pod is to have so much; `existing` are there."""
    replicas = existing
    if not existing or not tolerance.allows(usage / (target * existing)):
        replicas = min(math.ceil(usage / target), MOST) if usage or existing else 0
    return Proposal(replicas, math.ceil(usage / existing) if existing else 0)


def settle(
    current: int,
    tolerance: Tolerance,
    groups: Grouped,
    values: Mapping[str, int],
    floor: Mapping[str, int],
    ratio_of: Callable[[Mapping[str, int]], float],
) -> int:
    """The replicas for a ratio of use to target; `floor` is what pods without metrics count for on the way down."""
    ratio = ratio_of(values)
    with_unready = bool(groups.unready) and ratio > 1.0
    if not with_unready and not groups.missing:
        return current if tolerance.allows(ratio) else math.ceil(ratio * groups.ready)
    guessed = dict(values)
    if ratio < 1.0:
        guessed |= floor
    elif ratio > 1.0:
        guessed |= dict.fromkeys(groups.missing, 0)
    if with_unready:
        guessed |= dict.fromkeys(groups.unready, 0)
    cautious = ratio_of(guessed)
    if tolerance.allows(cautious) or (ratio < 1.0 < cautious) or (cautious < 1.0 < ratio):
        return current
    replicas = math.ceil(cautious * len(guessed))
    turned = (cautious < 1.0 and replicas > current) or (cautious > 1.0 and replicas < current)
    return current if turned else replicas


def counted(measured: Measured) -> tuple[Grouped, dict[str, int]]:
    """The pods in groups, and the amounts of those that count at first."""
    if not measured.pods:
        raise Incalculable(NO_PODS)
    groups = grouped(measured)
    left_out = groups.ignored | groups.unready
    values = {name: sample.value for name, sample in measured.samples.items() if name not in left_out}
    if not values:
        raise Incalculable(NO_METRICS)
    return groups, values


def grouped(measured: Measured) -> Grouped:
    """Each pod in its group."""
    found: dict[str, set[str]] = {"ready": set(), "unready": set(), "missing": set(), "ignored": set()}
    for pod in measured.pods:
        found[group_of(pod, measured)].add(pod.metadata.name)
    rest = (frozenset(found[name]) for name in ("unready", "missing", "ignored"))
    return Grouped(len(found["ready"]), *rest)


def group_of(pod: Pod, measured: Measured) -> str:
    """What a pod's metric is worth."""
    if not is_active(pod):
        return "ignored"
    if pod.status.phase == "Pending":
        return "unready"
    sample = measured.samples.get(pod.metadata.name)
    if sample is None:
        return "missing"
    return "unready" if measured.resource == "cpu" and is_starting(pod, sample, measured.now) else "ready"


def is_starting(pod: Pod, sample: Sample, now: datetime) -> bool:
    """Whether the CPU that a pod used may be that of its start."""
    ready = condition(pod, "Ready")
    if ready is None or not pod.status.startTime or not ready.lastTransitionTime:
        return True
    started, changed = clock.parse(pod.status.startTime), clock.parse(ready.lastTransitionTime)
    if started + CPU_INITIALIZATION > now:
        return ready.status == "False" or sample.timestamp < changed + sample.window
    return ready.status == "False" and started + FIRST_READINESS > changed


def requested(pod: Pod, measured: Measured) -> int:
    """What a pod, or one container of it, requests of the resource."""
    resource, only, name = measured.resource, measured.container, pod.metadata.name
    if pod.spec.resources is not None and pod.spec.resources.requests and not only:
        whole = requests(pod.spec)
        if resource not in whole:
            raise Incalculable(f"missing pod-level request for {resource} in Pod {name}")
        return whole[resource].milli
    sidecars = [each for each in pod.spec.initContainers if each.restartPolicy == "Always"]
    meant = [each for each in (*pod.spec.containers, *sidecars) if only in ("", each.name)]
    if only and not meant:
        raise Incalculable(f"container {only} not found in Pod {name}")
    total = 0
    for each in meant:
        amount = each.resources.requests.get(resource) if each.resources is not None else None
        if amount is None:
            raise Incalculable(f"missing request for {resource} in container {each.name} of Pod {name}")
        total += quantity.parse(amount).milli
    return total


def utilization(values: Mapping[str, int], asked: Mapping[str, int]) -> int:
    """The share in percent of what is requested that is used."""
    names = values.keys() & asked.keys()
    total = sum(asked[name] for name in names)
    if not total:
        raise Incalculable("no metrics returned matched known pods")
    return sum(values[name] for name in names) * 100 // total
