"""RoleBinding: who has a role in one namespace."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from knarr.kinds import cells, rbac
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.rbac_v1 import RoleBinding
from knarr.meta.field import FieldError


def validate(binding: RoleBinding) -> Iterable[FieldError]:
    yield from rbac.role_reference(binding.roleRef, ("Role", "ClusterRole"))
    yield from rbac.subjects(binding.subjects, namespaced=True)


def validate_update(new: RoleBinding, old: RoleBinding) -> Iterable[FieldError]:
    yield from validate(new)
    yield from rbac.same_reference(new.roleRef, old.roleRef)


def row(binding: RoleBinding, now: datetime) -> Sequence[object]:
    listed = [rbac.shown_subjects(binding.subjects, kind) for kind in ("User", "Group", "ServiceAccount")]
    reference = f"{binding.roleRef.kind}/{binding.roleRef.name}"
    return binding.metadata.name, reference, cells.age(binding, now), *listed


KIND = Kind(
    type=RoleBinding,
    group=rbac.GROUP,
    version="v1",
    kind="RoleBinding",
    plural="rolebindings",
    singular="rolebinding",
    name_rule="path",
    defaults=rbac.binding_defaults,
    validate=validate,
    validate_update=validate_update,
    columns=(
        NAME_COLUMN,
        Column("Role"),
        AGE_COLUMN,
        Column("Users", priority=1),
        Column("Groups", priority=1),
        Column("ServiceAccounts", priority=1),
    ),
    row=row,
)
