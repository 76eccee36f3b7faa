"""JSONPath as Kubernetes writes it: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`.

For the columns, the selectable fields and the scale of custom resources. A path is parsed once and then finds values;
what is missing is found nowhere, and is no error.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

Step = Callable[[Any], Iterator[Any]]

_FIELD = re.compile(r"(?:\\.|[^\\.\[\]{}\s])+")
_INDEX = re.compile(r"-?\d+")
_SLICE = re.compile(r"(-?\d*):(-?\d*)(?::(-?\d*))?")
_FILTER = re.compile(r"\?\(\s*(@[^=!<>]*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?)\s*)?\)")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


class Malformed(ValueError):
    """The text is no path."""


@cache
def parse(text: str) -> tuple[Step, ...]:
    """The steps of a path; raises Malformed."""
    steps: list[Step] = []
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    text = text.removeprefix("$").removeprefix("@")
    at = 0
    while at < len(text):
        if text.startswith("..", at):
            steps.append(_everything)
            at += 1 if text[at + 2 : at + 3] != "[" else 2
        elif text[at] == ".":
            found = _FIELD.match(text, at + 1)
            if found is None:
                if at + 1 == len(text):
                    return tuple(steps)
                if text[at + 1] == "[":
                    at += 1
                    continue
                raise Malformed(f"unrecognized character in action: {text[at + 1]!r}")
            name = re.sub(r"\\(.)", r"\1", found[0])
            steps.append(_wildcard if name == "*" else _field(name))
            at = found.end()
        elif text[at] == "[":
            end = _closing(text, at)
            steps.append(_bracket(text[at + 1 : end].strip()))
            at = end + 1
        else:
            raise Malformed(f"unrecognized character in action: {text[at]!r}")
    return tuple(steps)


def find(value: Any, path: str) -> list[Any]:
    """All values at a path."""
    found: Iterable[Any] = (value,)
    for step in parse(path):
        found = [inner for outer in found for inner in step(outer)]
    return list(found)


def first(value: Any, path: str) -> Any:
    """The first value at a path; None when there is none."""
    return next(iter(find(value, path)), None)


def simple(path: str) -> list[str] | None:
    """The names of a path that goes by fields alone, as `.spec.replicas` does; None of any other."""
    if not path.startswith(".") or not re.fullmatch(r"(\.[A-Za-z_$][\w$-]*)+", path):
        return None
    return path[1:].split(".")


def _closing(text: str, start: int) -> int:
    """Where the bracket ends that begins at `start`; quotes hide brackets."""
    depth, quote = 0, ""
    for at in range(start, len(text)):
        character = text[at]
        if quote:
            if character == quote and text[at - 1] != "\\":
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
            if not depth:
                return at
    raise Malformed("unterminated array")


def _bracket(inside: str) -> Step:
    if inside == "*":
        return _wildcard
    if inside[:1] in ("'", '"') and inside[-1:] == inside[:1]:
        return _field(re.sub(r"\\(.)", r"\1", inside[1:-1]))
    if _INDEX.fullmatch(inside):
        return _item(int(inside))
    if found := _SLICE.fullmatch(inside):
        return _slice(*(int(part) if part else None for part in found.groups()))
    if found := _FILTER.fullmatch(inside):
        return _filter(found[1], found[2], found[3])
    raise Malformed(f"invalid array index {inside}")


def _field(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _item(index: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return step


def _slice(start: int | None = None, end: int | None = None, stride: int | None = None) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value[slice(start, end, stride or None)]

    return step


def _filter(left: str, operator: str | None, right: str | None) -> Step:
    parse(left)
    literal = _literal(right or "")

    def step(value: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else ():
            found = find(item, left)
            if operator is None:
                if found:
                    yield item
            elif found and _holds(operator, found[0], literal):
                yield item

    return step


def _literal(text: str) -> Any:
    if text[:1] in ("'", '"'):
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def _holds(operator: str, left: Any, right: Any) -> bool:
    try:
        return COMPARE[operator](left, right)
    except TypeError:
        return False


def _wildcard(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _everything(value: Any) -> Iterator[Any]:
    yield value
    for inner in _wildcard(value):
        yield from _everything(inner)
