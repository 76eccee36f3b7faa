"""PodDisruptionBudget: how many pods of a selection an eviction may not take away."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from knarr.kinds import cells, rules, workloads
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import keep_spec, keep_status
from knarr.kinds.types.meta_v1 import Condition
from knarr.kinds.types.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from knarr.meta import clock, field
from knarr.meta.field import FieldError, at
from knarr.meta.label_rules import validate_selector

NEW_STATUS = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
EVICTION_POLICIES = ("IfHealthyBudget", "AlwaysAllow")
ALLOWED = "DisruptionAllowed"  #: the one type of condition
SUFFICIENT, INSUFFICIENT, SYNC_FAILED = "SufficientPods", "InsufficientPods", "SyncFailed"


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


def allowance(status: PodDisruptionBudgetStatus, now: datetime) -> PodDisruptionBudgetStatus:
    """The status with the condition that says whether it allows a disruption."""
    if (status.disruptionsAllowed or 0) > 0:
        return set_condition(status, "True", SUFFICIENT, "", now)
    return set_condition(status, "False", INSUFFICIENT, "", now)


def set_condition(
    status: PodDisruptionBudgetStatus, value: str, reason: str, message: str, now: datetime
) -> PodDisruptionBudgetStatus:
    """The status with its condition set; the time of transition stays while the value does."""
    known = next((each for each in status.conditions if each.type == ALLOWED), None)
    since = known.lastTransitionTime if known is not None and known.status == value else clock.timestamp(now)
    told = Condition(
        type=ALLOWED,
        status=value,
        reason=reason,
        message=message,
        lastTransitionTime=since,
        observedGeneration=status.observedGeneration,
    )
    others = [each for each in status.conditions if each.type != ALLOWED]
    return replace(status, conditions=[*others, told])


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
