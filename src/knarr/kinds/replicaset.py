"""ReplicaSet: so many equal pods, whatever happens to single ones."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules, workloads
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Scale, Tree
from knarr.kinds.podspec_defaults import template_defaults
from knarr.kinds.trees import child, fill, keep_spec, keep_status
from knarr.kinds.types.apps_v1 import ReplicaSet
from knarr.kinds.types.core_v1 import PodTemplateSpec
from knarr.meta import labels
from knarr.meta.field import FieldError


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    fill(spec, replicas=1)
    template_defaults(child(spec, "template"))
    fill(child(tree, "status"), replicas=0)


def prepare_create(tree: Tree) -> None:
    tree["status"] = {"replicas": 0}


def validate(set_: ReplicaSet) -> Iterator[FieldError]:
    spec, template = set_.spec, set_.spec.template or PodTemplateSpec()
    yield from rules.not_negative(spec.replicas, "spec.replicas")
    yield from rules.not_negative(spec.minReadySeconds, "spec.minReadySeconds")
    yield from workloads.selects_template(spec.selector, template, "deployment")
    yield from workloads.long_lived_template(template, "ReplicaSet")


def validate_update(new: ReplicaSet, old: ReplicaSet) -> Iterator[FieldError]:
    yield from validate(new)
    yield from rules.unchanged(new.spec.selector, old.spec.selector, "spec.selector")


def validate_status(new: ReplicaSet, old: ReplicaSet) -> Iterator[FieldError]:
    yield from workloads.replica_counts(new.status)


def row(set_: ReplicaSet, now: datetime) -> Sequence[object]:
    status = set_.status
    return (
        set_.metadata.name,
        set_.spec.replicas or 0,
        status.replicas,
        status.readyReplicas or 0,
        cells.age(set_, now),
        *workloads.shown_containers(set_.spec.template or PodTemplateSpec()),
        labels.shown(set_.spec.selector),
    )


KIND = Kind(
    type=ReplicaSet,
    group="apps",
    version="v1",
    kind="ReplicaSet",
    plural="replicasets",
    singular="replicaset",
    short_names=("rs",),
    categories=("all",),
    subresources={"scale": ("get", "patch", "update"), "status": ("get", "patch", "update")},
    scale=Scale(selector=lambda set_: labels.shown(set_.spec.selector)),
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
        Column("Desired", "integer"),
        Column("Current", "integer"),
        Column("Ready", "integer"),
        AGE_COLUMN,
        Column("Containers", priority=1),
        Column("Images", priority=1),
        Column("Selector", priority=1),
    ),
    row=row,
    selectable={"status.replicas": lambda set_: str(set_.status.replicas)},
)
