"""Sets of fields, as managedFields names them, and what a schema makes of a tree: which fields it has, what changed.

A field is a path of steps: `f:name` into a struct or map, `k:{...}` to the item of a list with those keys, `v:...` to
an item of a set. Pure; `managed` and `apply` are the callers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import msgspec

from knarr.kinds.kind import Tree
from knarr.kinds.schema import types

Path = tuple[str, ...]
Fields = frozenset[Path]

KEY_DEFAULTS = {"protocol": "TCP"}  #: of list keys that may be left out
MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class Shape:
    """How a value merges: as a whole (leaf), by field, by map key, by list key, or as a set of scalars."""

    kind: Literal["leaf", "struct", "map", "list", "set"]
    of: str = ""  #: the struct's name, or the type of the items
    keys: tuple[str, ...] = ()
    required: bool = False  #: it is encoded even when nobody sets it


LEAF = Shape("leaf")


@dataclass(frozen=True, slots=True)
class Differences:
    added: Fields
    modified: Fields
    removed: Fields


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
            shapes = struct_shapes(shape.of)
            for key, child in value.items():
                yield "f:" + key, child, shapes.get(key, LEAF)
        case "map":
            for key, child in value.items():
                yield "f:" + key, child, item_shape(shape.of)
        case "list":
            for item in value:
                yield key_step(item, shape.keys), item, item_shape(shape.of)
        case "set":
            for item in value:
                yield "v:" + msgspec.json.encode(item).decode(), item, LEAF


def key_step(item: Tree, keys: Iterable[str]) -> str:
    """The step to a list's item."""
    found = {key: item.get(key, KEY_DEFAULTS.get(key)) for key in sorted(keys)}
    present = {key: value for key, value in found.items() if value is not None}
    return "k:" + msgspec.json.encode(present).decode()


def named(tree: Tree, struct: str) -> Fields:
    """The fields that a tree sets."""
    found: set[Path] = set()

    def walk(value: Any, shape: Shape, path: Path) -> None:
        if shape.kind == "leaf" or not value:
            found.add(path)
            return
        for step, child, inner in children(value, shape):
            if shape.kind in ("list", "set"):
                found.add((*path, step))
            if shape.kind != "set":
                walk(child, inner, (*path, step))

    for step, child, inner in children(tree, Shape("struct", struct)):
        walk(child, inner, (step,))
    return frozenset(found)


def compare(old: Tree, new: Tree, struct: str) -> Differences:
    """What became of the fields from one tree to another."""
    added: set[Path] = set()
    modified: set[Path] = set()
    removed: set[Path] = set()

    def walk(before: Any, after: Any, shape: Shape, path: Path) -> None:
        if before is not MISSING and before == after:
            return
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

    descend(old, new, Shape("struct", struct), ())
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
