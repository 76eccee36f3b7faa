"""What each metric of an autoscaler asks for, and what is said of it: pure.

One function for each type of source, in a table; all of them take what was read of the metric and give the replicas, a
name for the metric and its status, or raise Incalculable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from knarr.controllers.horizontalpodautoscaler_behavior import tolerance_of
from knarr.controllers.horizontalpodautoscaler_replicas import (
    Incalculable,
    Measured,
    Proposal,
    Sample,
    Samples,
    Tolerance,
    by_average,
    by_utilization,
    by_value,
    by_value_per_pod,
)
from knarr.kinds.types.autoscaling_v1 import Scale
from knarr.kinds.types.autoscaling_v2 import (
    ContainerResourceMetricStatus,
    ExternalMetricStatus,
    HorizontalPodAutoscaler,
    MetricIdentifier,
    MetricSpec,
    MetricStatus,
    MetricTarget,
    MetricValueStatus,
    ObjectMetricStatus,
    PodsMetricStatus,
    ResourceMetricStatus,
)
from knarr.kinds.types.core_v1 import Pod
from knarr.loop import selector_text
from knarr.meta import quantity
from knarr.meta.quantity import BINARY, DECIMAL, Quantity

Reading = Mapping[str, Sample] | int | Incalculable  #: by pod, or one for all, or why there is none


@dataclass(frozen=True)
class Snapshot:
    """What one pass looks at; `readings` are those of the spec's metrics, in their order."""

    scaler: HorizontalPodAutoscaler
    scale: Scale
    pods: Sequence[Pod]
    readings: Sequence[Reading]
    now: datetime

    @property
    def current(self) -> int:
        """The replicas that the target is to have."""
        return self.scale.spec.replicas or 0


@dataclass(frozen=True)
class Proposed:
    """What a metric asks for: so many replicas, for the sake of this metric, whose status is that."""

    replicas: int
    metric: str
    status: MetricStatus


@dataclass(frozen=True)
class Source:
    """A type of metric: why it fails, how it is evaluated, and what its failures are called in an overview."""

    reason: str
    propose: Callable[[MetricSpec, Snapshot, Reading, Tolerance], Proposed]
    failure: Callable[[MetricSpec, str], str]


def propose(metric: MetricSpec, snapshot: Snapshot, reading: Reading) -> Proposed:
    """What one metric asks for. Raises Incalculable."""
    return SOURCES[metric.type].propose(metric, snapshot, reading, tolerance_of(snapshot.scaler.spec))


def of_resource(metric: MetricSpec, snapshot: Snapshot, reading: Reading, tolerance: Tolerance) -> Proposed:
    assert metric.resource is not None
    source = metric.resource
    found, name = of_usage(source.name, "", source.target, snapshot, reading, tolerance)
    status = ResourceMetricStatus(name=source.name, current=current_usage(source.name, found))
    return Proposed(found.replicas, name, MetricStatus(type=metric.type, resource=status))


def of_container(metric: MetricSpec, snapshot: Snapshot, reading: Reading, tolerance: Tolerance) -> Proposed:
    assert metric.containerResource is not None
    source = metric.containerResource
    found, name = of_usage(source.name, source.container, source.target, snapshot, reading, tolerance)
    current = current_usage(source.name, found)
    status = ContainerResourceMetricStatus(name=source.name, container=source.container, current=current)
    return Proposed(found.replicas, name, MetricStatus(type=metric.type, containerResource=status))


def of_usage(
    resource: str, container: str, target: MetricTarget, snapshot: Snapshot, reading: Reading, tolerance: Tolerance
) -> tuple[Proposal, str]:
    """Replicas for what pods, or their containers, use of a resource."""
    what = "usage" if target.averageValue else "utilization"
    if not target.averageValue and target.averageUtilization is None:
        raise Incalculable(
            "invalid resource metric source: neither an average utilization target nor an average value (usage) "
            "target was set"
        )
    try:
        measured = Measured(snapshot.pods, samples(reading), snapshot.now, resource, container)
        if target.averageValue:
            found = by_average(snapshot.current, quantity.parse(target.averageValue).milli, tolerance, measured)
            return found, f"{resource} resource"
        found = by_utilization(snapshot.current, target.averageUtilization or 0, tolerance, measured)
    except Incalculable as error:
        raise Incalculable(f"failed to get {resource} {what}: {error}") from None
    of = "container resource" if container else "resource"
    return found, f"{resource} {of} utilization (percentage of request)"


