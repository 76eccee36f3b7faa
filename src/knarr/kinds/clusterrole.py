"""ClusterRole: what may be done anywhere, and outside namespaces."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from knarr.kinds import rbac
from knarr.kinds.kind import NAME_COLUMN, Column, Kind
from knarr.kinds.types.rbac_v1 import ClusterRole
from knarr.meta.field import FieldError


def validate(role: ClusterRole) -> Iterable[FieldError]:
    yield from rbac.policy_rules(role.rules, namespaced=False)


def row(role: ClusterRole, now: datetime) -> Sequence[object]:
    return role.metadata.name, role.metadata.creationTimestamp


KIND = Kind(
    type=ClusterRole,
    group=rbac.GROUP,
    version="v1",
    kind="ClusterRole",
    plural="clusterroles",
    singular="clusterrole",
    namespaced=False,
    name_rule="path",
    validate=validate,
    columns=(NAME_COLUMN, Column("Created At", "date")),
    row=row,
)
