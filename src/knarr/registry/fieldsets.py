"""Sets of fields, as managedFields names them, and what a schema makes of a tree: which fields it has, what changed.

A field is a path of steps: `f:name` into a struct or map, `k:{...}` to the item of a list with those keys, `v:...` to
an item of a set. Pure; `managed` and `apply` are the callers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import msgspec

from knarr.kinds.kind import Kind, Tree
from knarr.kinds.schema import type_name, types

Path = tuple[str, ...]
Fields = frozenset[Path]

KEY_DEFAULTS = {"protocol": "TCP"}  #: of list keys that may be left out
MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class Shape:
    """How a value merges: as a whole (leaf), by field, by map key, by list key, or as a set of scalars."""

    kind: Literal["leaf", "struct", "map", "list", "set", "any"]
    of: str = ""  #: the struct's name, or the type of the items
    keys: tuple[str, ...] = ()
    required: bool = False  #: it is encoded even when nobody sets it
    fields: "Mapping[str, Shape] | None" = None  #: of a struct that has no name
    items: "Shape | None" = None  #: of items whose type has no name
    others: "Shape | None" = None  #: of fields that such a struct does not name
    defaults: Mapping[str, Any] | None = None  #: of keys that may be left out

    def fits(self, value: Any) -> "Shape":
        """This shape; or, where anything may stand, the one of what does: objects merge by field, the rest whole.

        What is not of the shape at all is a leaf: validation is yet to refuse it.
        """
        if self.kind == "any":
            return ANY_OBJECT if isinstance(value, dict) else LEAF
        wanted = _HELD_IN.get(self.kind)
        return self if wanted is None or value is None or value is MISSING or isinstance(value, wanted) else LEAF


_HELD_IN = {"struct": dict, "map": dict, "list": list, "set": list}
LEAF = Shape("leaf")
ANY = Shape("any")
ANY_OBJECT = Shape("map", items=ANY)


@dataclass(frozen=True, slots=True)
class Differences:
    added: Fields
    modified: Fields
    removed: Fields


def root_shape(kind: Kind) -> Shape:
    """The shape of a kind's objects."""
    if kind.custom is not None:
        return custom_shape(kind.custom)
    return Shape("struct", type_name(kind.type))


@cache
def custom_shape(type_: Any) -> Shape:
    """The shape that a custom resource's schema gives its objects."""
    return schema_shape(type_.schema, resource=True)


def schema_shape(schema: Tree, *, resource: bool = False) -> Shape:
    """How a value merges by its schema. Lists do as wholes unless they say otherwise, objects by field."""
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    unknown = ANY if schema.get("x-kubernetes-preserve-unknown-fields") else None
    resource = resource or bool(schema.get("x-kubernetes-embedded-resource"))
    if schema.get("type") == "array":
        return _array_shape(schema)
    if schema.get("x-kubernetes-map-type") == "atomic":
        return LEAF
    if isinstance(others, dict):
        return Shape("map", items=schema_shape(others))
    if properties or resource:
        own = dict.fromkeys(("apiVersion", "kind"), LEAF) | {"metadata": Shape("struct", "meta_v1.ObjectMeta")}
        fields = {name: schema_shape(inner) for name, inner in properties.items()} | (own if resource else {})
        return Shape("struct", fields=fields, others=unknown)
    if unknown is not None or others is True:
        return ANY
    return Shape("struct", fields={}) if schema.get("type") == "object" else LEAF


def _array_shape(schema: Tree) -> Shape:
    items = schema.get("items") or {}
    match schema.get("x-kubernetes-list-type"):
        case "set":
            return Shape("set")
        case "map":
            keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
            properties = items.get("properties") or {}
            defaults = {key: properties[key]["default"] for key in keys if "default" in properties.get(key, {})}
            return Shape("list", keys=keys, items=schema_shape(items), defaults=defaults)
    return LEAF


@cache
def struct_shapes(name: str) -> dict[str, Shape]:
    """The shapes of a struct's fields."""
    return {field: _shape(spec["type"], spec) for field, spec in types()[name]["fields"].items()}


@cache
def item_shape(type_: str) -> Shape:
    """The shape of a map's or list's items."""
    return _shape(type_, {})


def _shape(type_: str, spec: Tree) -> Shape:
    required = bool(spec.get("required"))
    if spec.get("map") == "atomic":
        return LEAF
    if type_.startswith("[]"):
        match spec.get("list"):
            case "map":
                return Shape("list", type_[2:], tuple(spec["keys"]), required)
            case "set":
                return Shape("set", required=required)
        return LEAF
    if type_.startswith("{}"):
        return Shape("map", type_[2:], (), required)
    if type_ in types() and types()[type_].get("map") != "atomic":
        return Shape("struct", type_, (), required)
    return LEAF


