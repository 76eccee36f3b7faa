"""CEL expressions as programs: compiled and checked once, evaluated as often as wanted, each time under a limit.

Compiling gives each expression its type and a closure. What an evaluation may cost is counted in steps, and in the
sizes of what is searched, so no expression holds up the server.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from knarr.kinds.cel.authorization import CHECK_COST
from knarr.kinds.cel.library import MISSING, NAMESPACES, OVERLOADS, Overload, lookup
from knarr.kinds.cel.messages import Built, message_type
from knarr.kinds.cel.syntax import Call, ListOf, Literal, Macro, Malformed, MapOf, Message, Name, Node, Select, parse
from knarr.kinds.cel.types import (
    BOOL,
    DYN,
    INT,
    STRING,
    TYPE,
    Type,
    filled,
    fits,
    joined,
    list_of,
    map_of,
    optional_of,
    type_of,
)
from knarr.kinds.cel.values import Failed, Optional

LIMIT = 300_000  #: steps of one evaluation, under a second

#: a value's type by its name in expressions
NAMED = {name: Type(name) for name in ("int", "uint", "double", "bool", "string", "bytes", "list", "map", "type")}
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


class OverLimit(Exception):
    """An evaluation costs more than it may."""


@dataclass(slots=True)
class Scope:
    """What an evaluation works on: the variables, and what is left of its budget."""

    names: dict[str, Any]
    left: int

    def spend(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise OverLimit


Run = Callable[[Scope], Any]
Typed = tuple[Type, Run]


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression: the type of its values, and the variables that it uses."""

    source: str
    type: Type
    run: Run
    uses: frozenset[str]

    def evaluate(self, variables: Mapping[str, Any], limit: int = LIMIT) -> tuple[Any, int]:
        """The value and what it cost; raises Failed, and OverLimit when it would cost more than `limit`."""
        scope = Scope(dict(variables), limit)
        try:
            return self.run(scope), limit - scope.left
        except RecursionError:
            raise OverLimit from None
        except (TypeError, AttributeError, OverflowError) as error:
            raise Failed(f"no such overload: {error}") from None


def compiled(source: str, variables: Mapping[str, Type]) -> Program:
    """Compile an expression over variables of these types; raises Malformed."""
    compiler = _Compiler()
    try:
        type_, run = compiler.visit(parse(source), dict(variables))
    except RecursionError:
        raise Malformed(0, "expression recursion limit exceeded") from None
    return Program(source, type_, run, frozenset(compiler.used))


