"""Values of named types: what mutating policies give. `Object{...}` is a part of an object, `JSONPatch{...}` a step.

The types below `Object` are named by the path of the field: `Object.spec.template`. They exist where an expression's
scope has the name `Object`.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from knarr.kinds.cel import types
from knarr.kinds.cel.tree import Malformed, Message
from knarr.kinds.cel.types import Object, Type
from knarr.kinds.cel.values import Failed
from knarr.meta import clock

ROOT = "Object"
PART = Type(ROOT)
STEP = Type("JSONPatch", (), {"op": types.STRING, "path": types.STRING, "from": types.STRING, "value": types.DYN})
#: what a scope has for these types to exist
SCOPE = {ROOT: types.TYPE, STEP.name: types.TYPE}


class Built(Object):
    """A value of a named type."""

    __slots__ = ("type",)

    def __init__(self, type_: Type) -> None:
        super().__init__()
        self.type = type_


def message_type(node: Message, scope: Mapping[str, Type]) -> Type:
    """The type that a literal names; raises Malformed for one that there is not."""
    if STEP.name in scope and node.name == STEP.name:
        for name, _, _ in node.entries:
            if name not in (STEP.fields or {}):
                raise Malformed(node.at, f"undefined field '{name}'")
        return STEP
    if ROOT in scope and (node.name == ROOT or node.name.startswith(f"{ROOT}.")):
        return Type(node.name)
    raise Malformed(node.at, f"undeclared reference to '{node.name}' (in container '')")


def misnamed(value: Any, path: str = ROOT) -> Iterator[str]:
    """Types that are not named by where their values stand."""
    if isinstance(value, Built):
        if value.type.name != path:
            yield (
                f'unexpected type name "{value.type.name}", expected "{path}", '
                "which matches field name path from root Object type"
            )
        for name, inner in value.items():
            yield from misnamed(inner, f"{path}.{name}")
    elif isinstance(value, dict):
        for inner in value.values():
            yield from misnamed(inner, path)
    elif isinstance(value, list):
        for inner in value:
            yield from misnamed(inner, path)


def plain(value: Any) -> Any:
    """A value as JSON; raises Failed for what has no such form."""
    match value:
        case None | bool() | str() | float():
            return value
        case int():
            return int(value)
        case dict():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return clock.timestamp(value)
        case timedelta():
            return f"{value.total_seconds():g}s"
    raise Failed(f"type '{types.type_of(value)}' could not be marshalled to JSON")
