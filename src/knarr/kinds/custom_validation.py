"""An object against its custom resource's schema, in the words of upstream's OpenAPI validator.

`errors` finds what breaks the schema. With the object as it was, what was broken before and is left as it was is let
through, so that a schema that became stricter does not lock its objects.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from knarr.kinds.custom_formats import FORMATS
from knarr.kinds.custom_schema import EMBEDDED, INT_OR_STRING, METADATA, PRESERVE, Schema
from knarr.kinds.go_pattern import go_pattern
from knarr.kinds.kind import Tree
from knarr.kinds.scalars import Mismatch
from knarr.kinds.schema import walker
from knarr.meta import field
from knarr.meta.field import FieldError, at, show

NEW: Any = object()  #: stands for the old value where there is none to compare with


def errors(value: Tree, schema: Schema, old: Any = NEW) -> list[FieldError]:
    """What an object breaks of its schema."""
    found = [*checked(value, schema, ""), *listed(value, schema, "")]
    if found and old is not NEW:
        return [*checked(value, schema, "", old), *listed(value, schema, "", old)]
    return found


def checked(value: Any, schema: Schema, path: str, old: Any = NEW) -> Iterator[FieldError]:
    """What a value breaks; nothing when it is what it was."""
    if old is not NEW and value == old:
        return
    types = _types(schema)
    if value is None:
        if not schema.get("nullable") and types:
            yield _mistyped(path, types, "null")
        return
    if types and not _fits(value, types):
        yield _mistyped(path, types, type_of(value))
        return
    yield from _junctors(value, schema, path)
    if isinstance(value, str):
        yield from _string(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, path)
    elif isinstance(value, list):
        yield from _list(value, schema, path, old)
    if (choices := schema.get("enum")) and value not in choices:
        shown = [choice if isinstance(choice, str) else show(choice) for choice in choices]
        yield field.unsupported(path, value, shown)
    if isinstance(value, dict):
        yield from _object(value, schema, path, old)


def type_of(value: Any) -> str:
    """A value's type as JSON schemas name it."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case None:
            return "null"
    return "object"


def _types(schema: Schema) -> tuple[str, ...]:
    if schema.get(INT_OR_STRING):
        return ("integer", "string")
    return (schema["type"],) if schema.get("type") else ()


def _fits(value: Any, types: tuple[str, ...]) -> bool:
    actual = type_of(value)
    if actual in types or (actual == "integer" and "number" in types):
        return True
    return actual == "number" and "integer" in types and float(value).is_integer()


def _mistyped(path: str, types: tuple[str, ...], actual: str) -> FieldError:
    wanted = f'{_in_body(path)} must be of type {",".join(types)}: "{actual}"'
    return field.FieldError("FieldValueTypeInvalid", path or "<nil>", f'Invalid value: "{actual}": {wanted}')


def _in_body(path: str) -> str:
    return f"{path} in body"


def _wrong(path: str, value: Any, why: str) -> FieldError:
    return field.wrong(path or "<nil>", value, f"{_in_body(path)} {why}")


def _string(value: str, schema: Schema, path: str) -> Iterator[FieldError]:
    length = len(value)
    if (most := schema.get("maxLength")) is not None and length > most:
        yield field.too_long(path, most)
    if (least := schema.get("minLength")) is not None and length < least:
        yield _wrong(path, value, f"should be at least {least} chars long")
    if (pattern := schema.get("pattern")) and not go_pattern(pattern).search(value):
        yield _wrong(path, value, f"should match '{pattern}'")
    form = schema.get("format", "")
    if form in FORMATS and not FORMATS[form](value):
        message = f"Invalid value: {show(value)}: {_in_body(path)} must be of type {form}: {show(value)}"
        yield field.FieldError("FieldValueTypeInvalid", path, message)


def _number(value: float, schema: Schema, path: str) -> Iterator[FieldError]:
    if (step := schema.get("multipleOf")) and not _multiple(value, step):
        yield _wrong(path, value, f"should be a multiple of {_go(step)}")
    if (most := schema.get("maximum")) is not None:
        if schema.get("exclusiveMaximum"):
            if value >= most:
                yield _wrong(path, value, f"should be less than {_go(most)}")
        elif value > most:
            yield _wrong(path, value, f"should be less than or equal to {_go(most)}")
    if (least := schema.get("minimum")) is not None:
        if schema.get("exclusiveMinimum"):
            if value <= least:
                yield _wrong(path, value, f"should be greater than {_go(least)}")
        elif value < least:
            yield _wrong(path, value, f"should be greater than or equal to {_go(least)}")
    bits = {"int32": 31, "int64": 63}.get(schema.get("format", ""))
    if bits and isinstance(value, int) and not -(1 << bits) <= value < 1 << bits:
        kind = f"Checked value must be of type integer with format {schema['format']}"
        yield field.wrong(path, value, kind)


def _multiple(value: float, step: float) -> bool:
    quotient = value / step
    return float(quotient).is_integer()


def _go(number: float) -> str:
    """A number as Go's %v prints a float."""
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e21 else repr(float(number))


