"""PodTemplate: a pod template that stands on its own."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.podspec import validate_template
from knarr.kinds.podspec_defaults import template_defaults
from knarr.kinds.podspec_warnings import template_warnings
from knarr.kinds.trees import child
from knarr.kinds.types.core_v1 import PodTemplate, PodTemplateSpec
from knarr.meta.field import FieldError


def defaults(tree: Tree) -> None:
    template_defaults(child(tree, "template"))


def validate(template: PodTemplate) -> Iterator[FieldError]:
    yield from validate_template(template.template or PodTemplateSpec(), "template")


COLUMNS = (NAME_COLUMN, Column("Containers"), Column("Images"), Column("Pod Labels"))


def row(template: PodTemplate, now: datetime) -> Sequence[object]:
    inner = template.template or PodTemplateSpec()
    names, images = cells.containers(inner.spec.containers)
    return template.metadata.name, names, images, cells.labels(inner.metadata.labels)


KIND = Kind(
    type=PodTemplate,
    group="",
    version="v1",
    kind="PodTemplate",
    plural="podtemplates",
    singular="podtemplate",
    defaults=defaults,
    generation=True,
    validate=validate,
    validate_update=lambda new, old: validate(new),
    warnings=lambda obj: template_warnings(obj.template, "template"),
    columns=COLUMNS,
    row=row,
)