@dataclass
class _Compiler:
    used: set[str] = field(default_factory=set)

    def visit(self, node: Node, scope: Mapping[str, Type]) -> Typed:
        match node:
            case Literal():
                value = node.value
                return type_of(value), lambda env: value
            case Name():
                return self._name(node, scope)
            case Select():
                return self._select(node, scope)
            case Call(function="_&&_" | "_||_"):
                return self._junction(node, scope)
            case Call(function="_?_:_"):
                return self._choice(node, scope)
            case Call():
                return self._call(node, scope)
            case ListOf():
                return self._list(node, scope)
            case MapOf():
                return self._map(node, scope)
            case Message():
                return self._message(node, scope)
            case Macro():
                return self._macro(node, scope)
        raise AssertionError(f"an unknown node {node}")

    def _name(self, node: Name, scope: Mapping[str, Type]) -> Typed:
        name = node.name
        if name in scope:
            self.used.add(name)

            def read(env: Scope) -> Any:
                env.spend(1)
                return env.names[name]

            return scope[name], read
        if name in NAMED:
            return TYPE, lambda env: NAMED[name]
        raise Malformed(node.at, f"undeclared reference to '{name}' (in container '')")

    def _select(self, node: Select, scope: Mapping[str, Type]) -> Typed:
        of, run = self.visit(node.of, scope)
        chained = of.name == "optional"
        inner = of.of[0] if chained else of
        result = self._field(node, inner)
        name = node.field

        def select(env: Scope) -> Any:
            env.spend(1)
            value = run(env)
            if isinstance(value, Optional):
                if not value.items:
                    return False if node.test else value
                found = _get(value.items[0], name)
                return (found is not MISSING) if node.test else Optional(() if found is MISSING else (found,))
            found = _get(value, name)
            if node.test:
                return found is not MISSING
            if node.optional:
                return Optional(() if found is MISSING else (found,))
            if found is MISSING:
                raise Failed(f"no such key: {name}")
            return found

        if node.test:
            return BOOL, select
        return (optional_of(result) if chained or node.optional else result), select

    def _field(self, node: Select, of: Type) -> Type:
        if of.fields is not None:
            if node.field not in of.fields:
                raise Malformed(node.at, f"undefined field '{node.field}'")
            return of.fields[node.field]
        if of.name == "map":
            return of.of[1]
        if of.name in ("dyn", "object") or (len(of.name) == 1 and of.name.isupper()):
            return DYN
        raise Malformed(node.at, f"type '{of}' does not support field selection")

    def _junction(self, node: Call, scope: Mapping[str, Type]) -> Typed:
        (left, run_left), (right, run_right) = (self.visit(arg, scope) for arg in node.args)
        if not (fits(left, BOOL, {}) and fits(right, BOOL, {})):
            raise _no_overload(node, [left, right])
        decides = node.function == "_||_"

        def run(env: Scope) -> Any:
            env.spend(1)
            failure: Failed | None = None
            for side in (run_left, run_right):
                try:
                    value = side(env)
                    if value is decides:
                        return decides
                    if not isinstance(value, bool):
                        failure = failure or Failed("no such overload")
                except Failed as error:
                    failure = failure or error
            if failure is not None:
                raise failure
            return not decides

        return BOOL, run

    def _choice(self, node: Call, scope: Mapping[str, Type]) -> Typed:
        (test, run_test), (yes, run_yes), (no, run_no) = (self.visit(arg, scope) for arg in node.args)
        if not fits(test, BOOL, {}) or not (fits(yes, no, {}) or fits(no, yes, {})):
            raise _no_overload(node, [test, yes, no])

        def run(env: Scope) -> Any:
            env.spend(1)
            value = run_test(env)
            if not isinstance(value, bool):
                raise Failed("no such overload")
            return run_yes(env) if value else run_no(env)

        return joined(yes, no), run

    def _call(self, node: Call, scope: Mapping[str, Type]) -> Typed:
        name, args, method = node.function, node.args, node.method
        if method and isinstance(target := args[0], Name) and target.name not in scope and target.name in NAMESPACES:
            name, args, method = f"{target.name}.{name}", args[1:], False
        if name not in OVERLOADS:
            raise Malformed(node.at, f"undeclared reference to '{name}' (in container '')")
        visited = [self.visit(arg, scope) for arg in args]
        given = [type_ for type_, _ in visited]
        found: list[Overload] = []
        results: list[Type] = []
        for overload in OVERLOADS[name]:
            if overload.method is not method or len(overload.args) != len(given):
                continue
            bound: dict[str, Type] = {}
            if all(fits(mine, wanted, bound) for mine, wanted in zip(given, overload.args, strict=True)):
                found.append(overload)
                results.append(filled(overload.result, bound))
        if not found:
            raise _no_overload(node, given, name, method)
        result = results[0] if all(other == results[0] for other in results) else DYN
        sure = len(found) == 1 and (name in ("_==_", "_!=_") or not any(_loose(type_) for type_ in given))
        return result, _dispatch(name, found, [run for _, run in visited], sure)

    def _list(self, node: ListOf, scope: Mapping[str, Type]) -> Typed:
        visited = [self.visit(item, scope) for item in node.items]
        kinds = [
            (type_.of[0] if type_.name == "optional" else type_) if at in node.optional else type_
            for at, (type_, _) in enumerate(visited)
        ]
        runs = [(at in node.optional, run) for at, (_, run) in enumerate(visited)]

        def run_list(env: Scope) -> list[Any]:
            env.spend(1 + len(runs))
            out: list[Any] = []
            for optional, run in runs:
                value = run(env)
                out += value.items if optional and isinstance(value, Optional) else (value,)
            return out

        return list_of(_common(kinds)), run_list

    def _map(self, node: MapOf, scope: Mapping[str, Type]) -> Typed:
        visited = [
            (self.visit(key, scope), self.visit(value, scope), optional) for key, value, optional in node.entries
        ]
        keys = _common([key for (key, _), _, _ in visited])
        values = _common([v.of[0] if optional and v.name == "optional" else v for _, (v, _), optional in visited])

        def run_map(env: Scope) -> dict[Any, Any]:
            env.spend(1 + len(visited))
            out: dict[Any, Any] = {}
            for (_, key), (_, value), optional in visited:
                found = value(env)
                if optional and isinstance(found, Optional):
                    if not found.items:
                        continue
                    found = found.items[0]
                out[_hashable(key(env))] = found
            return out

        return map_of(keys, values), run_map

    def _message(self, node: Message, scope: Mapping[str, Type]) -> Typed:
        type_ = message_type(node, scope)
        visited = [(name, self.visit(value, scope)[1], optional) for name, value, optional in node.entries]

        def run_message(env: Scope) -> Built:
            env.spend(1 + len(visited))
            out = Built(type_)
            for name, value, optional in visited:
                found = value(env)
                if optional and isinstance(found, Optional):
                    if not found.items:
                        continue
                    found = found.items[0]
                out[name] = found
            return out

        return type_, run_message

    def _macro(self, node: Macro, scope: Mapping[str, Type]) -> Typed:
        of, run = self.visit(node.of, scope)
        inner = dict(scope)
        if node.name == "bind":
            inner[node.variables[0]] = of
            result, body = self.visit(node.args[0], inner)
            return result, lambda env: _with(env, node.variables, (run(env),), body)
        if node.name in ("optMap", "optFlatMap"):
            inner[node.variables[0]] = of.of[0] if of.name == "optional" else DYN
            result, body = self.visit(node.args[0], inner)
            flat = node.name == "optFlatMap"

            def opt(env: Scope) -> Any:
                value = run(env)
                if not value.items:
                    return value
                found = _with(env, node.variables, value.items, body)
                return found if flat else Optional((found,))

            return (result if flat else optional_of(result)), opt
        inner |= dict(zip(node.variables, _items(node, of), strict=True))
        bodies = [self.visit(arg, inner) for arg in node.args]
        return _loop(node, of, run, bodies)


