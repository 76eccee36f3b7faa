"""PodTemplate: a pod template that stands on its own."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.podspec_defaults import template_defaults
from knarr.kinds.trees import child
from knarr.kinds.types.core_v1 import PodTemplate, PodTemplateSpec


def defaults(tree: Tree) -> None:
    template_defaults(child(tree, "template"))


def prepare_create(tree: Tree) -> None:
    child(tree, "metadata")["generation"] = 1


def prepare_update(new: Tree, old: Tree) -> None:
    """Count the changes of the template: this kind has no spec."""
    before = old.get("metadata", {}).get("generation", 0)
    child(new, "metadata")["generation"] = before + (new.get("template") != old.get("template"))


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
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    columns=COLUMNS,
    row=row,
)
