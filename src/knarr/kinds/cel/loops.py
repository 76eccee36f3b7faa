"""Macros over lists and maps as closures: `all`, `exists`, `map`, `filter`, ..."""

from collections.abc import Sequence
from typing import Any

from knarr.kinds.cel.scope import Run, Scope, Typed, evaluated_with
from knarr.kinds.cel.tree import Macro, Malformed
from knarr.kinds.cel.types import BOOL, DYN, INT, STRING, Type, fits, list_of, map_of
from knarr.kinds.cel.values import Failed


def items(node: Macro, of: Type) -> Sequence[Type]:
    """The types of a macro's variables."""
    two = len(node.variables) == 2
    if of.name == "list":
        return (INT, of.of[0]) if two else of.of
    if of.name == "map":
        return of.of if two else of.of[:1]
    if of.name == "dyn" or (len(of.name) == 1 and of.name.isupper()):
        return (DYN, DYN) if two else (DYN,)
    if of.name == "object":
        return (STRING, DYN) if two else (STRING,)
    raise Malformed(
        node.of.at, f"expression of type '{of}' cannot be range of a comprehension (must be list, map, or dynamic)"
    )


def loop(node: Macro, of: Type, run: Run, bodies: Sequence[Typed]) -> Typed:
    """The closure of a macro over a list or map."""
    name = node.name
    if name in ("all", "exists", "exists_one", "existsOne", "filter") and not fits(bodies[0][0], BOOL, {}):
        raise Malformed(node.args[0].at, f"expected type 'bool' but found '{bodies[0][0]}'")
    test = bodies[0][1] if name != "map" or len(bodies) == 2 else None
    if name.startswith("transform") and len(bodies) == 1:
        test = None
    give, result = bodies[-1][1], bodies[-1][0]

    def each(env: Scope) -> Any:
        value = run(env)
        for variables in _entries(value, len(node.variables)):
            env.spend(1)
            yield variables

    def passes(env: Scope, variables: tuple[Any, ...]) -> bool:
        found = True if test is None else evaluated_with(env, node.variables, variables, test)
        if not isinstance(found, bool):
            raise Failed("no such overload")
        return found

    if name in ("all", "exists"):
        decides = name == "exists"

        def quantify(env: Scope) -> bool:
            failure: Failed | None = None
            for variables in each(env):
                try:
                    if passes(env, variables) is decides:
                        return decides
                except Failed as error:
                    failure = failure or error
            if failure is not None:
                raise failure
            return not decides

        return BOOL, quantify
    if name in ("exists_one", "existsOne"):
        return BOOL, lambda env: sum(passes(env, variables) for variables in each(env)) == 1
    if name == "filter":
        kept = items(node, of)[0]
        return list_of(kept), lambda env: [variables[0] for variables in each(env) if passes(env, variables)]
    if name == "transformMap":
        key = of.of[0] if of.name == "map" else INT if of.name == "list" else DYN
        return map_of(key, result), lambda env: {
            variables[0]: evaluated_with(env, node.variables, variables, give)
            for variables in each(env)
            if passes(env, variables)
        }
    return list_of(result), lambda env: [
        evaluated_with(env, node.variables, variables, give) for variables in each(env) if passes(env, variables)
    ]


def _entries(value: Any, count: int) -> Any:
    if isinstance(value, list):
        return enumerate(value) if count == 2 else ((item,) for item in value)
    if isinstance(value, dict):
        return value.items() if count == 2 else ((key,) for key in value)
    raise Failed("no such overload")
