"""How upstream's internal types are laid out, for the few messages that show a value the way its server holds it.

A layout lists the fields in upstream's order, each `Name` or `Name=field` where the field is not the name with a small
first letter. A mark after it tells what it shows when unset: `'` an empty string, `#` zero, `!` false, `{Type}` an
empty object of that layout, `?` nothing at all (its type has JSON names of its own); without a mark it shows null.
`*Type` stands for all fields of another layout.
"""

import difflib
import json
import re
from functools import lru_cache
from typing import Any

from knarr.kinds.layouts import LAYOUTS
from knarr.kinds.types.base import Type

_ZERO = {"'": "", "#": 0, "!": False, "": None}
_ENTRY = re.compile(r"(\w+)(?:=(\w+))?(['#!]?)(?:\{(\w+)\})?")


@lru_cache
def layout(name: str) -> tuple[tuple[str, str, Any, str], ...]:
    """A layout's fields: upstream's name, ours, what it shows when unset, and the layout of an unset object."""
    fields: list[tuple[str, str, Any, str]] = []
    for entry in LAYOUTS[name].split():
        if entry.startswith("*"):
            fields += layout(entry[1:])
            continue
        match = _ENTRY.fullmatch(entry)
        assert match is not None, entry
        own = match[2] or match[1][0].lower() + match[1][1:]
        fields.append((match[1], own, _ZERO[match[3]], match[4] or ""))
    return tuple(fields)


def tree(value: Any, name: str = "") -> Any:
    """A value as upstream's JSON of its internal type, or of the part of it that the layout `name` shows.

    Types without a layout keep their own names.
    """
    if isinstance(value, list):
        return [tree(item) for item in value]
    if isinstance(value, dict):
        return {key: tree(value[key]) for key in sorted(value)}
    if not isinstance(value, Type):
        return value
    name = name or type(value).__name__
    if name not in LAYOUTS:
        fields = ((field, getattr(value, field)) for field in value.__struct_fields__)
        return {field: tree(found) for field, found in fields if found not in (None, "", [], {})}
    unset = dict(zip(value.__struct_fields__, value.__struct_defaults__, strict=True))
    shown = {}
    for upper, own, zero, empty in layout(name):
        found = getattr(value, own, None)
        if found == unset.get(own) or found in (None, [], {}):
            shown[upper] = _unset(empty) if empty else zero
        else:
            shown[upper] = tree(found)
    return shown


def _unset(name: str) -> dict[str, Any]:
    return {upper: _unset(empty) if empty else zero for upper, _, zero, empty in layout(name)}


def difference(old: Any, new: Any, name: str = "") -> str:
    """What changed, line by line, with upstream's three lines of context; ends in an empty line."""
    before, after = (json.dumps(tree(v, name), indent=1, ensure_ascii=False).splitlines() for v in (old, new))
    lines = list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]
    return "\n".join(lines) + "\n"
