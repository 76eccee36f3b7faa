"""HorizontalPodAutoscaler of autoscaling/v2beta1: the numbers of a metric stand beside its name, not below a target.

Source: `pkg/apis/autoscaling/v2beta1/{defaults,conversion}.go` of Kubernetes.
"""

from collections.abc import Iterator

from knarr.kinds.horizontalpodautoscaler_v1 import BEHAVIOR, packed, unpacked, with_notes
from knarr.kinds.kind import Tree
from knarr.kinds.old.form import Form
from knarr.kinds.trees import child, fill, items, part

NAME, SELECTOR = "metric.name", "metric.selector"
#: by source, in the order of the fields' numbers: this form's fields -> where autoscaling/v2 has them
SOURCES = {
    "object": {
        "target": "describedObject",
        "metricName": NAME,
        "targetValue": "target.value",
        "selector": SELECTOR,
        "averageValue": "target.averageValue",
    },
    "pods": {"metricName": NAME, "targetAverageValue": "target.averageValue", "selector": SELECTOR},
    "resource": {
        "name": "name",
        "targetAverageUtilization": "target.averageUtilization",
        "targetAverageValue": "target.averageValue",
    },
    "external": {
        "metricName": NAME,
        "metricSelector": SELECTOR,
        "targetValue": "target.value",
        "targetAverageValue": "target.averageValue",
    },
}
SOURCES["containerResource"] = {**SOURCES["resource"], "container": "container"}
#: the same for what was measured
READINGS = {
    source: {name.replace("target", "current") if name != "target" else name: path for name, path in fields.items()}
    for source, fields in SOURCES.items()
}
CURRENT = "current"


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    fill(spec, minReplicas=1)
    if not spec.get("metrics"):
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 80}}]


def metrics(tree: Tree) -> Iterator[tuple[Tree, str, bool]]:
    """The metrics with the name of the source that each has, and whether it is a reading."""
    for where, key in (("spec", "metrics"), ("status", "currentMetrics")):
        for metric in items(part(tree, where), key):
            for source in SOURCES:
                if metric.get(source) is not None:
                    yield metric, source, key == "currentMetrics"


def inward(tree: Tree) -> Tree:
    for metric, source, reading in metrics(tree):
        metric[source] = nested(metric[source], source, reading)
    metadata = dict(tree.get("metadata") or {})
    notes = dict(metadata.get("annotations") or {})
    behavior = unpacked(notes.pop(BEHAVIOR, ""))
    if isinstance(behavior, dict):
        child(tree, "spec")["behavior"] = behavior
    return {**tree, "metadata": with_notes(metadata, notes)}


def outward(tree: Tree) -> Tree:
    for metric, source, reading in metrics(tree):
        metric[source] = flat(metric[source], source, reading)
    metadata = dict(tree["metadata"])
    notes = dict(metadata.get("annotations") or {})
    if behavior := part(tree, "spec").pop("behavior", None):
        notes[BEHAVIOR] = packed(behavior)
    return {**tree, "metadata": with_notes(metadata, notes)}


def nested(old: Tree, source: str, reading: bool) -> Tree:
    """A metric's source as autoscaling/v2 has it."""
    new: Tree = {}
    for name, path in (READINGS if reading else SOURCES)[source].items():
        if name in old:
            *above, last = located(path, reading)
            (child(new, above[0]) if above else new)[last] = old[name]
    if not reading:
        target = child(new, "target")
        if source == "object" and "averageValue" in target:
            target.pop("value", None)
        target["type"] = type_of(target)
    return new


def type_of(target: Tree) -> str:
    """What kind of target these numbers are."""
    if "averageUtilization" in target:
        return "Utilization"
    return "Value" if "value" in target else "AverageValue"


def flat(new: Tree, source: str, reading: bool) -> Tree:
    """A metric's source as this version has it."""
    old: Tree = {}
    for name, path in (READINGS if reading else SOURCES)[source].items():
        *above, last = located(path, reading)
        found = part(new, *above).get(last)
        if found is not None:
            old[name] = found
    if source == "object":
        fill(old, **{"currentValue" if reading else "targetValue": "0"})
    return old


def located(path: str, reading: bool) -> list[str]:
    return path.replace("target.", f"{CURRENT}.").split(".") if reading else path.split(".")


AUTOSCALER = Form(defaults, inward, outward)
