"""Operators of CEL, and what works on values of any type."""

import math
from collections.abc import Callable
from typing import Any

from knarr.kinds.cel import types
from knarr.kinds.cel.functions import MISSING, add, lookup, unsigned, whole
from knarr.kinds.cel.values import Failed, Optional, compare, equal


def _divide(left: int, right: int) -> int:
    if right == 0:
        raise Failed("division by zero")
    found = abs(left) // abs(right)
    return whole(found if (left < 0) == (right < 0) else -found)


def _modulo(left: int, right: int) -> int:
    if right == 0:
        raise Failed("modulus by zero")
    return (
        int(math.copysign(abs(left) % abs(right), left)) if abs(left) < 1 << 52 else left - _divide(left, right) * right
    )


def _float_divide(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


for type_, wrap in (("int", whole), ("uint", unsigned)):
    add("_+_", f"{type_}, {type_} -> {type_}", lambda a, b, w=wrap: w(int(a) + int(b)))
    add("_-_", f"{type_}, {type_} -> {type_}", lambda a, b, w=wrap: w(int(a) - int(b)))
    add("_*_", f"{type_}, {type_} -> {type_}", lambda a, b, w=wrap: w(int(a) * int(b)))
    add("_/_", f"{type_}, {type_} -> {type_}", lambda a, b, w=wrap: w(_divide(a, b)))
    add("_%_", f"{type_}, {type_} -> {type_}", lambda a, b, w=wrap: w(_modulo(a, b)))
add("_+_", "double, double -> double", lambda a, b: a + b)
add("_-_", "double, double -> double", lambda a, b: a - b)
add("_*_", "double, double -> double", lambda a, b: a * b)
add("_/_", "double, double -> double", _float_divide)
for signature in (
    "string, string -> string", "bytes, bytes -> bytes", "list<A>, list<A> -> list<A>",
    "timestamp, duration -> timestamp", "duration, timestamp -> timestamp", "duration, duration -> duration",
):  # fmt: skip
    add("_+_", signature, lambda a, b: a + b)
for signature in (
    "timestamp, timestamp -> duration", "timestamp, duration -> timestamp", "duration, duration -> duration",
):  # fmt: skip
    add("_-_", signature, lambda a, b: a - b)
add("-_", "int -> int", lambda a: whole(-a))
add("-_", "double -> double", lambda a: -a)
add("!_", "bool -> bool", lambda a: not a)
add("_==_", "A, A -> bool", equal)
add("_!=_", "A, A -> bool", lambda a, b: not equal(a, b))
NUMBERS = ("int", "uint", "double")
ORDERED = [(a, b) for a in NUMBERS for b in NUMBERS] + [
    (t, t) for t in ("string", "bytes", "bool", "timestamp", "duration")
]
for left, right in ORDERED:
    add("_<_", f"{left}, {right} -> bool", lambda a, b: compare(a, b) < 0)
    add("_<=_", f"{left}, {right} -> bool", lambda a, b: compare(a, b) <= 0)
    add("_>_", f"{left}, {right} -> bool", lambda a, b: compare(a, b) > 0)
    add("_>=_", f"{left}, {right} -> bool", lambda a, b: compare(a, b) >= 0)
add("@in", "A, list<A> -> bool", lambda a, b: any(equal(a, item) for item in b))
add("@in", "A, map<A,B> -> bool", lambda a, b: lookup(b, a) is not MISSING)


def index(of: list[Any], at: Any) -> Any:
    if isinstance(at, float) and at.is_integer():
        at = int(at)
    if isinstance(at, bool) or not isinstance(at, int):
        raise Failed("no such overload")
    if not 0 <= at < len(of):
        raise Failed(f"index out of bounds: {at}")
    return of[at]


def _key(found: dict[Any, Any], key: Any) -> Any:
    value = lookup(found, key)
    if value is MISSING:
        raise Failed(f"no such key: {key}")
    return value


def _maybe(read: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Optional]:
    def run(of: Any, at: Any) -> Optional:
        try:
            return Optional((read(of, at),))
        except Failed:
            return Optional()

    return run


def _chain(of: Optional, at: Any) -> Optional:
    if not of.items:
        return of
    inner = of.items[0]
    return _maybe(index if isinstance(inner, list) else _key)(inner, at)


add("_[_]", "list<A>, int -> A", index)
add("_[_]", "map<A,B>, A -> B", _key)
add("_[_]", "optional<list<A>>, int -> optional<A>", _chain)
add("_[_]", "optional<map<A,B>>, A -> optional<B>", _chain)
add("_[?_]", "list<A>, int -> optional<A>", _maybe(index))
add("_[?_]", "map<A,B>, A -> optional<B>", _maybe(_key))
add("_[?_]", "optional<list<A>>, int -> optional<A>", _chain)
add("_[?_]", "optional<map<A,B>>, A -> optional<B>", _chain)
for each in ("string", "bytes", "list<A>", "map<A,B>"):
    add("size", f"{each} -> int", len)
    add("size", f"{each} -> int", len, method=True)
add("type", "A -> type", types.type_of)
add("dyn", "A -> dyn", lambda a: a)
