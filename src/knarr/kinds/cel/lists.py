"""Lists and sets: Kubernetes' library for lists, CEL's for sets."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from knarr.kinds.cel.functions import add, functions, methods, whole
from knarr.kinds.cel.values import Failed, compare, equal


def _ordered(items: list[Any]) -> bool:
    return all(compare(a, b) <= 0 for a, b in pairwise(items))


def _most(sign: int) -> Callable[[list[Any]], Any]:
    def run(items: list[Any]) -> Any:
        if not items:
            raise Failed(f"{'max' if sign > 0 else 'min'} called on empty list")
        best = items[0]
        for item in items[1:]:
            if compare(item, best) * sign > 0:
                best = item
        return best

    return run


def _sum(items: list[Any]) -> Any:
    total = items[0] if items else 0
    for item in items[1:]:
        total = total + item
    return whole(total) if type(total) is int else total


def _position(items: list[Any], value: Any, places: "range | reversed[int]") -> int:
    return next((at for at in places if equal(items[at], value)), -1)


methods(
    {
        "isSorted": ("list<A> -> bool", _ordered),
        "sum": ("list<A> -> A", _sum),
        "min": ("list<A> -> A", _most(-1)),
        "max": ("list<A> -> A", _most(1)),
    }
)
add("indexOf", "list<A>, A -> int", lambda of, v: _position(of, v, range(len(of))), method=True)
add("lastIndexOf", "list<A>, A -> int", lambda of, v: _position(of, v, range(len(of) - 1, -1, -1)), method=True)


def _covers(of: list[Any], others: list[Any]) -> bool:
    return all(any(equal(a, b) for b in of) for a in others)


functions(
    {
        "sets.contains": ("list<A>, list<A> -> bool", _covers),
        "sets.equivalent": ("list<A>, list<A> -> bool", lambda a, b: _covers(a, b) and _covers(b, a)),
        "sets.intersects": ("list<A>, list<A> -> bool", lambda a, b: any(equal(x, y) for x in a for y in b)),
    }
)