def _list(value: list[Any], schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    if (items := schema.get("items")) and isinstance(items, dict):
        before = _paired(value, old, schema)
        for index, item in enumerate(value):
            yield from checked(item, items, at(path, index), before[index])
    if (least := schema.get("minItems")) is not None and len(value) < least:
        yield _wrong(path, len(value), f"should have at least {least} items")
    if (most := schema.get("maxItems")) is not None and len(value) > most:
        yield field.too_many(path, len(value), most)


def _paired(value: list[Any], old: Any, schema: Schema) -> list[Any]:
    """For each item the one that it was before: only lists that are maps can tell."""
    keys = schema.get("x-kubernetes-list-map-keys")
    if old is NEW or not isinstance(old, list) or not keys:
        return [NEW] * len(value)
    before = {_key(item, keys): item for item in old}
    return [before.get(_key(item, keys), NEW) for item in value]


def _key(item: Any, keys: list[str]) -> str:
    return msgspec.json.encode([item.get(key) for key in keys] if isinstance(item, dict) else item).decode()


def _object(value: Tree, schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    if (least := schema.get("minProperties")) is not None and len(value) < least:
        yield _wrong(path, len(value), f"should have at least {least} properties")
    if (most := schema.get("maxProperties")) is not None and len(value) > most:
        yield field.too_many(path, len(value), most)
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    before = old if isinstance(old, dict) else {}
    embedded = bool(schema.get(EMBEDDED))
    for key in sorted(value):
        inner = properties.get(key, others)
        if isinstance(inner, dict):
            yield from checked(value[key], inner, at(path, key), before.get(key, NEW))
        elif inner is False and not schema.get(PRESERVE):
            yield field.forbidden(at(path, key), f"{at(path, key)} in body is a forbidden property")
    for key in schema.get("required") or ():
        if key not in value:
            yield field.required(at(path, key))
    if embedded:
        yield from _embedded(value, path)


def _embedded(value: Tree, path: str) -> Iterator[FieldError]:
    """A resource within a resource says what it is."""
    for key in ("apiVersion", "kind"):
        if not value.get(key):
            yield field.required(at(path, key), "must not be empty")
    metadata = value.get("metadata")
    if metadata is not None:
        try:
            walker(METADATA)(metadata)
        except (Mismatch, AttributeError) as mismatch:
            yield field.wrong(at(path, "metadata"), metadata, str(mismatch))


def _junctors(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    """allOf, anyOf, oneOf and not. Upstream names no field for these, and tells what the best choice lacks."""
    if schema.get(INT_OR_STRING):
        schema = {key: given for key, given in schema.items() if key != "anyOf" or not _is_either(given)}
    quoted = f'"{path}"'
    for key, (fits, why) in JUNCTORS.items():
        if not (choices := schema.get(key)):
            continue
        results = [list(checked(value, choice, path)) for choice in choices]
        good = sum(not result for result in results)
        if fits(good, len(choices)):
            continue
        if key == "oneOf":
            why += "Found none valid" if not good else f"Found {good} valid alternatives"
        if key == "allOf" and not good:
            why += ". None validated"
        yield field.wrong("<nil>", "", f"{quoted} {why}")
        if key == "allOf":
            yield from (error for result in results for error in result)
        elif not good:
            yield from min(results, key=len)
    if (never := schema.get("not")) is not None and not list(checked(value, never, path)):
        yield field.wrong("<nil>", "", f"{quoted} must not validate the schema (not)")


#: how many of how many choices must fit, and what is said when they don't
JUNCTORS: dict[str, tuple[Callable[[int, int], bool], str]] = {
    "anyOf": (lambda good, of: good > 0, "must validate at least one schema (anyOf)"),
    "oneOf": (lambda good, of: good == 1, "must validate one and only one schema (oneOf). "),
    "allOf": (lambda good, of: good == of, "must validate all the schemas (allOf)"),
}


def _is_either(given: Any) -> bool:
    return [choice.get("type") for choice in given] == ["integer", "string"]


def listed(value: Any, schema: Schema, path: str, old: Any = NEW) -> Iterator[FieldError]:
    """What is twice in a list that is a set or a map."""
    if old is not NEW and value == old:
        return
    if isinstance(value, dict):
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        before = old if isinstance(old, dict) else {}
        for key in value:
            inner = properties.get(key)
            if inner is not None:
                yield from listed(value[key], inner, at(path, key), before.get(key, NEW))
            elif isinstance(others, dict):
                yield from listed(value[key], others, field.at_key(path, key), before.get(key, NEW))
    elif isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        keys = schema.get("x-kubernetes-list-map-keys") or []
        if schema.get("x-kubernetes-list-type") in ("set", "map"):
            yield from _duplicates(value, keys, path)
        before_items = _paired(value, old, schema)
        for index, item in enumerate(value):
            yield from listed(item, items, at(path, index), before_items[index])


def _duplicates(value: list[Any], keys: list[str], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, item in enumerate(value):
        mark = _key(item, keys) if keys else msgspec.json.encode(item, order="sorted").decode()
        if mark in seen:
            shown = {key: item[key] for key in keys if key in item} if keys and isinstance(item, dict) else item
            yield field.duplicate(at(path, index), shown)
        seen.add(mark)
