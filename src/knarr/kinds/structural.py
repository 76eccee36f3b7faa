"""Schemas of custom resources: structural, so that the server can prune and default by them. Called by CRDs' rules.

Schemas are walked as plain JSON: `items` and `additionalProperties` may be a schema or a boolean. A `Place` says what
the schemas around one mean for it.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from knarr.kinds.custom_schema import EMBEDDED, INT_OR_STRING, PRESERVE, prune
from knarr.kinds.custom_validation import checked
from knarr.kinds.go_pattern import BadPattern, go_pattern
from knarr.meta import field
from knarr.meta.field import FieldError, at, at_key

Schema = dict[str, Any]
UNSUPPORTED = ("$ref", "additionalItems", "definitions", "dependencies", "id", "patternProperties")
QUADRATIC = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
EXCLUSIVE = "additionalProperties and properties are mutual exclusive"
TYPES = ("array", "boolean", "integer", "number", "object", "string")
SCALARS = ("boolean", "integer", "number", "string")
LIST_TYPE, LIST_KEYS, MAP_TYPE = "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"
VALIDATIONS = "x-kubernetes-validations"
JUNCTORS = ("allOf", "anyOf", "oneOf")
ONLY_OUTSIDE = (
    "description",
    "type",
    "default",
    "title",
    "nullable",
    PRESERVE,
    EMBEDDED,
    LIST_TYPE,
    LIST_KEYS,
    MAP_TYPE,
)
METADATA_ONLY = "must not specify anything other than name and generateName, but metadata is implicitly specified"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a schema stands."""

    root: bool = False
    uncorrelatable: str = ""  #: the path of the list around it whose items nobody can tell from those of before


def root_rules(schema: Schema, path: str) -> Iterator[FieldError]:
    """The rules of a whole schema: of an object, and structural all the way down."""
    type_ = schema.get("type", "")
    if not type_:
        yield field.required(at(path, "type"), "must not be empty at the root")
    elif type_ != "object":
        yield field.wrong(at(path, "type"), type_, "must be object at the root")
    else:
        yield from rules(schema, path, Place(root=True))


def rules(schema: Schema, path: str, place: Place) -> Iterator[FieldError]:
    for name in UNSUPPORTED:
        if schema.get(name):
            yield field.forbidden(at(path, name), f"{name} is not supported")
    if schema.get("uniqueItems"):
        yield field.forbidden(at(path, "uniqueItems"), QUADRATIC)
    yield from _type_rules(schema, path)
    yield from _extension_rules(schema, path)
    yield from _list_rules(schema, path)
    yield from _value_rules(schema, path)
    for key in JUNCTORS:
        for index, inner_schema in enumerate(schema.get(key) or ()):
            yield from nested(inner_schema, schema, at(path, key, index), path)
    if isinstance(schema.get("not"), dict):
        yield from nested(schema["not"], schema, at(path, "not"), path)
    yield from _inner_rules(schema, path, place)
    if schema.get(VALIDATIONS):
        from knarr.kinds import custom_expressions  # CEL: only where there are expressions

        resource = place.root or bool(schema.get(EMBEDDED))
        yield from custom_expressions.rule_errors(schema, path, resource=resource, correlated=place.uncorrelatable)


def _inner_rules(schema: Schema, path: str, place: Place) -> Iterator[FieldError]:
    """The schemas of what is inside."""
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    if properties and additional is not None:
        yield field.forbidden(at(path, "additionalProperties"), EXCLUSIVE)
    below = replace(place, root=False)
    for name in sorted(properties):
        where = at_key(at(path, "properties"), name)
        if name == "metadata" and (place.root or schema.get(EMBEDDED)):
            yield from _metadata_rules(properties[name], where)
        else:
            yield from inner(properties[name], where, "object fields", below)
    if isinstance(additional, dict):
        yield from inner(additional, at(path, "additionalProperties"), "object fields", below)
    elif additional is False:
        yield field.forbidden(at(path, "additionalProperties"), "must not be used")
    items = schema.get("items")
    if isinstance(items, dict):
        if schema.get(LIST_TYPE) != "map":
            below = replace(below, uncorrelatable=below.uncorrelatable or path)
        yield from inner(items, at(path, "items"), "array items", below)
    elif isinstance(items, list):
        yield field.forbidden(at(path, "items"), "items must be a schema object and not an array")
    elif schema.get("type") == "array":
        yield field.required(at(path, "items"), "must be specified")


