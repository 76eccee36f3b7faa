"""The types of CEL: how they are written, which fits which, and what a custom resource's schema makes of its values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from knarr.kinds.cel.tokens import RESERVED
from knarr.kinds.cel.tree import Uint
from knarr.meta import clock


@dataclass(frozen=True, slots=True)
class Type:
    """A type. `fields` are those of an object; a one-letter name stands for any type, the same wherever it stands."""

    name: str
    of: tuple["Type", ...] = ()
    fields: Mapping[str, "Type"] | None = field(default=None, compare=False)

    def __str__(self) -> str:
        if self.name == "optional":
            return f"optional_type({self.of[0]})"
        return f"{self.name}({', '.join(map(str, self.of))})" if self.of else self.name


DYN, INT, UINT, DOUBLE, STRING, BYTES, BOOL, NULL, TIMESTAMP, DURATION, TYPE = (
    Type(name)
    for name in (
        "dyn", "int", "uint", "double", "string", "bytes", "bool", "null_type", "google.protobuf.Timestamp",
        "google.protobuf.Duration", "type",
    )
)  # fmt: skip
SHORT = {"timestamp": TIMESTAMP, "duration": DURATION, "null": NULL}


def list_of(item: Type) -> Type:
    return Type("list", (item,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", (key, value))


def optional_of(inner: Type) -> Type:
    return Type("optional", (inner,))


def read(text: str) -> Type:
    """A type from its text: "list<A>", "map<string,B>", "timestamp"."""
    found = re.fullmatch(r"(\w+)(?:<(.*)>)?", text)
    assert found is not None, text
    name, inside = found.groups()
    if inside is None:
        return SHORT.get(name, Type(name))
    depth, parts = 0, [""]
    for character in inside:
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return Type(name, tuple(read(part.strip()) for part in parts))


def fits(given: Type, wanted: Type, bound: dict[str, Type]) -> bool:
    """Whether a value of one type may stand where another is wanted; `bound` says what the letters stand for."""
    if wanted.name == "dyn" or given.name == "dyn":
        if len(wanted.name) == 1:
            bound.setdefault(wanted.name, given)
        return True
    if len(wanted.name) == 1 and wanted.name.isupper():
        known = bound.get(wanted.name)
        if known is None or known.name == "dyn":
            bound[wanted.name] = given
            return True
        return fits(given, known, bound)
    if len(given.name) == 1 and given.name.isupper():
        return True  # of an empty list, which may become any
    if given.name == "null_type" and wanted.name in ("object", "list", "map", "optional", *_NULLABLE):
        return True
    if given.name != wanted.name or len(given.of) != len(wanted.of):
        return False
    if given.name == "object" and given.fields is not None and wanted.fields is not None:
        return given.fields is wanted.fields or given.fields.keys() == wanted.fields.keys()
    return all(fits(mine, theirs, bound) for mine, theirs in zip(given.of, wanted.of, strict=True))


_NULLABLE = (TIMESTAMP.name, DURATION.name)


def filled(type_: Type, bound: Mapping[str, Type]) -> Type:
    """A type with its letters replaced; an unknown one may be anything."""
    if len(type_.name) == 1 and type_.name.isupper():
        return bound.get(type_.name, DYN)
    return Type(type_.name, tuple(filled(inner, bound) for inner in type_.of), type_.fields) if type_.of else type_


def joined(left: Type, right: Type) -> Type:
    """The type of what may be either."""
    if left == right or right.name == "dyn":
        return left if left == right else DYN
    bound: dict[str, Type] = {}
    if fits(left, right, bound):
        return right if right.name != "null_type" else left
    return left if right.name == "null_type" else DYN


KEYWORDS = RESERVED | {"true", "false", "null", "in"}
_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))


def escaped(name: str) -> str | None:
    """A property's name as expressions write it; None when they cannot."""
    if name in KEYWORDS:
        return f"__{name}__"
    parts = re.split(r"(__|\.|-|/)", name)
    out = "".join(dict(_ESCAPES).get(part, part) for part in parts)
    return out if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", out) else None


