"""CustomResourceDefinition: a kind that a user adds."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from knarr.kinds import custom_names, rules, structural
from knarr.kinds.kind import NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, fill, fill_zero, items, keep_spec, keep_status
from knarr.kinds.types.apiextensions_v1 import CustomResourceDefinition, CustomResourceDefinitionVersion
from knarr.meta import field, names
from knarr.meta.field import FieldError, at

SCOPES = ("Cluster", "Namespaced")


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    named = child(spec, "names")
    if kind := named.get("kind"):
        fill_zero(named, singular=kind.lower(), listKind=f"{kind}List")
    fill_zero(child(spec, "conversion"), strategy="None")
    child(tree, "status")


def prepare_create(tree: Tree) -> None:
    stored = [version["name"] for version in items(child(tree, "spec"), "versions") if version.get("storage")]
    tree["status"] = {"acceptedNames": {"kind": "", "plural": ""}}
    fill(tree["status"], **({"storedVersions": stored} if stored else {}))


def validate(definition: CustomResourceDefinition) -> Iterator[FieldError]:
    spec = definition.spec
    expected = f"{spec.names.plural}.{spec.group}"
    if definition.metadata.name != expected:
        message = 'must be spec.names.plural+"."+spec.group'
        yield field.wrong("metadata.name", definition.metadata.name, message)
    if not spec.group:
        yield field.required("spec.group")
    else:
        yield from rules.dns_subdomain(spec.group, "spec.group")
        if "." not in spec.group:
            yield field.wrong("spec.group", spec.group, "should be a domain with at least one dot")
    yield from rules.required_one_of(spec.scope, SCOPES, "spec.scope")
    if sum(version.storage for version in spec.versions) != 1:
        message = "must have exactly one version marked as storage version"
        yield field.wrong("spec.versions", spec.versions, message)
    yield from version_rules(spec.versions)
    yield from rules.needed("spec.names", plural=spec.names.plural, singular=spec.names.singular)
    yield from rules.needed("spec.names", kind=spec.names.kind, listKind=spec.names.listKind)
    if not definition.status.storedVersions:
        yield field.wrong("status.storedVersions", None, "must have at least one stored version")


def version_rules(versions: Sequence[CustomResourceDefinitionVersion]) -> Iterator[FieldError]:
    """Names and schemas; a schema that all versions share is told of once, where upstream keeps it."""
    schemas = [msgspec.to_builtins(v.schema.openAPIV3Schema) if v.schema is not None else None for v in versions]
    shared = bool(schemas) and all(schema == schemas[0] for schema in schemas)
    for index, (version, schema) in enumerate(zip(versions, schemas, strict=True)):
        path = at("spec", "versions", index)
        yield from rules.wrong(at(path, "name"), version.name, names.label_1035_errors(version.name))
        if schema is None:
            yield field.required(at(path, "schema", "openAPIV3Schema"))
        elif not shared:
            yield from structural.root_rules(schema, at(path, "schema", "openAPIV3Schema"))
        elif index == 0:
            yield from structural.root_rules(schema, "spec.validation.openAPIV3Schema")


def validate_update(new: CustomResourceDefinition, old: CustomResourceDefinition) -> Iterator[FieldError]:
    yield from validate(new)
    for name in ("group", "scope"):
        yield from rules.unchanged(getattr(new.spec, name), getattr(old.spec, name), at("spec", name))


def row(definition: CustomResourceDefinition, now: datetime) -> Sequence[object]:
    return definition.metadata.name, definition.metadata.creationTimestamp


KIND = Kind(
    type=CustomResourceDefinition,
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    singular="customresourcedefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources={"status": ("get", "patch", "update")},
    generation=True,
    begin_end=custom_names.begin_end,
    defaults=defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("Created At", "date")),
    row=row,
)
