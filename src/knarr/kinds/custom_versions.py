"""The rules of a definition's versions: names, schemas, columns, subresources, selectable fields.

What all versions share is told of once, where upstream keeps it: "spec.validation", not "spec.versions[0].schema".
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from knarr.kinds import jsonpath, rules, structural
from knarr.kinds.types.apiextensions_v1 import (
    CustomResourceColumnDefinition,
    CustomResourceDefinitionVersion,
    CustomResourceSubresources,
    SelectableField,
)
from knarr.meta import field, names
from knarr.meta.field import FieldError, at

Version = CustomResourceDefinitionVersion
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
MOST_SELECTABLE = 8


def rules_of(versions: Sequence[Version]) -> Iterator[FieldError]:
    for index, version in enumerate(versions):
        path = at("spec", "versions", index)
        yield from rules.wrong(at(path, "name"), version.name, names.label_1035_errors(version.name))
        if version.deprecationWarning and not version.deprecated:
            why = "can only be set for deprecated versions"
            yield field.wrong(at(path, "deprecationWarning"), version.deprecationWarning, why)
    schemas = [_schema(version) for version in versions]
    for index, schema in enumerate(schemas):
        if schema is None:
            yield field.required(at("spec", "versions", index, "schema", "openAPIV3Schema"))
    if all(schema is not None for schema in schemas):
        yield from shared(schemas, "spec.validation.openAPIV3Schema", "schema.openAPIV3Schema", structural.root_rules)
    columns = [version.additionalPrinterColumns for version in versions]
    yield from shared(columns, "spec.additionalPrinterColumns", "additionalPrinterColumns", column_rules)
    subresources = [version.subresources for version in versions]
    yield from shared(subresources, "spec.subresources", "subresources", subresource_rules)
    fields = [(version.selectableFields, schema) for version, schema in zip(versions, schemas, strict=True)]
    yield from shared(fields, "spec.selectableFields", "selectableFields", selectable_rules)


def shared(
    parts: Sequence[Any], top: str, name: str, check: Callable[[Any, str], Iterator[FieldError]]
) -> Iterator[FieldError]:
    """Check a part of every version; one that all have alike only once."""
    if parts and all(part == parts[0] for part in parts):
        yield from check(parts[0], top)
        return
    for index, part in enumerate(parts):
        yield from check(part, f"spec.versions[{index}].{name}")


def _schema(version: Version) -> dict[str, Any] | None:
    if version.schema is None or version.schema.openAPIV3Schema is None:
        return None
    found: dict[str, Any] = msgspec.to_builtins(version.schema.openAPIV3Schema)
    return clean(found)


def clean(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema's Struct as it was written: what is empty was left out, but for schemas that say nothing."""
    out: dict[str, Any] = {}
    for key, inner in schema.items():
        if inner is None or (inner in ("", [], {}) and key not in ("default", "items", "additionalProperties", "not")):
            continue
        if key == "properties":
            out[key] = {name: clean(each) for name, each in inner.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(inner, dict):
            out[key] = clean(inner)
        elif key in structural.JUNCTORS or key == structural.VALIDATIONS:
            out[key] = [clean(each) for each in inner]
        else:
            out[key] = inner
    return out


def column_rules(columns: Sequence[CustomResourceColumnDefinition], path: str) -> Iterator[FieldError]:
    for index, column in enumerate(columns):
        where = at(path, index)
        yield from rules.needed(where, name=column.name)
        yield from rules.required_one_of(column.type, COLUMN_TYPES, at(where, "type"))
        if column.format:
            yield from rules.one_of(column.format, COLUMN_FORMATS, at(where, "format"))
        if not column.jsonPath:
            yield field.required(at(where, "jsonPath"))
            continue
        try:
            jsonpath.parse(column.jsonPath)
        except jsonpath.Malformed as malformed:
            yield field.wrong(at(where, "jsonPath"), column.jsonPath, str(malformed))


def subresource_rules(given: CustomResourceSubresources | None, path: str) -> Iterator[FieldError]:
    scale = given.scale if given is not None else None
    if scale is None:
        return
    for key, below, needed in (
        ("specReplicasPath", ".spec.", True),
        ("statusReplicasPath", ".status.", True),
        ("labelSelectorPath", "", False),
    ):
        where, value = at(path, "scale", key), getattr(scale, key)
        if not value:
            if needed:
                yield field.required(where)
        elif jsonpath.simple(value) is None:
            yield field.wrong(where, value, "should be a json path without array notation")
        elif needed and not value.startswith(below):
            yield field.wrong(where, value, f"should be a json path under {below[:-1]}")
        elif not needed and not value.startswith((".spec.", ".status.")):
            yield field.wrong(where, value, "should be a json path under either .spec or .status")


def selectable_rules(given: tuple[Sequence[SelectableField], dict[str, Any] | None], path: str) -> Iterator[FieldError]:
    fields, schema = given
    if len(fields) > MOST_SELECTABLE:
        yield field.too_many(path, len(fields), MOST_SELECTABLE)
    seen: set[str] = set()
    for index, entry in enumerate(fields):
        where = at(path, index, "jsonPath")
        steps = jsonpath.simple(entry.jsonPath)
        if not entry.jsonPath:
            yield field.required(where)
        elif entry.jsonPath in seen:
            yield field.duplicate(where, entry.jsonPath)
        elif steps is None:
            yield field.wrong(where, entry.jsonPath, "is an invalid path: does not support array notation")
        elif steps[0] == "metadata":
            yield field.wrong(where, entry.jsonPath, "must not point to fields in metadata")
        else:
            yield from _selectable(schema or {}, steps, entry.jsonPath, where)
        seen.add(entry.jsonPath)


def _selectable(schema: dict[str, Any], steps: Sequence[str], text: str, path: str) -> Iterator[FieldError]:
    """What is selected by has a type whose values compare as text."""
    for step in steps:
        found = (schema.get("properties") or {}).get(step)
        if found is None:
            yield field.wrong(path, text, f"is an invalid path: does not exist in schema: {step}")
            return
        schema = found
    if schema.get("type") not in ("string", "boolean", "integer"):
        why = (
            "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are "
        )
        yield field.wrong(path, text, why + "allowed.")
