"""What a HorizontalPodAutoscaler's spec may say: bounds, target, metrics and behavior.

Rules, limits and wordings after upstream's `validateHorizontalPodAutoscalerSpec`.
"""

from collections.abc import Callable, Iterator
from typing import Any

from knarr.kinds import rules
from knarr.kinds.resources import container_resource_name
from knarr.kinds.types.autoscaling_v2 import (
    ContainerResourceMetricSource,
    CrossVersionObjectReference,
    ExternalMetricSource,
    HorizontalPodAutoscalerSpec,
    HPAScalingRules,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    ObjectMetricSource,
    PodsMetricSource,
    ResourceMetricSource,
)
from knarr.meta import field, names, quantity
from knarr.meta.field import FieldError, at

SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
WITHOUT_PODS = ("Object", "External")  #: types of metrics that can be read while there is no pod
TARGETS = ("Utilization", "Value", "AverageValue")
SELECT_POLICIES = ("Disabled", "Max", "Min")
LONGEST_WINDOW, LONGEST_PERIOD = 3600, 1800  #: seconds


def spec_rules(spec: HorizontalPodAutoscalerSpec, old: HorizontalPodAutoscalerSpec | None) -> Iterator[FieldError]:
    """What a spec breaks; of an `old` one, what it broke already may stay."""
    least = spec.minReplicas
    yield from rules.not_negative(least, "spec.minReplicas")
    if spec.maxReplicas < 1:
        yield field.wrong("spec.maxReplicas", spec.maxReplicas, "must be greater than 0")
    if least is not None and spec.maxReplicas < least:
        yield field.wrong("spec.maxReplicas", spec.maxReplicas, "must be greater than or equal to `minReplicas`")
    yield from scale_target_rules(spec.scaleTargetRef, old)
    yield from metrics_rules(spec, old)
    if spec.behavior is not None:
        for name in ("scaleUp", "scaleDown"):
            if (rule := getattr(spec.behavior, name)) is not None:
                yield from scaling_rules(rule, at("spec", "behavior", name))


# What is scaled


def scale_target_rules(
    target: CrossVersionObjectReference, old: HorizontalPodAutoscalerSpec | None
) -> Iterator[FieldError]:
    path = "spec.scaleTargetRef"
    yield from reference_rules(target, path)
    before = old.scaleTargetRef if old is not None else None
    if before is None or (before.apiVersion, before.kind) != (target.apiVersion, target.kind):
        core = target.kind == "ReplicationController"  # the only kind of the core group that has a scale
        yield from rules.wrong(at(path, "apiVersion"), target.apiVersion, version_errors(target, core=core))


def reference_rules(reference: CrossVersionObjectReference, path: str) -> Iterator[FieldError]:
    for name in ("kind", "name"):
        value = getattr(reference, name)
        yield from rules.needed(path, **{name: value})
        yield from rules.wrong(at(path, name), value, names.path_segment_errors(value))


def version_errors(reference: CrossVersionObjectReference, *, core: bool) -> list[str]:
    """What is wrong with the version of an object; `core` when one of the core group will do."""
    parts = reference.apiVersion.split("/")
    if len(parts) > 2:
        return [f"unexpected GroupVersion string: {reference.apiVersion}"]
    return [] if core or (len(parts) == 2 and parts[0]) else ["apiVersion must specify API group"]


# Metrics


def metrics_rules(spec: HorizontalPodAutoscalerSpec, old: HorizontalPodAutoscalerSpec | None) -> Iterator[FieldError]:
    known = any(described_errors(metric) for metric in old.metrics) if old is not None else False
    for index, metric in enumerate(spec.metrics):
        path = at("spec", "metrics", index)
        yield from metric_rules(metric, path)
        if metric.object is not None and not known:
            where = at(path, "object", "describedObject", "apiVersion")
            yield from rules.wrong(where, metric.object.describedObject.apiVersion, described_errors(metric))
    if spec.minReplicas == 0 and not has_metrics_without_pods(spec):
        message = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield field.forbidden("spec.metrics", message)


def has_metrics_without_pods(spec: HorizontalPodAutoscalerSpec) -> bool:
    return any(metric.type in WITHOUT_PODS for metric in spec.metrics)


def described_errors(metric: MetricSpec) -> list[str]:
    """What is wrong with the version of the object that a metric is about."""
    return version_errors(metric.object.describedObject, core=True) if metric.object is not None else []


def metric_rules(metric: MetricSpec, path: str) -> Iterator[FieldError]:
    if metric.type not in SOURCES:
        yield from rules.required_one_of(metric.type, tuple(SOURCES), at(path, "type"))
        return
    expected = SOURCES[metric.type]
    given = [name for name in ("object", "external", "pods", "resource", "containerResource") if getattr(metric, name)]
    for name in given[:1]:
        yield from SOURCE_RULES[name](getattr(metric, name), at(path, name))
    if expected not in given:
        yield field.required(at(path, expected), "must populate information for the given metric source")
    for name in given:
        if name != expected:
            yield field.forbidden(at(path, name), "must populate the given metric source only")