def _items(node: Macro, of: Type) -> Sequence[Type]:
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


def _loop(node: Macro, of: Type, run: Run, bodies: Sequence[Typed]) -> Typed:
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
        found = True if test is None else _with(env, node.variables, variables, test)
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
        kept = _items(node, of)[0]
        return list_of(kept), lambda env: [variables[0] for variables in each(env) if passes(env, variables)]
    if name == "transformMap":
        key = of.of[0] if of.name == "map" else INT if of.name == "list" else DYN
        return map_of(key, result), lambda env: {
            variables[0]: _with(env, node.variables, variables, give)
            for variables in each(env)
            if passes(env, variables)
        }
    return list_of(result), lambda env: [
        _with(env, node.variables, variables, give) for variables in each(env) if passes(env, variables)
    ]


def _entries(value: Any, count: int) -> Any:
    if isinstance(value, list):
        return enumerate(value) if count == 2 else ((item,) for item in value)
    if isinstance(value, dict):
        return value.items() if count == 2 else ((key,) for key in value)
    raise Failed("no such overload")


def _with(env: Scope, variables: Sequence[str], values: Sequence[Any], body: Run) -> Any:
    """Evaluate with variables set, and set them back."""
    before = env.names
    env.names = {**before, **dict(zip(variables, values, strict=True))}
    try:
        return body(env)
    finally:
        env.names = before


def _dispatch(name: str, overloads: Sequence[Overload], runs: Sequence[Run], sure: bool) -> Run:
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


def _loose(type_: Type) -> bool:
    """Whether a type leaves open what its values are."""
    return type_.name == "dyn" or any(map(_loose, type_.of))


def _common(types: Sequence[Type]) -> Type:
    """The type of the items of a literal; of an empty one, any."""
    if not types:
        return Type("A")
    found = types[0]
    for other in types[1:]:
        found = joined(found, other)
    return found


def _get(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return lookup(value, name)
    raise Failed("no such overload")


def _hashable(key: Any) -> Any:
    if not isinstance(key, str | int | bool):
        raise Failed("unsupported key type")
    return key


def _no_overload(node: Call, given: Sequence[Type], name: str = "", method: bool = False) -> Malformed:
    shown = [str(type_) for type_ in given]
    applied = f"{shown[0]}.({', '.join(shown[1:])})" if method else f"({', '.join(shown)})"
    return Malformed(node.at, f"found no matching overload for '{name or node.function}' applied to '{applied}'")
