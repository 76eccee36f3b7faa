"""PodDisruptionBudget: how many pods of a selection an eviction may not take away."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules, workloads
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import keep_spec, keep_status
from knarr.kinds.types.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec
from knarr.meta import field
from knarr.meta.field import FieldError, at
from knarr.meta.label_rules import validate_selector

NEW_STATUS = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
EVICTION_POLICIES = ("IfHealthyBudget", "AlwaysAllow")


def prepare_create(tree: Tree) -> None:
    tree["status"] = dict(NEW_STATUS)


def validate(budget: PodDisruptionBudget) -> Iterator[FieldError]:
    spec = budget.spec
    if spec.minAvailable is not None and spec.maxUnavailable is not None:
        yield field.wrong("spec", shown(spec), "minAvailable and maxUnavailable cannot be both set")
    for name in ("minAvailable", "maxUnavailable"):
        if (value := getattr(spec, name)) is not None:
            yield from workloads.number_or_percent(value, at("spec", name))
            yield from workloads.at_most_all(value, at("spec", name))
    yield from validate_selector(spec.selector, "spec.selector")
    if spec.unhealthyPodEvictionPolicy:
        yield from rules.one_of(spec.unhealthyPodEvictionPolicy, EVICTION_POLICIES, "spec.unhealthyPodEvictionPolicy")


def shown(spec: PodDisruptionBudgetSpec) -> dict[str, object]:
    """The spec as upstream's server holds it."""
    return {
        "MinAvailable": spec.minAvailable,
        "Selector": spec.selector,
        "MaxUnavailable": spec.maxUnavailable,
        "UnhealthyPodEvictionPolicy": spec.unhealthyPodEvictionPolicy or None,
    }


def validate_status(new: PodDisruptionBudget, old: PodDisruptionBudget) -> Iterator[FieldError]:
    for name in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"):
        yield from rules.not_negative(getattr(new.status, name), at("status", name))


def row(budget: PodDisruptionBudget, now: datetime) -> Sequence[object]:
    least, most = budget.spec.minAvailable, budget.spec.maxUnavailable
    return (
        budget.metadata.name,
        "N/A" if least is None else str(least),
        "N/A" if most is None else str(most),
        budget.status.disruptionsAllowed or 0,
        cells.age(budget, now),
    )


KIND = Kind(
    type=PodDisruptionBudget,
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    singular="poddisruptionbudget",
    short_names=("pdb",),
    subresources={"status": ("get", "patch", "update")},
    generation=True,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_status=validate_status,
    columns=(
        NAME_COLUMN,
        Column("Min Available"),
        Column("Max Unavailable"),
        Column("Allowed Disruptions", "integer"),
        AGE_COLUMN,
    ),
    row=row,
)
