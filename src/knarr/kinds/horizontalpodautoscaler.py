"""HorizontalPodAutoscaler: how many replicas something has, by what they consume."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, fill, keep_spec, keep_status
from knarr.kinds.types.autoscaling_v2 import (
    HorizontalPodAutoscaler,
    HPAScalingRules,
    MetricSpec,
    MetricStatus,
    MetricTarget,
)
from knarr.meta import field
from knarr.meta.field import FieldError, at

SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
SELECT_POLICIES = ("Disabled", "Max", "Min")
SHOWN = 2  #: targets that a table names before it only counts them


def default_metrics() -> list[Tree]:
    target = {"type": "Utilization", "averageUtilization": 80}
    return [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def scale_up() -> Tree:
    policies = [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]
    return {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": policies}


def scale_down() -> Tree:
    return {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    fill(spec, minReplicas=1)
    if not spec.get("metrics"):
        spec["metrics"] = default_metrics()
    if behavior := spec.get("behavior"):
        for name, usual in (("scaleUp", scale_up()), ("scaleDown", scale_down())):
            fill(child(behavior, name), **usual)
    fill(child(tree, "status"), desiredReplicas=0)


def prepare_create(tree: Tree) -> None:
    tree["status"] = {"desiredReplicas": 0}


def validate(scaler: HorizontalPodAutoscaler) -> Iterator[FieldError]:
    spec = scaler.spec
    least = spec.minReplicas
    if least is not None and least < 1:
        yield field.wrong("spec.minReplicas", least, "must be greater than or equal to 1")
    if spec.maxReplicas < 1:
        yield field.wrong("spec.maxReplicas", spec.maxReplicas, "must be greater than 0")
    if least is not None and spec.maxReplicas < least:
        yield field.wrong("spec.maxReplicas", spec.maxReplicas, "must be greater than or equal to `minReplicas`")
    yield from rules.needed("spec.scaleTargetRef", kind=spec.scaleTargetRef.kind, name=spec.scaleTargetRef.name)
    for index, metric in enumerate(spec.metrics):
        yield from metric_rules(metric, at("spec", "metrics", index))
    if spec.behavior is not None:
        for name in ("scaleUp", "scaleDown"):
            if (rule := getattr(spec.behavior, name)) is not None:
                yield from scaling_rules(rule, at("spec", "behavior", name))


def metric_rules(metric: MetricSpec, path: str) -> Iterator[FieldError]:
    if metric.type not in SOURCES:
        yield from rules.required_one_of(metric.type, tuple(SOURCES), at(path, "type"))
        return
    name = SOURCES[metric.type]
    source = getattr(metric, name)
    if source is None:
        yield field.required(at(path, name), "must populate information for the given metric source")
        return
    yield from target_rules(source.target, metric.type, at(path, name, "target"))


def target_rules(target: MetricTarget, source: str, path: str) -> Iterator[FieldError]:
    if target.type not in ("Utilization", "Value", "AverageValue"):
        yield field.wrong(at(path, "type"), target.type, "must be either Utilization, Value, or AverageValue")
    if target.averageUtilization is not None and target.averageUtilization < 1:
        yield field.wrong(at(path, "averageUtilization"), target.averageUtilization, "must be greater than 0")
    if source in ("Resource", "ContainerResource") and target.averageUtilization is None and not target.averageValue:
        message = "must set either a target raw value or a target utilization"
        yield field.required(at(path, "averageUtilization"), message)
    if target.averageUtilization is not None and target.averageValue:
        message = "may not set both a target raw value and a target utilization"
        yield field.forbidden(at(path, "averageValue"), message)


def scaling_rules(rule: HPAScalingRules, path: str) -> Iterator[FieldError]:
    window = rule.stabilizationWindowSeconds
    yield from rules.not_negative(window, at(path, "stabilizationWindowSeconds"))
    if window is not None and window > 3600:
        yield field.wrong(at(path, "stabilizationWindowSeconds"), window, "must be less than or equal to 3600")
    if rule.selectPolicy:
        yield from rules.one_of(rule.selectPolicy, SELECT_POLICIES, at(path, "selectPolicy"))
    for index, policy in enumerate(rule.policies):
        where = at(path, "policies", index)
        yield from rules.one_of(policy.type, ("Percent", "Pods"), at(where, "type"))
        if policy.value <= 0:
            yield field.wrong(at(where, "value"), policy.value, "must be greater than zero")
        if policy.periodSeconds <= 0:
            yield field.wrong(at(where, "periodSeconds"), policy.periodSeconds, "must be greater than zero")
        elif policy.periodSeconds > 1800:
            message = "must be less than or equal to 1800"
            yield field.wrong(at(where, "periodSeconds"), policy.periodSeconds, message)


def shown_target(metric: MetricSpec, current: MetricStatus | None) -> str:
    """One metric as the Targets column shows it: "cpu: 12%/80%"."""
    name = SOURCES.get(metric.type, "")
    source, state = getattr(metric, name, None), getattr(current, name, None) if current else None
    if source is None:
        return "<unknown type>"
    label = f"{source.name}: " if name in ("resource", "containerResource") else ""
    target, found = source.target, state.current if state is not None else None
    if target.averageUtilization is not None:
        now = "<unknown>" if found is None or found.averageUtilization is None else f"{found.averageUtilization}%"
        return f"{label}{now}/{target.averageUtilization}%"
    average = bool(target.averageValue)
    wanted = target.averageValue or target.value
    now = (found.averageValue if average else found.value) if found is not None else ""
    return f"{label}{now or '<unknown>'}/{wanted}" + (" (avg)" if average and name != "resource" else "")


def targets(scaler: HorizontalPodAutoscaler) -> str:
    states = scaler.status.currentMetrics
    shown = [
        shown_target(metric, states[index] if index < len(states) else None)
        for index, metric in enumerate(scaler.spec.metrics)
    ]
    if len(shown) > SHOWN:
        return ", ".join(shown[:SHOWN]) + f" + {len(shown) - SHOWN} more..."
    return ", ".join(shown) or cells.NONE


def row(scaler: HorizontalPodAutoscaler, now: datetime) -> Sequence[object]:
    spec = scaler.spec
    return (
        scaler.metadata.name,
        f"{spec.scaleTargetRef.kind}/{spec.scaleTargetRef.name}",
        targets(scaler),
        cells.UNSET if spec.minReplicas is None else str(spec.minReplicas),
        spec.maxReplicas,
        scaler.status.currentReplicas or 0,
        cells.age(scaler, now),
    )


KIND = Kind(
    type=HorizontalPodAutoscaler,
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    short_names=("hpa",),
    categories=("all",),
    subresources={"status": ("get", "patch", "update")},
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    columns=(
        NAME_COLUMN,
        Column("Reference"),
        Column("Targets"),
        Column("MinPods"),
        Column("MaxPods"),
        Column("Replicas"),
        AGE_COLUMN,
    ),
    row=row,
)