def object_rules(source: ObjectMetricSource, path: str) -> Iterator[FieldError]:
    yield from reference_rules(source.describedObject, at(path, "describedObject"))
    yield from identifier_rules(source.metric, at(path, "metric"))
    yield from target_rules(source.target, at(path, "target"))
    if not source.target.value and not source.target.averageValue:
        yield field.required(at(path, "target", "averageValue"), "must set either a target value or averageValue")


def external_rules(source: ExternalMetricSource, path: str) -> Iterator[FieldError]:
    yield from identifier_rules(source.metric, at(path, "metric"))
    yield from target_rules(source.target, at(path, "target"))
    both = "a target value for metric and a per-pod target"
    if not source.target.value and not source.target.averageValue:
        message = f"must set either {both.replace(' and ', ' or ')}"
        yield field.required(at(path, "target", "averageValue"), message)
    if source.target.value and source.target.averageValue:
        yield field.forbidden(at(path, "target", "value"), f"may not set both {both}")


def pods_rules(source: PodsMetricSource, path: str) -> Iterator[FieldError]:
    yield from identifier_rules(source.metric, at(path, "metric"))
    yield from target_rules(source.target, at(path, "target"))
    if not source.target.averageValue:
        yield field.required(at(path, "target", "averageValue"), "must specify a positive target averageValue")


def resource_rules(source: ResourceMetricSource, path: str) -> Iterator[FieldError]:
    if not source.name:
        yield field.required(at(path, "name"), "must specify a resource name")
    yield from usage_rules(source.target, at(path, "target"))


def container_rules(source: ContainerResourceMetricSource, path: str) -> Iterator[FieldError]:
    if not source.name:
        yield field.required(at(path, "name"), "must specify a resource name")
    else:
        yield from container_resource_name(source.name, at(path, "name"))
    if not source.container:
        yield field.required(at(path, "container"), "must specify a container")
    else:
        yield from rules.dns_label(source.container, at(path, "container"))
    yield from usage_rules(source.target, at(path, "target"))


SOURCE_RULES: dict[str, Callable[[Any, str], Iterator[FieldError]]] = {
    "object": object_rules,
    "external": external_rules,
    "pods": pods_rules,
    "resource": resource_rules,
    "containerResource": container_rules,
}


def identifier_rules(metric: MetricIdentifier, path: str) -> Iterator[FieldError]:
    if not metric.name:
        yield field.required(at(path, "name"), "must specify a metric name")
    yield from rules.wrong(at(path, "name"), metric.name, names.path_segment_errors(metric.name))


def usage_rules(target: MetricTarget, path: str) -> Iterator[FieldError]:
    """The target of what pods use: an amount, or a share of what they request."""
    yield from target_rules(target, path)
    both = "a target raw value and a target utilization"
    if target.averageUtilization is None and not target.averageValue:
        message = f"must set either {both.replace(' and ', ' or ')}"
        yield field.required(at(path, "averageUtilization"), message)
    if target.averageUtilization is not None and target.averageValue:
        yield field.forbidden(at(path, "averageValue"), f"may not set both {both}")


def target_rules(target: MetricTarget, path: str) -> Iterator[FieldError]:
    if not target.type:
        yield field.required(at(path, "type"), "must specify a metric target type")
    if target.type not in TARGETS:
        yield field.wrong(at(path, "type"), target.type, "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        if (amount := getattr(target, name)) and quantity.parse(amount).nano <= 0:
            yield field.wrong(at(path, name), amount, "must be positive")
    if target.averageUtilization is not None and target.averageUtilization < 1:
        yield field.wrong(at(path, "averageUtilization"), target.averageUtilization, "must be greater than 0")


# Behavior


def scaling_rules(rule: HPAScalingRules, path: str) -> Iterator[FieldError]:
    window, where = rule.stabilizationWindowSeconds, at(path, "stabilizationWindowSeconds")
    if window is not None and window < 0:
        yield field.wrong(where, window, "must be greater than or equal to zero")
    elif window is not None and window > LONGEST_WINDOW:
        yield field.wrong(where, window, f"must be less than or equal to {LONGEST_WINDOW}")
    if rule.selectPolicy:
        yield from rules.one_of(rule.selectPolicy, SELECT_POLICIES, at(path, "selectPolicy"))
    for index, policy in enumerate(rule.policies):
        where = at(path, "policies", index)
        yield from rules.one_of(policy.type, ("Percent", "Pods"), at(where, "type"))
        if policy.value <= 0:
            yield field.wrong(at(where, "value"), policy.value, "must be greater than zero")
        if policy.periodSeconds <= 0:
            yield field.wrong(at(where, "periodSeconds"), policy.periodSeconds, "must be greater than zero")
        elif policy.periodSeconds > LONGEST_PERIOD:
            message = f"must be less than or equal to {LONGEST_PERIOD}"
            yield field.wrong(at(where, "periodSeconds"), policy.periodSeconds, message)
    if rule.tolerance and quantity.parse(rule.tolerance).nano < 0:
        yield field.wrong(at(path, "tolerance"), rule.tolerance, rules.NOT_NEGATIVE)
