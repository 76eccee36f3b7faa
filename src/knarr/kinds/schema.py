"""Trees against the API's types: `normalise` brings one into the form upstream would encode it in.

Types are checked as Go's decoder checks them, unknown fields are found and taken out, nulls and zero values that Go
would not encode are dropped, those it would are filled in, quantities and times become canonical. It runs on every
write, so each type is compiled into a walker on first use.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from knarr.kinds.decode import complaints, go_name
from knarr.kinds.kind import Tree
from knarr.kinds.scalars import SCALARS, Mismatch, integer
from knarr.kinds.wire_shape import GO_NAMES, POINTER_STRUCTS, always_there, drops_zero
from knarr.meta.errors import BadRequest

ZERO: dict[str, Any] = {"str": "", "int": 0, "bool": False, "float": 0}
PLAIN: dict[str, type] = {"str": str, "bool": bool}  #: types any value of which, but for its zero, is kept as it is

#: checks a value in place; returns what to keep (None: drop the field) and the unknown fields inside, or None
Check = Callable[[Any], tuple[Any, "list[str] | None"]]
Walker = Callable[[Tree], "list[str] | None"]


class Findings(msgspec.Struct, frozen=True):
    """What `normalise` took out: the paths of unknown fields in the order they came."""

    unknown: list[str]


STRICT = "strict decoding error: "  #: how the detail of a strict refusal begins


class Undecodable(BadRequest):
    """The tree does not fit its type. `detail` is the decoder's complaint alone, as patches report it."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message)
        self.detail = detail


def normalise(tree: Tree, type: str) -> Findings:  # noqa: A002 (the interface's word)
    """Bring a tree of the named type ("apps_v1.StatefulSet") into normal form, in place; raise Undecodable."""
    try:
        return Findings(walker(type)(tree) or [])
    except Mismatch as mismatch:
        raise undecodable(tree, type, mismatch.text()) from None
    except RecursionError:
        raise undecodable(tree, type, "exceeded max depth") from None


def strict(tree: Tree, type: str, unknown: Iterable[str], duplicates: Iterable[str] = ()) -> Undecodable:  # noqa: A002
    """The refusal of strict field validation; `duplicates` are decoding's complaints of keys given twice."""
    return undecodable(tree, type, STRICT + ", ".join(complaints(list(duplicates), unknown)))


def undecodable(tree: Tree, type: str, detail: str) -> Undecodable:  # noqa: A002
    """A complaint about a body whose kind is known."""
    expected = type.rpartition(".")[2]
    kind, version = tree.get("kind"), tree.get("apiVersion")
    kind = kind if isinstance(kind, str) and kind else expected
    version = version.rpartition("/")[2] if isinstance(version, str) and version else type.partition(".")[0][-2:]
    return Undecodable(f'{kind} in version "{version}" cannot be handled as a {expected}: {detail}', detail)


@cache
def type_name(struct: type) -> str:
    """The schema's name of a generated Struct: core_v1.Pod."""
    return f"{struct.__module__.rpartition('.')[2]}.{struct.__name__}"


@cache
def types() -> dict[str, Any]:
    """The generated schema with the old versions' types, read on first use."""
    text = resources.files("knarr.kinds.types").joinpath("schema.json").read_bytes()
    loaded: dict[str, Any] = msgspec.json.decode(text)
    from knarr.kinds.old import shapes  # it imports every kind that has older versions, and those import this

    return loaded | shapes.added(loaded)


@cache
def walker(name: str) -> Walker:
    """The compiled check of one struct type."""
    struct, entry = name.rpartition(".")[2], types()[name]
    checks = {sys.intern(key): _check(struct, key, spec) for key, spec in entry["fields"].items()}
    plain = {key: kept for key, spec in entry["fields"].items() if (kept := _plain(spec["type"], spec)) is not None}
    fill = list(_filled(struct, entry))

    def walk(tree: Tree) -> list[str] | None:
        unknown: list[str] | None = None
        dropped: list[str] | None = None
        try:
            for key, value in tree.items():
                if value and plain.get(key) is type(value):
                    continue
                if (check := checks.get(key)) is None:
                    kept, inside, unknown = None, None, unknown or []
                    unknown.append(key)
                else:
                    kept, inside = check(value)
                if kept is None:
                    dropped = dropped or []
                    dropped.append(key)
                elif kept is not value:
                    tree[key] = kept
                if inside:
                    unknown = unknown or []
                    unknown += [key + rest if rest[:1] == "[" else f"{key}.{rest}" for rest in inside]
        except Mismatch as mismatch:
            raise mismatch.within(struct, key) from None
        if dropped:
            for key in dropped:
                del tree[key]
        for key, zero, inner in fill:
            if key not in tree:
                if inner is None:
                    tree[key] = zero
                else:
                    inner(tree.setdefault(key, {}))
        return unknown

    return walk


def _filled(struct: str, entry: dict[str, Any]) -> Iterator[tuple[str, Any, Check | None]]:
    """The fields that Go encodes whether or not they are set: their zero values, and the checks of structs."""
    for key, spec in entry["fields"].items():
        type_, required = spec["type"], spec.get("required", False)
        if (required and f"{struct}.{key}" not in POINTER_STRUCTS) or always_there(struct, key, type_, "gvk" in entry):
            if type_ in ZERO and not spec.get("enum"):
                yield key, ZERO[type_], None
            elif "." in type_ and type_[0] not in "[{":
                yield key, {}, _check_of(type_, spec)