def children(value: Any, shape: Shape) -> Iterator[tuple[str, Any, Shape]]:
    """The steps into a value."""
    match shape.kind:
        case "struct":
            shapes = struct_shapes(shape.of) if shape.fields is None else shape.fields
            for key, child in value.items():
                yield "f:" + key, child, shapes.get(key, shape.others or LEAF)
        case "map":
            for key, child in value.items():
                yield "f:" + key, child, shape.items or item_shape(shape.of)
        case "list":
            for item in value:
                yield key_step(item, shape.keys, shape.defaults), item, shape.items or item_shape(shape.of)
        case "set":
            for item in value:
                yield "v:" + msgspec.json.encode(item).decode(), item, LEAF


def key_step(item: Tree, keys: Iterable[str], defaults: Mapping[str, Any] | None = None) -> str:
    """The step to a list's item."""
    if not isinstance(item, dict):  # which validation is yet to refuse
        return "v:" + msgspec.json.encode(item).decode()
    usual = KEY_DEFAULTS if defaults is None else defaults
    found = {key: item.get(key, usual.get(key)) for key in sorted(keys)}
    present = {key: value for key, value in found.items() if value is not None}
    return "k:" + msgspec.json.encode(present).decode()


def named(tree: Tree, root: Shape) -> Fields:
    """The fields that a tree sets."""
    found: set[Path] = set()

    def walk(value: Any, shape: Shape, path: Path) -> None:
        shape = shape.fits(value)
        if shape.kind == "leaf" or not value:
            found.add(path)
            return
        for step, child, inner in children(value, shape):
            if shape.kind in ("list", "set"):
                found.add((*path, step))
            if shape.kind != "set":
                walk(child, inner, (*path, step))

    for step, child, inner in children(tree, root):
        walk(child, inner, (step,))
    return frozenset(found)


def compare(old: Tree, new: Tree, root: Shape) -> Differences:
    """What became of the fields from one tree to another."""
    added: set[Path] = set()
    modified: set[Path] = set()
    removed: set[Path] = set()

    def walk(before: Any, after: Any, shape: Shape, path: Path) -> None:
        if before is not MISSING and before == after:
            return
        shape = shape.fits(before if after is MISSING else after)
        shape = shape.fits(before) if shape.kind != "leaf" else shape  # perhaps it was something else
        whole = shape.kind == "leaf" or (_empty(before) and _empty(after))
        if after is MISSING:
            removed.add(path)
        elif before is MISSING and (whole or not shape.required):
            added.add(path)
        elif whole:
            modified.add(path)
        if not whole:
            descend(before, after, shape, path)

    def descend(before: Any, after: Any, shape: Shape, path: Path) -> None:
        left = {} if _empty(before) else {step: (child, inner) for step, child, inner in children(before, shape)}
        right = {} if _empty(after) else {step: (child, inner) for step, child, inner in children(after, shape)}
        for step in left.keys() | right.keys():
            mine, theirs = left.get(step), right.get(step)
            inner = (theirs or mine or (None, LEAF))[1]
            walk(mine[0] if mine else MISSING, theirs[0] if theirs else MISSING, inner, (*path, step))

    descend(old, new, root, ())
    return Differences(frozenset(added), frozenset(modified), frozenset(removed))


def encode(fields: Fields) -> Tree:
    """A set as fieldsV1."""
    root: Tree = {}
    for path in sorted(fields):
        node = root
        for step in path:
            node = node.setdefault(step, {})
        node["."] = {}
    return _trimmed(root)


def decode(tree: Tree, path: Path = ()) -> Iterator[Path]:
    """The paths of a fieldsV1."""
    for step, inner in tree.items():
        if step == ".":
            yield path
        elif not inner:
            yield (*path, step)
        else:
            yield from decode(inner, (*path, step))


def text(path: Path) -> str:
    """A path as messages show it: .spec.containers[name="c"].image"""
    out = ""
    for step in path:
        value = step[2:]
        if step.startswith("f:"):
            out += "." + value
        elif step.startswith("v:"):
            out += f"[={value}]"
        else:
            keys = msgspec.json.decode(value)
            out += "[" + ",".join(f"{key}={msgspec.json.encode(keys[key]).decode()}" for key in sorted(keys)) + "]"
    return out


def _empty(value: Any) -> bool:
    return value is MISSING or value is None or value in ({}, [])


def _trimmed(node: Tree) -> Tree:
    """Leaves are empty objects; only a field that is in the set beside fields inside it is marked."""
    if node.keys() == {"."}:
        return {}
    return {step: _trimmed(inner) if step != "." else {} for step, inner in sorted(node.items())}
