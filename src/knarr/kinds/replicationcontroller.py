"""ReplicationController: the ReplicaSet's ancestor, with a plain map for a selector."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules, workloads
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Scale, Tree
from knarr.kinds.podspec_defaults import template_defaults
from knarr.kinds.podspec_warnings import template_warnings
from knarr.kinds.trees import child, fill, keep_spec, keep_status, part
from knarr.kinds.types.core_v1 import PodTemplateSpec, ReplicationController
from knarr.meta import field, labels
from knarr.meta.field import FieldError


def defaults(tree: Tree) -> None:
    """One replica; the template's labels are the selector and the controller's own labels when those are empty."""
    spec = child(tree, "spec")
    fill(child(tree, "status"), replicas=0)
    labels = part(spec, "template", "metadata", "labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        if not part(tree, "metadata", "labels"):
            child(tree, "metadata")["labels"] = dict(labels)
    fill(spec, replicas=1)
    if "template" in spec:
        template_defaults(spec["template"])


def prepare_create(tree: Tree) -> None:
    tree["status"] = {"replicas": 0}


def validate(controller: ReplicationController) -> Iterator[FieldError]:
    spec = controller.spec
    yield from rules.not_negative(spec.minReadySeconds, "spec.minReadySeconds")
    if not spec.selector:
        yield field.required("spec.selector")
    yield from rules.not_negative(spec.replicas, "spec.replicas")
    if spec.template is None:
        yield field.required("spec.template")
        return
    if not labels.of_labels(spec.selector).matches(spec.template.metadata.labels):
        message = "`selector` does not match template `labels`"
        yield field.wrong("spec.template.metadata.labels", spec.template.metadata.labels, message)
    yield from workloads.long_lived_template(spec.template, "ReplicationController")


def validate_status(new: ReplicationController, old: ReplicationController) -> Iterator[FieldError]:
    yield from workloads.replica_counts(new.status)


def selector(controller: ReplicationController) -> str:
    """The selector in the form /scale gives it."""
    return str(labels.of_labels(controller.spec.selector))


COLUMNS = (
    NAME_COLUMN,
    Column("Desired", "integer"),
    Column("Current", "integer"),
    Column("Ready", "integer"),
    AGE_COLUMN,
    Column("Containers", priority=1),
    Column("Images", priority=1),
    Column("Selector", priority=1),
)


def row(controller: ReplicationController, now: datetime) -> Sequence[object]:
    template = controller.spec.template or PodTemplateSpec()
    names, images = cells.containers(template.spec.containers)
    return (
        controller.metadata.name,
        controller.spec.replicas or 0,
        controller.status.replicas,
        controller.status.readyReplicas or 0,
        cells.age(controller, now),
        names,
        images,
        cells.labels(controller.spec.selector),
    )


KIND = Kind(
    type=ReplicationController,
    group="",
    version="v1",
    kind="ReplicationController",
    plural="replicationcontrollers",
    singular="replicationcontroller",
    short_names=("rc",),
    categories=("all",),
    subresources={"scale": ("get", "patch", "update"), "status": ("get", "patch", "update")},
    scale=Scale(selector=selector),
    generation=True,
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=lambda new, old: validate(new),
    validate_status=validate_status,
    warnings=lambda obj: template_warnings(obj.spec.template, "spec.template"),
    columns=COLUMNS,
    row=row,
    selectable={"status.replicas": lambda controller: str(controller.status.replicas)},
    propagation="orphan",
)