def _plain(type_: str, spec: dict[str, Any]) -> type | None:
    """The Python type of values that need no check but for it, where there is one."""
    return PLAIN.get(type_) if spec.get("format") != "byte" else None


def _check(struct: str, key: str, spec: dict[str, Any]) -> Check:
    """The check of one field."""
    type_: str = spec["type"]
    scalar = GO_NAMES.get(f"{struct}.{key}", "")
    if type_.startswith("[]"):
        go = f"[]{scalar or _go_type(type_[2:], spec)}"
        return _list(_check_of(type_[2:], spec, scalar), go, type_[2:], _plain(type_[2:], spec))
    if type_.startswith("{}"):
        go = "v1.ResourceList" if type_ == "{}Quantity" else f"map[string]{_go_type(type_[2:], spec)}"
        return _map(_check_of(type_[2:], spec, scalar), go, type_[2:], _plain(type_[2:], spec))
    check = _check_of(type_, spec, scalar)
    if not spec.get("required") and type_ in ZERO and drops_zero(struct, key, type_):
        return _without_zero(check)
    return check


def _check_of(type_: str, spec: dict[str, Any], scalar: str = "") -> Check:
    """The check of a type that is no container, or of a container's items."""
    if type_.startswith("[]"):
        return _list(_check_of(type_[2:], spec), f"[]{_go_type(type_[2:], spec)}", type_[2:])
    if type_ == "int":
        return integer(spec.get("format", "int32"))
    if type_ == "str":
        return SCALARS["bytes" if spec.get("format") == "byte" else "str"](scalar or "string")
    if "." not in type_:
        return SCALARS[type_](scalar or _go_type(type_, spec))
    go = _go_type(type_, spec)
    walk: Walker | None = None  # compiled when first needed: types refer to one another, some to themselves

    def struct(value: Any) -> tuple[Any, list[str] | None]:
        nonlocal walk
        if type(value) is dict:
            if walk is None:
                walk = walker(type_)
            return value, walk(value)
        if value is None:
            return None, None
        raise Mismatch(go_name(value), go)

    return struct


def _without_zero(check: Check) -> Check:
    def optional(value: Any) -> tuple[Any, list[str] | None]:
        kept, inside = check(value)
        return (kept or None), inside

    return optional


def _list(check: Check, go: str, item_type: str, plain: type | None = None) -> Check:
    empty = _empty_of(item_type)
    walk: Walker | None = None
    compiled = "." not in item_type or item_type[0] in "[{"  # else of structs, whose walker is compiled at first use

    def items(value: Any) -> tuple[Any, list[str] | None]:
        nonlocal compiled, walk
        if not compiled:
            compiled, walk = True, walker(item_type)
        if type(value) is not list:
            if value is None:
                return None, None
            raise Mismatch(go_name(value), go)
        if plain is not None and _all(value, plain):
            return (value or None), None
        unknown: list[str] | None = None
        for index, item in enumerate(value):
            if walk is not None and type(item) is dict:
                inside = walk(item)
            else:
                kept, inside = check(item)
                if kept is not item:
                    value[index] = kept
                if kept is None:
                    value[index] = empty()
                    check(value[index])
            if inside:
                unknown = unknown or []
                unknown += [f"[{index}].{rest}" for rest in inside]
        return (value or None), unknown

    return items


def _map(check: Check, go: str, item_type: str, plain: type | None = None) -> Check:
    empty = _empty_of(item_type)

    def members(value: Any) -> tuple[Any, list[str] | None]:
        if type(value) is not dict:
            if value is None:
                return None, None
            raise Mismatch(go_name(value), go)
        if plain is not None and _all(value.values(), plain):
            return (value or None), None
        unknown: list[str] | None = None
        for key, item in value.items():
            kept, inside = check(item)
            if kept is not item:
                value[key] = kept
            if kept is None:
                value[key] = empty()
                check(value[key])
            if inside:
                unknown = unknown or []
                unknown += [f"{key}.{rest}" for rest in inside]
        return (value or None), unknown

    return members


def _all(items: Iterable[Any], type_: type) -> bool:
    """Whether all items are of a type."""
    return set(map(type, items)) <= {type_}


def _empty_of(type_: str) -> Callable[[], Any]:
    """What null stands for inside a list or map: the type's zero value."""
    if "." in type_ or type_ == "Object":
        return dict
    zeros: dict[str, Callable[[], Any]] = {"int": int, "bool": bool, "float": int, "Quantity": lambda: "0", "Any": dict}
    return zeros.get(type_, list if type_.startswith("[]") else str)


def _go_type(type_: str, spec: dict[str, Any]) -> str:
    """How Go's errors name a type."""
    if type_.startswith("[]"):
        return "[]" + _go_type(type_[2:], spec)
    if "." in type_:
        return "v1." + type_.rpartition(".")[2] if "_v1." in type_ else "v2." + type_.rpartition(".")[2]
    if type_ == "int":
        return str(spec.get("format", "int32"))
    if spec.get("format") == "byte":
        return "[]uint8"
    return {"str": "string", "bool": "bool", "float": "float64", "Quantity": "resource.Quantity"}.get(type_, "string")
