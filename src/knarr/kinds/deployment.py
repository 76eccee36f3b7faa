"""Deployment: a ReplicaSet for each version of a template, and the way from one to the next."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules, workloads
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Scale, Tree
from knarr.kinds.podspec_defaults import template_defaults
from knarr.kinds.trees import child, fill, fill_zero, keep_spec, keep_status
from knarr.kinds.types.apps_v1 import Deployment, DeploymentStrategy, RollingUpdateDeployment
from knarr.meta import field, labels
from knarr.meta.field import FieldError, at

COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
STRATEGIES = ("Recreate", "RollingUpdate")


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = child(spec, "strategy")
    fill_zero(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(child(strategy, "rollingUpdate"), maxUnavailable="25%", maxSurge="25%")
    template_defaults(child(spec, "template"))
    child(tree, "status")


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def validate(deployment: Deployment) -> Iterator[FieldError]:
    spec = deployment.spec
    yield from rules.not_negative(spec.replicas, "spec.replicas")
    yield from workloads.selects_template(spec.selector, spec.template, "deployment")
    yield from workloads.long_lived_template(spec.template, "ReplicaSet")
    yield from strategy_rules(spec.strategy or DeploymentStrategy(), "spec.strategy")
    yield from rules.not_negative(spec.minReadySeconds, "spec.minReadySeconds")
    yield from rules.not_negative(spec.revisionHistoryLimit, "spec.revisionHistoryLimit")
    deadline = spec.progressDeadlineSeconds
    if deadline is not None:
        yield from rules.not_negative(deadline, "spec.progressDeadlineSeconds")
        if deadline <= (spec.minReadySeconds or 0):
            yield field.wrong("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def strategy_rules(strategy: DeploymentStrategy, path: str) -> Iterator[FieldError]:
    rolling = strategy.rollingUpdate
    if strategy.type == "Recreate":
        if rolling is not None:
            message = "may not be specified when strategy `type` is 'Recreate'"
            yield field.forbidden(at(path, "rollingUpdate"), message)
    elif strategy.type == "RollingUpdate":
        yield from rolling_rules(rolling or RollingUpdateDeployment(), at(path, "rollingUpdate"))
    else:
        yield field.unsupported(path, {"Type": strategy.type, "RollingUpdate": None}, STRATEGIES)


def rolling_rules(rolling: RollingUpdateDeployment, path: str) -> Iterator[FieldError]:
    unavailable, surge = rolling.maxUnavailable or 0, rolling.maxSurge or 0
    yield from workloads.number_or_percent(unavailable, at(path, "maxUnavailable"))
    yield from workloads.number_or_percent(surge, at(path, "maxSurge"))
    if unavailable in (0, "0%") and surge in (0, "0%"):
        yield field.wrong(at(path, "maxUnavailable"), unavailable, "may not be 0 when `maxSurge` is 0")
    yield from workloads.at_most_all(unavailable, at(path, "maxUnavailable"))


def validate_update(new: Deployment, old: Deployment) -> Iterator[FieldError]:
    yield from validate(new)
    yield from rules.unchanged(new.spec.selector, old.spec.selector, "spec.selector")


def validate_status(new: Deployment, old: Deployment) -> Iterator[FieldError]:
    status = new.status
    yield from rules.not_negative(status.observedGeneration, "status.observedGeneration")
    yield from workloads.counts(status, COUNTS)
    yield from rules.not_negative(status.unavailableReplicas, "status.unavailableReplicas")
    yield from rules.not_negative(status.collisionCount, "status.collisionCount")
    yield from workloads.available_are_ready(status)
    if (status.collisionCount or 0) < (old.status.collisionCount or 0):
        yield field.wrong("status.collisionCount", status.collisionCount or 0, "cannot be decremented")


def row(deployment: Deployment, now: datetime) -> Sequence[object]:
    status = deployment.status
    return (
        deployment.metadata.name,
        f"{status.readyReplicas or 0}/{deployment.spec.replicas or 0}",
        status.updatedReplicas or 0,
        status.availableReplicas or 0,
        cells.age(deployment, now),
        *workloads.shown_containers(deployment.spec.template),
        labels.shown(deployment.spec.selector),
    )


KIND = Kind(
    type=Deployment,
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    singular="deployment",
    short_names=("deploy",),
    categories=("all",),
    subresources={"scale": ("get", "patch", "update"), "status": ("get", "patch", "update")},
    scale=Scale(selector=lambda deployment: labels.shown(deployment.spec.selector)),
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
        Column("Ready"),
        Column("Up-to-date"),
        Column("Available"),
        AGE_COLUMN,
        Column("Containers", priority=1),
        Column("Images", priority=1),
        Column("Selector", priority=1),
    ),
    row=row,
)
