"""Which function a call is, by the types of its arguments, or by those of their values where types do not tell."""

from collections.abc import Sequence
from typing import Any

from knarr.kinds.cel.authorization import CHECK_COST
from knarr.kinds.cel.library import Overload
from knarr.kinds.cel.scope import Run, Scope
from knarr.kinds.cel.tree import Call, Malformed
from knarr.kinds.cel.types import Type, fits, type_of
from knarr.kinds.cel.values import Failed

#: functions that cost as much as what they are given is long
SCANNED = frozenset(
    [
        "matches",
        "find",
        "findAll",
        "contains",
        "split",
        "replace",
        "indexOf",
        "lastIndexOf",
        "join",
        "@in",
        "_+_",
        "_==_",
        "_!=_",
        "sum",
        "min",
        "max",
        "isSorted",
    ]
)


def dispatch(name: str, overloads: Sequence[Overload], runs: Sequence[Run], sure: bool) -> Run:
    """A call; by the values' types where those of the expressions do not tell which function it is."""
    scanned, cost = name in SCANNED, CHECK_COST if name == "check" else 1

    def call(env: Scope) -> Any:
        args = [run(env) for run in runs]
        env.spend(cost + (_size(args) if scanned else 0))
        if sure:
            return overloads[0].run(*args)
        for overload in overloads:
            bound: dict[str, Type] = {}
            if all(fits(type_of(arg), wanted, bound) for arg, wanted in zip(args, overload.args, strict=True)):
                return overload.run(*args)
        raise Failed("no such overload")

    return call


def _size(args: Sequence[Any]) -> int:
    return sum(len(arg) // 10 for arg in args if isinstance(arg, str | bytes | list))


def loose(type_: Type) -> bool:
    """Whether a type leaves open what its values are."""
    return type_.name == "dyn" or any(map(loose, type_.of))


def no_overload(node: Call, given: Sequence[Type], name: str = "", method: bool = False) -> Malformed:
    shown = [str(type_) for type_ in given]
    applied = f"{shown[0]}.({', '.join(shown[1:])})" if method else f"({', '.join(shown)})"
    return Malformed(node.at, f"found no matching overload for '{name or node.function}' applied to '{applied}'")
