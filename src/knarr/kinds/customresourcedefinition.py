"""CustomResourceDefinition: a kind that a user adds."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import custom_names, custom_versions, rules
from knarr.kinds.decode import go_name
from knarr.kinds.kind import NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.scalars import Mismatch
from knarr.kinds.schema import undecodable, walker
from knarr.kinds.trees import carry, child, fill, fill_zero, items, keep_spec
from knarr.kinds.types.apiextensions_v1 import (
    CustomResourceConversion,
    CustomResourceDefinition,
    CustomResourceDefinitionNames,
)
from knarr.meta import field, names
from knarr.meta.field import FieldError, at

SCHEMA = "apiextensions_v1.JSONSchemaProps"
SCOPES = ("Cluster", "Namespaced")
STRATEGIES = ("None", "Webhook")


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    named = child(spec, "names")
    if kind := named.get("kind"):
        fill_zero(named, singular=kind.lower(), listKind=f"{kind}List")
    fill_zero(child(spec, "conversion"), strategy="None")
    child(tree, "status")
    for version in items(spec, "versions"):
        try:
            settle((version.get("schema") or {}).get("openAPIV3Schema") or {})
        except Mismatch as mismatch:
            raise undecodable(tree, "apiextensions_v1.CustomResourceDefinition", mismatch.text()) from None


def settle(schema: Tree) -> None:
    """Bring the schemas into form that stand where a boolean or a list may stand too: their types are checked here."""
    for key in ("items", "additionalProperties"):
        inner = schema.get(key)
        if isinstance(inner, dict):
            walker(SCHEMA)(inner)
        elif inner is not None and not (isinstance(inner, bool) and key != "items"):
            raise Mismatch(go_name(inner), "apiextensions.JSONSchemaProps")
    inside = [schema.get("items"), schema.get("additionalProperties"), schema.get("not")]
    inside += (schema.get("properties") or {}).values()
    for key in ("allOf", "anyOf", "oneOf"):
        inside += schema.get(key) or ()
    for inner in inside:
        if isinstance(inner, dict):
            settle(inner)


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
    if len({version.name for version in spec.versions}) != len(spec.versions):
        yield field.wrong("spec.versions", spec.versions, "must contain unique version names")
    if sum(version.storage for version in spec.versions) != 1:
        message = "must have exactly one version marked as storage version"
        yield field.wrong("spec.versions", spec.versions, message)
    if spec.preserveUnknownFields:
        yield field.wrong("spec.preserveUnknownFields", True, "must be false")
    yield from custom_versions.rules_of(spec.versions)
    yield from rules.needed("spec.names", plural=spec.names.plural, singular=spec.names.singular)
    yield from rules.needed("spec.names", kind=spec.names.kind, listKind=spec.names.listKind)
    yield from name_rules(spec.names, "spec.names")
    if spec.conversion is not None:
        yield from conversion_rules(spec.conversion, "spec.conversion")
    yield from protection(definition)
    yield from status_rules(definition)


def name_rules(given: CustomResourceDefinitionNames, path: str) -> Iterator[FieldError]:
    for key in ("plural", "singular"):
        if name := getattr(given, key):
            yield from rules.wrong(at(path, key), name, names.label_1035_errors(name))
    for key in ("kind", "listKind"):
        if name := getattr(given, key):
            for why in names.label_1035_errors(name.lower()):
                yield field.wrong(at(path, key), name, f"may have mixed case, but should otherwise match: {why}")
    for key in ("shortNames", "categories"):
        for index, name in enumerate(getattr(given, key)):
            yield from rules.wrong(at(path, key, index), name, names.label_1035_errors(name))
    if given.kind and given.kind == given.listKind:
        yield field.wrong(at(path, "listKind"), given.listKind, "kind and listKind may not be the same")


def conversion_rules(given: CustomResourceConversion, path: str) -> Iterator[FieldError]:
    yield from rules.required_one_of(given.strategy, STRATEGIES, at(path, "strategy"))
    config = given.webhook.clientConfig if given.webhook is not None else None
    if given.strategy != "Webhook":
        if given.webhook is not None:
            yield field.forbidden(at(path, "webhook"), "should not be set when strategy is not set to Webhook")
        return
    if config is None:
        yield field.required(at(path, "webhookClientConfig"), "required when strategy is set to Webhook")
    elif bool(config.url) == (config.service is not None):
        yield field.required(at(path, "webhookClientConfig"), "exactly one of url or service is required")
    versions = given.webhook.conversionReviewVersions if given.webhook is not None else []
    if not versions:
        yield field.required(at(path, "conversionReviewVersions"), "must specify one or more values")
    elif "v1" not in versions and "v1beta1" not in versions:
        why = "must include at least one of v1, v1beta1"
        yield field.wrong(at(path, "conversionReviewVersions"), versions, why)


def protection(definition: CustomResourceDefinition) -> Iterator[FieldError]:
    """The community's groups are only for what it has approved."""
    verdict = custom_names.conformance(definition.spec.group, definition.metadata.annotations)
    path = field.at_key("metadata.annotations", custom_names.APPROVED)
    if verdict is not None and verdict["reason"] == "MissingAnnotation":
        yield field.required(path, verdict["message"])
    elif verdict is not None and verdict["reason"] == "InvalidAnnotation":
        yield field.wrong(path, definition.metadata.annotations[custom_names.APPROVED], verdict["message"])


def status_rules(definition: CustomResourceDefinition) -> Iterator[FieldError]:
    stored, path = definition.status.storedVersions, "status.storedVersions"
    if not stored:
        yield field.wrong(path, None, "must have at least one stored version")
        return
    served = [version.name for version in definition.spec.versions]
    for index, name in enumerate(stored):
        if name not in served:
            why = f"missing from spec.versions; {name} was previously a storage version, and must remain in "
            why += f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
            why += f"{name} from status.storedVersions"
            yield field.wrong(at(path, index), name, why)
    storage = next((version.name for version in definition.spec.versions if version.storage), None)
    if storage is not None and storage not in stored:
        yield field.wrong(path, stored, f"must have the storage version {storage}")


def validate_update(new: CustomResourceDefinition, old: CustomResourceDefinition) -> Iterator[FieldError]:
    yield from validate(new)
    if any(found.type == "Established" and found.status == "True" for found in old.status.conditions):
        yield from rules.unchanged(new.spec.scope, old.spec.scope, "spec.scope")
        yield from rules.unchanged(new.spec.names.kind, old.spec.names.kind, "spec.names.kind")
    yield from rules.unchanged(new.spec.group, old.spec.group, "spec.group")
    yield from rules.unchanged(new.spec.names.plural, old.spec.names.plural, "spec.names.plural")


def validate_status(new: CustomResourceDefinition, old: CustomResourceDefinition) -> Iterator[FieldError]:
    yield from status_rules(new)


def keep_status(new: Tree, old: Tree) -> None:
    """The status stays, but for the storage version's name, which is noted as soon as objects may be stored so."""
    carry(new, old, "status")
    status = new.setdefault("status", {})
    stored = list(status.get("storedVersions") or ())
    for version in items(child(new, "spec"), "versions"):
        if version.get("storage") and version.get("name") not in stored:
            stored.append(version["name"])
    if stored:
        new["status"] = status | {"storedVersions": stored}


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
    validate_status=validate_status,
    columns=(NAME_COLUMN, Column("Created At", "date")),
    row=row,
)
