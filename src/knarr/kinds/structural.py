"""Schemas of custom resources: structural, so that the server can prune and default by them. Called by CRDs' rules.

Schemas are walked as plain JSON: `items` and `additionalProperties` may be a schema or a boolean.
"""

from collections.abc import Iterator
from typing import Any

from knarr.meta import field
from knarr.meta.field import FieldError, at, at_key

Schema = dict[str, Any]
UNSUPPORTED = ("$ref", "additionalItems", "definitions", "dependencies", "id", "patternProperties")
QUADRATIC = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
EXCLUSIVE = "additionalProperties and properties are mutual exclusive"


def root_rules(schema: Schema, path: str) -> Iterator[FieldError]:
    """The rules of a whole schema: of an object, and structural all the way down."""
    type_ = schema.get("type", "")
    if not type_:
        yield field.required(at(path, "type"), "must not be empty at the root")
    elif type_ != "object":
        yield field.wrong(at(path, "type"), type_, "must be object at the root")
    else:
        yield from rules(schema, path)


def rules(schema: Schema, path: str) -> Iterator[FieldError]:
    for name in UNSUPPORTED:
        if schema.get(name):
            yield field.forbidden(at(path, name), f"{name} is not supported")
    if schema.get("uniqueItems"):
        yield field.forbidden(at(path, "uniqueItems"), QUADRATIC)
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    if properties and additional:
        yield field.forbidden(at(path, "additionalProperties"), EXCLUSIVE)
    for name in sorted(properties):
        yield from inner(properties[name], at_key(at(path, "properties"), name), "object fields")
    if isinstance(additional, dict):
        yield from inner(additional, at(path, "additionalProperties"), "object fields")
    items = schema.get("items")
    if isinstance(items, dict):
        yield from inner(items, at(path, "items"), "array items")
    elif schema.get("type") == "array":
        yield field.required(at(path, "items"), "must be specified")


def inner(schema: Schema, path: str, what: str) -> Iterator[FieldError]:
    """The rules of a schema within another: it says its type, unless it may be anything or a number or a string."""
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not schema.get("type") and not free:
        yield field.required(at(path, "type"), f"must not be empty for specified {what}")
    yield from rules(schema, path)
