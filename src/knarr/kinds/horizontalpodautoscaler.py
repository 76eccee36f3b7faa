"""HorizontalPodAutoscaler: how many replicas something has, by what they consume."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.horizontalpodautoscaler_rules import SOURCES, spec_rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, fill, keep_spec, keep_status
from knarr.kinds.types.autoscaling_v2 import HorizontalPodAutoscaler, MetricSpec, MetricStatus
from knarr.meta.field import FieldError, at

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
    yield from spec_rules(scaler.spec, None)


def validate_update(new: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler) -> Iterator[FieldError]:
    yield from spec_rules(new.spec, old.spec)


def validate_status(new: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler) -> Iterator[FieldError]:
    for name in ("currentReplicas", "desiredReplicas"):
        yield from rules.not_negative(getattr(new.status, name), at("status", name))


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
    generation=True,
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
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
