"""ClusterRoleBinding: who has a cluster role everywhere."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from knarr.kinds import cells, rbac
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.rbac_v1 import ClusterRoleBinding
from knarr.meta.field import FieldError


def validate(binding: ClusterRoleBinding) -> Iterable[FieldError]:
    yield from rbac.role_reference(binding.roleRef, ("ClusterRole",))
    yield from rbac.subjects(binding.subjects, namespaced=False)


def validate_update(new: ClusterRoleBinding, old: ClusterRoleBinding) -> Iterable[FieldError]:
    yield from validate(new)
    yield from rbac.same_reference(new.roleRef, old.roleRef)


def row(binding: ClusterRoleBinding, now: datetime) -> Sequence[object]:
    listed = [rbac.shown_subjects(binding.subjects, kind) for kind in ("User", "Group", "ServiceAccount")]
    reference = f"{binding.roleRef.kind}/{binding.roleRef.name}"
    return binding.metadata.name, reference, cells.age(binding, now), *listed


KIND = Kind(
    type=ClusterRoleBinding,
    group=rbac.GROUP,
    version="v1",
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    singular="clusterrolebinding",
    namespaced=False,
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
