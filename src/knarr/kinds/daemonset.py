"""DaemonSet: one pod on every node that wants it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules, workloads
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.podspec_defaults import template_defaults
from knarr.kinds.trees import child, fill, fill_zero, keep_spec, keep_status, part
from knarr.kinds.types.apps_v1 import DaemonSet, DaemonSetUpdateStrategy, RollingUpdateDaemonSet
from knarr.meta import field, labels
from knarr.meta.field import FieldError, at

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
STRATEGIES = ("RollingUpdate", "OnDelete")
NEW_STATUS = {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0}
COUNTS = (
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
)


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    strategy = child(spec, "updateStrategy")
    fill_zero(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(child(strategy, "rollingUpdate"), maxUnavailable=1, maxSurge=0)
    fill(spec, revisionHistoryLimit=10)
    template_defaults(child(spec, "template"))
    fill(child(tree, "status"), **NEW_STATUS)


def prepare_create(tree: Tree) -> None:
    tree["status"] = dict(NEW_STATUS)
    count_template(tree, 1)


def prepare_update(new: Tree, old: Tree) -> None:
    """Keep the status; the old counter of templates goes up with every new template."""
    keep_status(new, old)
    text = part(old, "metadata", "annotations").get(TEMPLATE_GENERATION, "")
    before = int(text) if text.isdecimal() and len(text) < 20 else 0
    changed = part(new, "spec").get("template") != part(old, "spec").get("template")
    count_template(new, before + changed)


def count_template(tree: Tree, generation: int) -> None:
    child(child(tree, "metadata"), "annotations")[TEMPLATE_GENERATION] = str(generation)


def validate(set_: DaemonSet) -> Iterator[FieldError]:
    spec = set_.spec
    yield from workloads.selects_template(spec.selector, spec.template, "daemonset")
    yield from workloads.long_lived_template(spec.template, "DaemonSet")
    yield from rules.not_negative(spec.minReadySeconds, "spec.minReadySeconds")
    yield from strategy_rules(spec.updateStrategy or DaemonSetUpdateStrategy(), "spec.updateStrategy")
    yield from rules.not_negative(spec.revisionHistoryLimit, "spec.revisionHistoryLimit")


def strategy_rules(strategy: DaemonSetUpdateStrategy, path: str) -> Iterator[FieldError]:
    if strategy.type == "RollingUpdate":
        yield from rolling_rules(strategy.rollingUpdate or RollingUpdateDaemonSet(), at(path, "rollingUpdate"))
    elif strategy.type != "OnDelete":
        yield field.unsupported(path, {"Type": strategy.type, "RollingUpdate": None}, STRATEGIES)


def rolling_rules(rolling: RollingUpdateDaemonSet, path: str) -> Iterator[FieldError]:
    unavailable, surge = rolling.maxUnavailable or 0, rolling.maxSurge or 0
    yield from workloads.number_or_percent(unavailable, at(path, "maxUnavailable"))
    yield from workloads.number_or_percent(surge, at(path, "maxSurge"))
    yield from workloads.at_most_all(unavailable, at(path, "maxUnavailable"))
    yield from workloads.at_most_all(surge, at(path, "maxSurge"))
    none, still = unavailable in (0, "0%"), surge in (0, "0%")
    if none and still:
        yield field.required(at(path, "maxUnavailable"), "cannot be 0 when maxSurge is 0")
    elif not none and not still:
        yield field.wrong(at(path, "maxSurge"), surge, "may not be set when maxUnavailable is non-zero")


def validate_update(new: DaemonSet, old: DaemonSet) -> Iterator[FieldError]:
    yield from rules.unchanged(new.spec.selector, old.spec.selector, "spec.selector")
    yield from validate(new)


def validate_status(new: DaemonSet, old: DaemonSet) -> Iterator[FieldError]:
    for name in COUNTS:
        yield from rules.not_negative(getattr(new.status, name), at("status", name))
    if (new.status.collisionCount or 0) < (old.status.collisionCount or 0):
        yield field.wrong("status.collisionCount", new.status.collisionCount or 0, "cannot be decremented")


def row(set_: DaemonSet, now: datetime) -> Sequence[object]:
    status = set_.status
    return (
        set_.metadata.name,
        status.desiredNumberScheduled,
        status.currentNumberScheduled,
        status.numberReady,
        status.updatedNumberScheduled or 0,
        status.numberAvailable or 0,
        cells.labels(set_.spec.template.spec.nodeSelector),
        cells.age(set_, now),
        *workloads.shown_containers(set_.spec.template),
        labels.shown(set_.spec.selector),
    )


KIND = Kind(
    type=DaemonSet,
    group="apps",
    version="v1",
    kind="DaemonSet",
    plural="daemonsets",
    singular="daemonset",
    short_names=("ds",),
    categories=("all",),
    subresources={"status": ("get", "patch", "update")},
    generation=True,
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    columns=(
        NAME_COLUMN,
        *(Column(name, "integer") for name in ("Desired", "Current", "Ready", "Up-to-date", "Available")),
        Column("Node Selector"),
        AGE_COLUMN,
        Column("Containers", priority=1),
        Column("Images", priority=1),
        Column("Selector", priority=1),
    ),
    row=row,
)
