"""Lease: who holds something, and until when: a node's heartbeat, a controller's leadership."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.coordination_v1 import Lease
from knarr.meta import field
from knarr.meta.field import FieldError

STRATEGIES = ("OldestEmulationVersion",)


def validate(lease: Lease) -> Iterable[FieldError]:
    spec = lease.spec
    if spec.leaseDurationSeconds is not None and spec.leaseDurationSeconds <= 0:
        yield field.wrong("spec.leaseDurationSeconds", spec.leaseDurationSeconds, "must be greater than 0")
    if spec.leaseTransitions is not None and spec.leaseTransitions < 0:
        yield field.wrong("spec.leaseTransitions", spec.leaseTransitions, "must be greater than or equal to 0")
    if spec.strategy:
        yield from strategy(spec.strategy, "spec.strategy.strategy")
    elif spec.preferredHolder:
        yield field.forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined")


def strategy(value: str, path: str) -> Iterable[FieldError]:
    """One of Kubernetes' own, or one named by a domain."""
    if "/" in value:
        return rules.qualified_name(value, path)
    return rules.one_of(value, STRATEGIES, path)


def row(lease: Lease, now: datetime) -> Sequence[object]:
    return lease.metadata.name, lease.spec.holderIdentity or "", cells.age(lease, now)


KIND = Kind(
    type=Lease,
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    singular="lease",
    validate=validate,
    columns=(NAME_COLUMN, Column("Holder"), AGE_COLUMN),
    row=row,
)
