"""HorizontalPodAutoscaler of autoscaling/v1: one target for the CPU; what else v2 says stands in annotations."""

from typing import Any

import msgspec

from knarr.kinds import horizontalpodautoscaler as v2
from knarr.kinds.kind import Kind, Tree, View
from knarr.kinds.trees import child, fill
from knarr.kinds.types.autoscaling_v1 import HorizontalPodAutoscaler

PREFIX = "autoscaling.alpha.kubernetes.io/"
METRICS, BEHAVIOR, CONDITIONS = f"{PREFIX}metrics", f"{PREFIX}behavior", f"{PREFIX}conditions"
CURRENT = f"{PREFIX}current-metrics"
TARGET, FOUND = "targetCPUUtilizationPercentage", "currentCPUUtilizationPercentage"


def defaults(tree: Tree) -> None:
    fill(child(tree, "spec"), minReplicas=1)


def cpu_metric(percent: int, at: str) -> Tree:
    """The metric that v1's one number stands for; `at` is "target" or "current"."""
    number: Tree = {"averageUtilization": percent}
    if at == "target":
        number = {"type": "Utilization", **number}
    return {"type": "Resource", "resource": {"name": "cpu", at: number}}


def percent_of(metric: Tree, at: str) -> int | None:
    """The number of a metric that v1 has a field for."""
    resource = metric.get("resource") or {}
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return None
    found: int | None = (resource.get(at) or {}).get("averageUtilization")
    return found


def inward(tree: Tree) -> Tree:
    spec, status = dict(tree.get("spec") or {}), dict(tree.get("status") or {})
    metadata = dict(tree.get("metadata") or {})
    notes = dict(metadata.get("annotations") or {})
    kept = {key: unpacked(notes.pop(key, "")) for key in (METRICS, BEHAVIOR, CONDITIONS, CURRENT)}
    for part, number, noted, name, at in (
        (spec, TARGET, METRICS, "metrics", "target"),
        (status, FOUND, CURRENT, "currentMetrics", "current"),
    ):
        percent = part.pop(number, None)
        metrics = [cpu_metric(percent, at)] if percent is not None else []
        if isinstance(kept[noted], list):
            metrics += kept[noted]
        if metrics:
            part[name] = metrics
    if isinstance(kept[BEHAVIOR], dict):
        spec["behavior"] = kept[BEHAVIOR]
    if isinstance(kept[CONDITIONS], list):
        status["conditions"] = kept[CONDITIONS]
    return {**tree, "metadata": with_notes(metadata, notes), "spec": spec, "status": status}


def outward(tree: Tree) -> Tree:
    spec, status = dict(tree.get("spec") or {}), dict(tree.get("status") or {})
    metadata = dict(tree["metadata"])
    notes = dict(metadata.get("annotations") or {})
    for part, number, noted, name, at in (
        (spec, TARGET, METRICS, "metrics", "target"),
        (status, FOUND, CURRENT, "currentMetrics", "current"),
    ):
        others = []
        for metric in part.pop(name, None) or ():
            percent = percent_of(metric, at)
            if percent is not None and number not in part:
                part[number] = percent
            else:
                others.append(metric)
        if others:
            notes[noted] = packed(others)
    if behavior := spec.pop("behavior", None):
        notes[BEHAVIOR] = packed(behavior)
    if conditions := status.pop("conditions", None):
        notes[CONDITIONS] = packed(conditions)
    fill(status, currentReplicas=0, desiredReplicas=0)
    return {**tree, "metadata": with_notes(metadata, notes), "spec": spec, "status": status}


def with_notes(metadata: Tree, notes: Tree) -> Tree:
    rest = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**rest, "annotations": notes} if notes else rest


def packed(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def unpacked(text: str) -> Any:
    """What an annotation holds; nothing when somebody wrote something else into it, as upstream does."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


KIND = Kind(
    type=HorizontalPodAutoscaler,
    group="autoscaling",
    version="v1",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    short_names=("hpa",),
    categories=("all",),
    subresources={"status": ("get", "patch", "update")},
    defaults=defaults,
    columns=v2.KIND.columns,
    view=View(v2.KIND, inward, outward),
)
