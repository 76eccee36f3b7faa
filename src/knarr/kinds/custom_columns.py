"""How a custom resource shows in a table: the columns that its definition asks for, and the values in them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from knarr.kinds import cells, jsonpath
from knarr.kinds.kind import NAME_COLUMN, Column, Tree


def columns(given: Sequence[Tree]) -> tuple[Column, ...]:
    """The columns that a definition asks for; the age where it asks for none."""
    if not given:
        return (NAME_COLUMN, Column("Age", "date"))
    return (
        NAME_COLUMN,
        *(
            Column(c["name"], c["type"], c.get("description", ""), c.get("priority", 0), c.get("format", ""))
            for c in given
        ),
    )


def row(given: Sequence[Tree]) -> Callable[[Any, datetime], list[Any]]:
    """What makes of a custom resource, at a time, the values of its row."""
    wanted = [(c["type"], c["jsonPath"]) for c in given] or [("date", ".metadata.creationTimestamp")]

    def make(obj: Any, now: datetime) -> list[Any]:
        found = (jsonpath.find(obj.content, path) for _, path in wanted)
        shown = [
            cell(type_, values[0], now) if values else None for (type_, _), values in zip(wanted, found, strict=True)
        ]
        return [obj.metadata.name, *shown]

    return make


def cell(type_: str, value: Any, now: datetime) -> Any:
    """A value in a column of a type; None where it does not fit."""
    match type_, value:
        case _, None:
            return None
        case "integer", bool():
            return None
        case "integer", int() | float():
            return int(value)
        case "number", int() | float():
            return value
        case "boolean", bool():
            return value
        case "string", _:
            return text(value)
        case "date", str():
            try:
                return cells.since(value, now)
            except ValueError:
                return "<invalid>"
    return None


def text(value: Any) -> str:
    """A value as Kubernetes' JSONPath prints it."""
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
    return str(value) if isinstance(value, int | float) else msgspec.json.encode(value).decode()
