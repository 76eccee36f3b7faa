"""The table of CEL's functions: for each the types it takes and gives, and what it does.

A row serves both the checker, by types, and the evaluator, by values. Methods have their target as first argument.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from knarr.kinds.cel import types
from knarr.kinds.cel.tree import Uint
from knarr.kinds.cel.types import Type
from knarr.kinds.cel.values import Failed


@dataclass(frozen=True, slots=True)
class Overload:
    args: tuple[Type, ...]
    result: Type
    method: bool
    run: Callable[..., Any]


OVERLOADS: dict[str, list[Overload]] = {}


def add(name: str, signature: str, run: Callable[..., Any], *, method: bool = False) -> None:
    """A row: "string, int -> bool"."""
    args, _, result = signature.partition("->")
    depth, parts = 0, [""]
    for character in args:
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    read = tuple(types.read(part.strip()) for part in parts if part.strip())
    OVERLOADS.setdefault(name, []).append(Overload(read, types.read(result.strip()), method, run))


def methods(rows: dict[str, tuple[str, Callable[..., Any]]]) -> None:
    for name, (signature, run) in rows.items():
        add(name, signature, run, method=True)


def functions(rows: dict[str, tuple[str, Callable[..., Any]]]) -> None:
    for name, (signature, run) in rows.items():
        add(name, signature, run)


def whole(value: float) -> int:
    """Within 64 bits, or Failed."""
    if not -(1 << 63) <= value < 1 << 63:
        raise Failed("integer overflow")
    return int(value)


def unsigned(value: float) -> Uint:
    if not 0 <= value < 1 << 64:
        raise Failed("unsigned integer overflow")
    return Uint(value)


def typed(rows: dict[str, tuple[str, str, Callable[..., Any]]], own: str, *, method: bool = True) -> None:
    """Rows of a type of Kubernetes: `X` in a signature stands for it."""
    for name, (args, result, run) in rows.items():
        read = tuple(Type(own) if part == "X" else types.read(part) for part in args.split(", ") if part)
        given = Type(own) if result == "X" else types.read(result)
        OVERLOADS.setdefault(name, []).append(Overload(read, given, method, run))


MISSING: Any = object()


def lookup(found: dict[Any, Any], key: Any) -> Any:
    """The value of a map's key; true is not 1 here."""
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    value = found.get(key, MISSING) if isinstance(key, str | int | bool) else MISSING
    if value is not MISSING and isinstance(key, bool | int):
        return value if any(isinstance(k, bool) is isinstance(key, bool) for k in found if k == key) else MISSING
    return value