def inner(schema: Schema, path: str, what: str, place: Place) -> Iterator[FieldError]:
    """The rules of a schema within another: it says its type, unless it may be anything or a number or a string."""
    free = schema.get(INT_OR_STRING) or schema.get(PRESERVE)
    if not schema.get("type") and not free:
        yield field.required(at(path, "type"), f"must not be empty for specified {what}")
    yield from rules(schema, path, place)


def _metadata_rules(schema: Schema, path: str) -> Iterator[FieldError]:
    """Of metadata only the name may be narrowed."""
    if schema.get("type") not in (None, "object"):
        yield field.wrong(at(path, "type"), schema["type"], "must be object")
    others = schema.keys() - {"type", "properties", "description", "required"}
    if (schema.get("properties") or {}).keys() - {"name", "generateName"} or others:
        yield field.forbidden(path, METADATA_ONLY)


def _type_rules(schema: Schema, path: str) -> Iterator[FieldError]:
    type_ = schema.get("type")
    if type_ == "null":
        yield field.forbidden(at(path, "type"), "type cannot be set to null, use nullable as an alternative")
    elif type_ and type_ not in TYPES:
        yield field.unsupported(at(path, "type"), type_, TYPES)


def _extension_rules(schema: Schema, path: str) -> Iterator[FieldError]:
    type_ = schema.get("type")
    if schema.get(PRESERVE) is False:
        yield field.wrong(at(path, PRESERVE), False, "must be true or undefined")
    if schema.get(INT_OR_STRING) and type_:
        yield field.wrong(at(path, "type"), type_, f"must be empty if {INT_OR_STRING} is true")
    if schema.get(EMBEDDED):
        if not type_:
            yield field.required(at(path, "type"), f"must be object if {EMBEDDED} is true")
        elif type_ != "object":
            yield field.wrong(at(path, "type"), type_, f"must be object if {EMBEDDED} is true")
        if not schema.get("properties") and not schema.get(PRESERVE):
            why = f"must not be empty if {EMBEDDED} is true without {PRESERVE}"
            yield field.required(at(path, "properties"), why)
    if map_type := schema.get(MAP_TYPE):
        if map_type not in ("granular", "atomic"):
            yield field.unsupported(at(path, MAP_TYPE), map_type, ["atomic", "granular"])
        if type_ != "object":
            yield field.required(at(path, "type"), f"must be object if {MAP_TYPE} is specified")


def _list_rules(schema: Schema, path: str) -> Iterator[FieldError]:
    list_type, keys = schema.get(LIST_TYPE), schema.get(LIST_KEYS) or []
    if list_type and list_type not in ("atomic", "set", "map"):
        yield field.unsupported(at(path, LIST_TYPE), list_type, ["atomic", "map", "set"])
    if list_type and schema.get("type") != "array":
        if schema.get("type"):
            yield field.wrong(at(path, "type"), schema["type"], f"must be array if {LIST_TYPE} is specified")
        else:
            yield field.required(at(path, "type"), f"must be array if {LIST_TYPE} is specified")
    if keys and list_type != "map":
        why = f"must be map if {LIST_KEYS} is non-empty"
        if list_type:
            yield field.wrong(at(path, LIST_TYPE), list_type, why)
        else:
            yield field.required(at(path, LIST_TYPE), why)
    items = schema.get("items")
    if list_type == "set" and isinstance(items, dict):
        yield from _set_rules(items, at(path, "items"))
    if list_type == "map":
        if not keys:
            yield field.required(at(path, LIST_KEYS), f"must not be empty if {LIST_TYPE} is map")
        if isinstance(items, dict):
            yield from _map_rules(items, keys, path)


def _set_rules(items: Schema, path: str) -> Iterator[FieldError]:
    """The items of a set are compared as wholes."""
    if items.get("nullable"):
        yield field.forbidden(at(path, "nullable"), "cannot be nullable when x-kubernetes-list-type is set")
    if items.get("type") == "object" and items.get(MAP_TYPE) != "atomic":
        why = "must be atomic as item of a list with x-kubernetes-list-type=set"
        yield field.wrong(at(path, MAP_TYPE), items.get(MAP_TYPE), why)
    if items.get("type") == "array" and items.get(LIST_TYPE) not in (None, "atomic"):
        why = "must be atomic as item of a list with x-kubernetes-list-type=set"
        yield field.wrong(at(path, LIST_TYPE), items[LIST_TYPE], why)


