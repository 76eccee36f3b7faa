"""Role: what may be done in one namespace."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from knarr.kinds import rbac
from knarr.kinds.kind import NAME_COLUMN, Column, Kind
from knarr.kinds.types.rbac_v1 import Role
from knarr.meta.field import FieldError


def validate(role: Role) -> Iterable[FieldError]:
    yield from rbac.policy_rules(role.rules, namespaced=True)


def row(role: Role, now: datetime) -> Sequence[object]:
    return role.metadata.name, role.metadata.creationTimestamp


KIND = Kind(
    type=Role,
    group=rbac.GROUP,
    version="v1",
    kind="Role",
    plural="roles",
    singular="role",
    name_rule="path",
    validate=validate,
    columns=(NAME_COLUMN, Column("Created At", "date")),
    row=row,
)