METADATA = Type("object", (), {"name": STRING, "generateName": STRING})
RESOURCE = {"apiVersion": STRING, "kind": STRING, "metadata": METADATA}


def of_schema(schema: Mapping[str, Any], *, resource: bool = False) -> Type | None:
    """The type of the values of a schema; None when expressions may not touch them."""
    if schema.get("x-kubernetes-int-or-string"):
        return DYN
    resource = resource or bool(schema.get("x-kubernetes-embedded-resource"))
    match schema.get("type"):
        case "array":
            item = of_schema(schema.get("items") or {})
            return None if item is None else list_of(item)
        case "object":
            return _object(schema, resource)
        case "string":
            return {"byte": BYTES, "duration": DURATION, "date": TIMESTAMP, "date-time": TIMESTAMP}.get(
                schema.get("format", ""), STRING
            )
        case "boolean":
            return BOOL
        case "integer":
            return INT
        case "number":
            return DOUBLE
    return DYN if schema.get("x-kubernetes-preserve-unknown-fields") and not schema.get("type") else None


def _object(schema: Mapping[str, Any], resource: bool) -> Type | None:
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        inner = of_schema(others)
        return None if inner is None else map_of(STRING, inner)
    fields: dict[str, Type] = {}
    for name, inner_schema in (schema.get("properties") or {}).items():
        found, written = of_schema(inner_schema), escaped(name)
        if found is not None and written is not None:
            fields[written] = found
    return Type("object", (), fields | (RESOURCE if resource else {}))


OBJECT = Type("object")


class Object(dict[str, Any]):
    """An object whose fields are known, unlike a map's keys."""

    __slots__ = ()


def value_of(value: Any, schema: Mapping[str, Any], *, resource: bool = False) -> Any:
    """A JSON value as expressions see it: times as times, fields by their escaped names."""
    match value:
        case None | bool():
            return value
        case str() if schema.get("type") == "string":
            return _string(value, schema.get("format", ""))
        case int() if schema.get("type") == "number":
            return float(value)
        case float() if schema.get("type") == "integer":
            return int(value)
        case list():
            items = schema.get("items") or {}
            return [value_of(item, items) for item in value]
        case dict():
            return _object_value(value, schema, resource or bool(schema.get("x-kubernetes-embedded-resource")))
    return value


def _object_value(value: Mapping[str, Any], schema: Mapping[str, Any], resource: bool) -> Any:
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    if isinstance(others, dict):
        return {key: value_of(inner, others) for key, inner in value.items()}
    if not properties and not resource:
        return value
    out = Object()
    for key, inner in value.items():
        if (written := escaped(key)) is not None and (key in properties or resource):
            out[written] = value_of(inner, properties.get(key) or {})
    return out


def _string(value: str, form: str) -> Any:
    from knarr.kinds.cel.values import duration

    try:
        match form:
            case "byte":
                import base64

                return base64.b64decode(value)
            case "date-time":
                return clock.parse(value)
            case "date":
                return clock.parse(value + "T00:00:00Z")
            case "duration":
                return duration(value)
    except ValueError:
        return value
    return value


def type_of(value: Any) -> Type:
    """The type of a value at work."""
    match value:
        case None:
            return NULL
        case bool():
            return BOOL
        case Uint():
            return UINT
        case int():
            return INT
        case float():
            return DOUBLE
        case str():
            return STRING
        case bytes():
            return BYTES
        case list():
            return list_of(DYN)
        case Object():
            own: Type = getattr(value, "type", OBJECT)
            return own
        case dict():
            return map_of(DYN, DYN)
        case datetime():
            return TIMESTAMP
        case timedelta():
            return DURATION
        case Type():
            return TYPE
    named: Type = value.type
    return named