def of_pods(metric: MetricSpec, snapshot: Snapshot, reading: Reading, tolerance: Tolerance) -> Proposed:
    assert metric.pods is not None
    source = metric.pods
    measured = Measured(snapshot.pods, samples(reading), snapshot.now)
    found = by_average(snapshot.current, quantity.parse(source.target.averageValue).milli, tolerance, measured)
    status = PodsMetricStatus(metric=source.metric, current=MetricValueStatus(averageValue=amount(found.average)))
    return Proposed(found.replicas, f"pods metric {source.metric.name}", MetricStatus(type=metric.type, pods=status))


def of_object(metric: MetricSpec, snapshot: Snapshot, reading: Reading, tolerance: Tolerance) -> Proposed:
    assert metric.object is not None
    source = metric.object
    found, current = of_value("object", source.target, snapshot, reading, tolerance)
    status = ObjectMetricStatus(metric=source.metric, describedObject=source.describedObject, current=current)
    name = f"{source.describedObject.kind} metric {source.metric.name}"
    if not current.value:
        name = external_name(source.metric)
    return Proposed(found.replicas, name, MetricStatus(type=metric.type, object=status))


def of_external(metric: MetricSpec, snapshot: Snapshot, reading: Reading, tolerance: Tolerance) -> Proposed:
    assert metric.external is not None
    source = metric.external
    found, current = of_value("external", source.target, snapshot, reading, tolerance)
    status = ExternalMetricStatus(metric=source.metric, current=current)
    return Proposed(found.replicas, external_name(source.metric), MetricStatus(type=metric.type, external=status))


def of_value(
    source: str, target: MetricTarget, snapshot: Snapshot, reading: Reading, tolerance: Tolerance
) -> tuple[Proposal, MetricValueStatus]:
    """Replicas for a metric that is one number, as a whole or for each pod; an object's target says which by its type,
    an external one's by what it has."""
    usage = number(reading)
    whole = target.value if source == "external" or target.type == "Value" else ""
    average = target.averageValue if source == "external" or target.type == "AverageValue" else ""
    if average:
        existing = snapshot.scale.status.replicas
        found = by_value_per_pod(existing, usage, quantity.parse(average).milli, tolerance)
        return found, MetricValueStatus(averageValue=amount(found.average))
    if whole:
        found = by_value(snapshot.current, usage, quantity.parse(whole).milli, tolerance, snapshot.pods)
        return found, MetricValueStatus(value=amount(found.average))
    raise Incalculable(f"invalid {source} metric source: neither a value target nor an average value target was set")


def external_name(metric: MetricIdentifier) -> str:
    return f"external metric {metric.name}({selector_text.shown(metric.selector)})"


def current_usage(resource: str, found: Proposal) -> MetricValueStatus:
    average = amount(found.average, BINARY if resource == "memory" else DECIMAL)
    return MetricValueStatus(averageUtilization=found.utilization, averageValue=average)


def amount(milli: int, format_: str = DECIMAL) -> str:
    return str(Quantity(milli * 10**6, format_))


def samples(reading: Reading) -> Samples:
    if isinstance(reading, Incalculable):
        raise reading
    assert not isinstance(reading, int), "metrics of pods are read by pod"
    return reading


def number(reading: Reading) -> int:
    if isinstance(reading, Incalculable):
        raise reading
    assert isinstance(reading, int), "metrics of objects and external ones are one number"
    return reading


def resource_failure(metric: MetricSpec, why: str) -> str:
    return f"failed to get {metric.resource.name if metric.resource else ''} resource metric value: {why}"


def container_failure(metric: MetricSpec, why: str) -> str:
    source = metric.containerResource
    return f"failed to get {source.container if source else ''} container metric value: {why}"


def pods_failure(metric: MetricSpec, why: str) -> str:
    return f"failed to get pods metric value: {why}"


def object_failure(metric: MetricSpec, why: str) -> str:
    if metric.object is not None and metric.object.target.type == "AverageValue":
        why = f"failed to get {metric.object.metric.name} object metric: {why}"
    return f"failed to get object metric value: {why}"


def external_failure(metric: MetricSpec, why: str) -> str:
    if metric.external is None:
        return why
    name, average = metric.external.metric.name, metric.external.target.averageValue
    inner = (
        f"failed to get {name} external metric: {why}" if average else f"failed to get external metric {name}: {why}"
    )
    return f"failed to get {name} external metric value: {inner}"


SOURCES = {
    "ContainerResource": Source("FailedGetContainerResourceMetric", of_container, container_failure),
    "External": Source("FailedGetExternalMetric", of_external, external_failure),
    "Object": Source("FailedGetObjectMetric", of_object, object_failure),
    "Pods": Source("FailedGetPodsMetric", of_pods, pods_failure),
    "Resource": Source("FailedGetResourceMetric", of_resource, resource_failure),
}
