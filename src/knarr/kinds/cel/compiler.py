"""Expressions to closures, each with the type of its values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from knarr.kinds.cel.dispatch import dispatch, loose, no_overload
from knarr.kinds.cel.library import MISSING, NAMESPACES, OVERLOADS, Overload, lookup
from knarr.kinds.cel.loops import items, loop
from knarr.kinds.cel.messages import Built, message_type
from knarr.kinds.cel.scope import Scope, Typed, evaluated_with
from knarr.kinds.cel.tree import Call, ListOf, Literal, Macro, Malformed, MapOf, Message, Name, Node, Select
from knarr.kinds.cel.types import BOOL, DYN, TYPE, Type, filled, fits, joined, list_of, map_of, optional_of, type_of
from knarr.kinds.cel.values import Failed, Optional

#: a value's type by its name in expressions
NAMED = {name: Type(name) for name in ("int", "uint", "double", "bool", "string", "bytes", "list", "map", "type")}


@dataclass
class Compiler:
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
            raise no_overload(node, [left, right])
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
            raise no_overload(node, [test, yes, no])

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
            raise no_overload(node, given, name, method)
        result = results[0] if all(other == results[0] for other in results) else DYN
        sure = len(found) == 1 and (name in ("_==_", "_!=_") or not any(loose(type_) for type_ in given))
        return result, dispatch(name, found, [run for _, run in visited], sure)

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
            return result, lambda env: evaluated_with(env, node.variables, (run(env),), body)
        if node.name in ("optMap", "optFlatMap"):
            inner[node.variables[0]] = of.of[0] if of.name == "optional" else DYN
            result, body = self.visit(node.args[0], inner)
            flat = node.name == "optFlatMap"

            def opt(env: Scope) -> Any:
                value = run(env)
                if not value.items:
                    return value
                found = evaluated_with(env, node.variables, value.items, body)
                return found if flat else Optional((found,))

            return (result if flat else optional_of(result)), opt
        inner |= dict(zip(node.variables, items(node, of), strict=True))
        bodies = [self.visit(arg, inner) for arg in node.args]
        return loop(node, of, run, bodies)


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
