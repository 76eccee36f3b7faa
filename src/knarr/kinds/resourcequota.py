"""ResourceQuota: how much a namespace may use in all."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.resources import QUOTA, amounts, quota_resource_name
from knarr.kinds.trees import child, keep_spec, keep_status
from knarr.kinds.types.core_v1 import ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement
from knarr.meta import field
from knarr.meta.field import FieldError, at


def defaults(tree: Tree) -> None:
    child(tree, "spec")
    child(tree, "status")


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


TERMINATING = ("Terminating", "NotTerminating")
BEST_EFFORT = ("BestEffort", "NotBestEffort")
FLAGS = (*TERMINATING, *BEST_EFFORT, "CrossNamespacePodAffinity")
SCOPES = (*FLAGS, "PriorityClass", "VolumeAttributesClass")
POD_RESOURCES = frozenset({"cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory", "pods"})
OF_SCOPE = {  # scope -> the standard resources it can be counted for
    "BestEffort": frozenset({"pods"}),
    "CrossNamespacePodAffinity": frozenset({"pods"}),
    "VolumeAttributesClass": frozenset({"persistentvolumeclaims", "requests.storage"}),
}


def validate(quota: ResourceQuota) -> Iterator[FieldError]:
    yield from amounts(quota.spec.hard, quota_resource_name, "spec.hard")
    yield from scopes(quota.spec)
    if quota.spec.scopeSelector is not None:
        yield from selector(quota.spec)
    yield from validate_status(quota, quota)


def validate_status(new: ResourceQuota, old: ResourceQuota) -> Iterator[FieldError]:
    yield from amounts(new.status.hard, quota_resource_name, "status.hard")
    yield from amounts(new.status.used, quota_resource_name, "status.used")


def validate_update(new: ResourceQuota, old: ResourceQuota) -> Iterator[FieldError]:
    yield from amounts(new.spec.hard, quota_resource_name, "spec.hard")
    yield from scopes(new.spec)
    if new.spec.scopeSelector is not None:
        yield from selector(new.spec)
    if set(new.spec.scopes) != set(old.spec.scopes):
        yield field.wrong("spec.scopes", new.spec.scopes, rules.IMMUTABLE)


def counts(scope: str, resource: str) -> bool:
    """Whether a scope makes sense for a resource."""
    return resource not in QUOTA or resource in OF_SCOPE.get(scope, POD_RESOURCES)


def scopes(spec: ResourceQuotaSpec) -> Iterator[FieldError]:
    path, given = "spec.scopes", spec.scopes
    for scope in given:
        if scope not in SCOPES:
            yield field.wrong(path, given, "unsupported scope")
        elif not all(counts(scope, resource) for resource in spec.hard):
            yield field.wrong(path, given, "unsupported scope applied to resource")
    yield from conflicts(given, given)


def conflicts(found: Sequence[str], shown: Sequence[str]) -> Iterator[FieldError]:
    for pair in (BEST_EFFORT, TERMINATING):
        if set(pair) <= set(found):
            yield field.wrong("spec.scopes", shown, "conflicting scopes")


def selector(spec: ResourceQuotaSpec) -> Iterator[FieldError]:
    assert spec.scopeSelector is not None
    path, given = "spec.scopeSelector.matchExpressions", spec.scopeSelector.matchExpressions
    for requirement in given:
        if requirement.scopeName not in SCOPES:
            yield field.wrong(at(path, "scopeName"), requirement.scopeName, "unsupported scope")
        elif not all(counts(requirement.scopeName, resource) for resource in spec.hard):
            shown = [{"ScopeName": r.scopeName, "Operator": r.operator, "Values": r.values or None} for r in given]
            yield field.wrong(path, {"MatchExpressions": shown}, "unsupported scope applied to resource")
        yield from scope_requirement(requirement, path)
    yield from conflicts([requirement.scopeName for requirement in given], spec.scopes)


def scope_requirement(given: ScopedResourceSelectorRequirement, path: str) -> Iterator[FieldError]:
    if given.scopeName in FLAGS and given.operator != "Exists":
        message = (
            "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
            "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
            "ResourceQuotaScopeCrossNamespacePodAffinity"
        )
        yield field.wrong(at(path, "operator"), given.operator, message)
    if given.operator in ("In", "NotIn"):
        if not given.values:
            message = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            yield field.required(at(path, "values"), message)
    elif given.operator in ("Exists", "DoesNotExist"):
        if given.values:
            message = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            yield field.wrong(at(path, "values"), given.values, message)
    else:
        yield field.wrong(at(path, "operator"), given.operator, "not a valid selector operator")


def row(quota: ResourceQuota, now: datetime) -> Sequence[object]:
    status = quota.status
    used = {name: f"{name}: {status.used.get(name, '0')}/{status.hard[name]}" for name in sorted(status.hard)}
    limits = [text for name, text in used.items() if name.startswith("limits.")]
    requests = [text for name, text in used.items() if not name.startswith("limits.")]
    return quota.metadata.name, ", ".join(requests), ", ".join(limits), cells.age(quota, now)


KIND = Kind(
    type=ResourceQuota,
    group="",
    version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    singular="resourcequota",
    short_names=("quota",),
    subresources={"status": ("get", "patch", "update")},
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    columns=(NAME_COLUMN, Column("Request"), Column("Limit"), AGE_COLUMN),
    row=row,
)