def _map_rules(items: Schema, keys: list[str], path: str) -> Iterator[FieldError]:
    """The keys of a list that is a map are scalars that every item has."""
    where = at(path, "items")
    if items.get("type") != "object":
        yield field.wrong(
            at(where, "type"), items.get("type", ""), f"must be object if parent array's {LIST_TYPE} is map"
        )
        return
    properties = items.get("properties") or {}
    seen: set[str] = set()
    for index, key in enumerate(keys):
        if key in seen:
            yield field.wrong(at(path, LIST_KEYS, index), key, "must not contain duplicate entries")
        seen.add(key)
        if key not in properties:
            yield field.wrong(at(path, LIST_KEYS, index), key, "entries must all be names of item properties")
            continue
        at_property = at_key(at(where, "properties"), key)
        if properties[key].get("type") not in SCALARS:
            why = f"must be a scalar type if parent array's {LIST_TYPE} is map"
            yield field.wrong(at(at_property, "type"), properties[key].get("type", ""), why)
        if properties[key].get("nullable"):
            why = f"cannot be nullable when it is a key of a {LIST_TYPE} map"
            yield field.forbidden(at(at_property, "nullable"), why)
        if key not in (items.get("required") or ()) and "default" not in properties[key]:
            why = f"this property is in {LIST_KEYS}, so it must have a default or be a required property"
            yield field.required(at(at_property, "default"), why)


def _value_rules(schema: Schema, path: str) -> Iterator[FieldError]:
    """Patterns compile, and a default keeps its own schema."""
    if pattern := schema.get("pattern"):
        try:
            go_pattern(pattern)
        except BadPattern as wrong:
            why = f"must be a valid regular expression, but isn't: {wrong}"
            yield field.wrong(at(path, "pattern"), pattern, why)
            return
    if schema.get("default") is None:
        return
    value = copy.deepcopy(schema["default"])
    if list(prune(value, schema)):
        yield field.wrong(at(path, "default"), schema["default"], "must not have unknown fields")
    for error in checked(value, {key: given for key, given in schema.items() if key != "default"}, ""):
        where = at(path, "default") + (f".{error.path}" if error.path and error.path != "<nil>" else "")
        yield FieldError(error.reason, where, error.message)


def nested(schema: Schema, outer: Schema, path: str, outside: str) -> Iterator[FieldError]:
    """A schema within allOf, anyOf, oneOf or not: it only narrows values of what the schema outside has."""
    either = outer.get(INT_OR_STRING) and schema.keys() == {"type"} and schema["type"] in ("integer", "string")
    for key in ONLY_OUTSIDE:
        if schema.get(key) and not (key == "type" and either):
            yield field.forbidden(at(path, key), "must be empty to be structural")
    if schema.get("additionalProperties") is not None and not isinstance(schema["additionalProperties"], dict):
        yield field.forbidden(at(path, "additionalProperties"), "must be undefined to be structural")
    for name, inner_schema in sorted((schema.get("properties") or {}).items()):
        where = at_key(at(path, "properties"), name)
        spine = (outer.get("properties") or {}).get(name)
        if spine is None:
            missing = at_key(at(outside, "properties"), name)
            yield field.required(missing, f"because it is defined in {where}")
            spine = {}
        yield from nested(inner_schema, spine, where, at_key(at(outside, "properties"), name))
    if isinstance(items := schema.get("items"), dict):
        spine = outer.get("items")
        if not isinstance(spine, dict):
            yield field.required(at(outside, "items"), f"because it is defined in {at(path, 'items')}")
            spine = {}
        yield from nested(items, spine, at(path, "items"), at(outside, "items"))
    for key in JUNCTORS:
        for index, inner_schema in enumerate(schema.get(key) or ()):
            yield from nested(inner_schema, outer, at(path, key, index), outside)
    if isinstance(schema.get("not"), dict):
        yield from nested(schema["not"], outer, at(path, "not"), outside)
    if pattern := schema.get("pattern"):
        yield from _value_rules({"pattern": pattern}, path)
