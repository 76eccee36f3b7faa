"""Values of a YAML file that know their line: each is read as what it must be, or refused with file, line and field."""

import re
from collections.abc import Callable, Collection
from typing import TypeVar

import yaml

from knarr.meta import quantity

T = TypeVar("T")

DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
UNITS = (3600.0, 60.0, 1.0, 0.001)
LONGEST = 365 * 24 * 3600.0  #: seconds
MOST = 1e9


class Bad(ValueError):
    """A file that cannot be: `FILE:LINE: FIELD: what it must be`."""


class Value:
    """One value of the file. `path` is how a message names it."""

    def __init__(self, node: yaml.Node, path: str, file: str) -> None:
        self.node, self.path, self.file = node, path, file

    def bad(self, rule: str) -> Bad:
        place = f"{self.path}: " if self.path else ""
        return Bad(f"{self.file}:{self.node.start_mark.line + 1}: {place}{rule}")

    def _scalar(self, what: str) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.bad(f"must be {what}")
        return str(self.node.value)

    def text(self) -> str:
        text = self._scalar("a text")
        if not text:
            raise self.bad("must not be empty")
        return text

    def number(self, least: float, most: float) -> float:
        text = self._scalar("a number")
        try:
            number = float(text)
        except ValueError:
            number = most + 1
        if not least <= number <= most:
            raise self.bad(f"must be a number from {least:g} to {most:g}, not {text!r}")
        return number

    def whole(self, least: int, most: int) -> int:
        text = self._scalar("a number")
        if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
            raise self.bad(f"must be a whole number from {least} to {most}, not {text!r}")
        return int(text)

    def seconds(self) -> float:
        """A duration: a number of seconds, or as in 1h30m, 250ms."""
        text = self._scalar("a duration")
        found = DURATION.fullmatch(text)
        if text and found and any(found.groups()):
            seconds = sum(float(part) * unit for part, unit in zip(found.groups(), UNITS, strict=True) if part)
        else:
            try:
                seconds = float(text)
            except ValueError:
                seconds = -1.0
        if not 0 <= seconds <= LONGEST:
            raise self.bad(f"must be a duration from 0 to a year, like 250ms, 30s or 1h30m, not {text!r}")
        return seconds

    def quantity(self) -> float:
        """An amount as Kubernetes writes it: 250m, 64Mi."""
        text = self._scalar("a quantity")
        try:
            amount = quantity.parse(text).nano / 1e9
        except ValueError:
            amount = -1.0
        if amount < 0:
            raise self.bad(f"must be a quantity like 250m or 64Mi, not {text!r}")
        return amount

    def texts(self) -> dict[str, str]:
        """A mapping of texts, such as labels."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.bad("must be a mapping")
        return {str(key.value): Value(value, self.path, self.file)._scalar("text") for key, value in self.node.value}

    def items(self) -> list["Value"]:
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.bad("must be a list")
        return [Value(each, f"{self.path}[{n}]", self.file) for n, each in enumerate(self.node.value)]

    def names(self) -> set[str]:
        """The fields of a mapping."""
        return {str(key.value) for key, _ in self.node.value} if isinstance(self.node, yaml.MappingNode) else set()

    def fields(self, known: Collection[str]) -> "Fields":
        if not isinstance(self.node, yaml.MappingNode):
            raise self.bad("must be a mapping")
        found: dict[str, Value] = {}
        for key, node in self.node.value:
            field = Value(key, f"{self.path}.{key.value}".lstrip("."), self.file)
            if key.value not in known:
                raise field.bad(f"unknown field; there are {', '.join(sorted(known))}")
            if key.value in found:
                raise field.bad("is there twice")
            found[key.value] = Value(node, field.path, self.file)
        return Fields(self, found)


class Fields:
    """The fields of a mapping, all of them known."""

    def __init__(self, value: Value, found: dict[str, Value]) -> None:
        self._value, self._found = value, found

    def get(self, name: str) -> Value | None:
        return self._found.get(name)

    def names(self) -> set[str]:
        return set(self._found)

    def required(self, name: str) -> Value:
        if name not in self._found:
            raise self._value.bad(f"{name} is missing")
        return self._found[name]

    def read(self, name: str, reader: Callable[[Value], T], default: T) -> T:
        """One field as `reader` reads it; the default when it is not there."""
        value = self._found.get(name)
        return default if value is None else reader(value)

    def one_of(self, name: str, known: Collection[str], default: str) -> str:
        if (value := self._found.get(name)) is None:
            return default
        if (text := value.text()) not in known:
            raise value.bad(f"must be one of {', '.join(known)}, not {text!r}")
        return text

    def items(self, name: str) -> list[Value]:
        """The elements of a list; none when it is not there."""
        return self.read(name, Value.items, [])

    def fields(self, name: str, known: Collection[str]) -> "Fields":
        """The fields of a mapping; none when it is not there."""
        return self.read(name, lambda value: value.fields(known), Fields(self._value, {}))

    def bad(self, name: str, rule: str) -> Bad:
        return self._found[name].bad(rule)
