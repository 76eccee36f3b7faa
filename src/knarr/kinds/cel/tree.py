"""What a CEL text is parsed to: a tree of expressions, each of which knows where it stands in the text."""

from dataclasses import dataclass
from typing import Any


class Malformed(Exception):
    """The text cannot be compiled; `at` is an offset into it."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(why)
        self.at, self.why = at, why

    def text(self, source: str) -> str:
        """The complaint with the place shown, as cel-go prints it."""
        before = source[: self.at]
        line, column = before.count("\n") + 1, self.at - (before.rfind("\n") + 1)
        shown = source.split("\n")[line - 1] if source else ""
        return f"ERROR: <input>:{line}:{column + 1}: {self.why}\n | {shown}\n | {'.' * column}^"


@dataclass(frozen=True, slots=True)
class Node:
    at: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Select(Node):
    of: Node
    field: str
    test: bool = False  #: has(a.b)
    optional: bool = False  #: a.?b


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function or operator; of a method, the target is the first argument."""

    function: str
    args: tuple[Node, ...]
    method: bool = False


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    items: tuple[Node, ...]
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class MapOf(Node):
    entries: tuple[tuple[Node, Node, bool], ...]


@dataclass(frozen=True, slots=True)
class Message(Node):
    """A value of a named type: `Object.spec{replicas: 3}`."""

    name: str
    entries: tuple[tuple[str, Node, bool], ...]  #: field, value, whether the value is an optional (`?field: ...`)


@dataclass(frozen=True, slots=True)
class Macro(Node):
    """A loop over a list or map: all, exists, exists_one, map, filter, ...; optMap and optFlatMap; cel.bind."""

    name: str
    of: Node
    variables: tuple[str, ...]
    args: tuple[Node, ...]


class Uint(int):
    """An unsigned integer."""

    __slots__ = ()
