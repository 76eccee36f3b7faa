"""ResourceClaimTemplate: the claim each pod of a workload gets. Kept and shown; knarr has no devices to allocate."""

from collections.abc import Iterator

from knarr.kinds import devices, rules
from knarr.kinds.kind import Kind, Tree
from knarr.kinds.trees import part
from knarr.kinds.types.resource_v1 import ResourceClaimTemplate
from knarr.meta.field import FieldError


def defaults(tree: Tree) -> None:
    devices.claim_defaults(part(tree, "spec", "spec"))


def validate(template: ResourceClaimTemplate) -> Iterator[FieldError]:
    yield from devices.claim_rules(template.spec.spec, "spec.spec")


def validate_update(new: ResourceClaimTemplate, old: ResourceClaimTemplate) -> Iterator[FieldError]:
    yield from rules.unchanged(new.spec, old.spec, "spec")
    yield from validate(new)


KIND = Kind(
    type=ResourceClaimTemplate,
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaimTemplate",
    plural="resourceclaimtemplates",
    singular="resourceclaimtemplate",
    defaults=defaults,
    validate=validate,
    validate_update=validate_update,
)
