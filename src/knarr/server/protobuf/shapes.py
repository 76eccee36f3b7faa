"""Which messages there are, and where each JSON field stands in its message: numbers of `kinds/types/schema.json`.

A struct that Go embeds is a message of its own here but not in JSON; a field of it has the numbers on the way to it.
A field that has no number is in no message: it became part of the API later than the numbers were taken.
"""

from dataclasses import dataclass
from functools import cache

from knarr.kinds import schema
from knarr.kinds.kind import Kind

MAGIC = b"k8s\x00"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
OPTIONS = "meta_v1.DeleteOptions"
SCALARS = ("str", "int", "bool", "float", "Time", "MicroTime", "Quantity", "IntOrString", "Object", "Any")
#: lists that are a message of their own, with the items under number 1
WRAPPED = {("meta_v1.APIResource", "verbs")}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message: its JSON name, its type and format as the schema has them, and the numbers on its way."""

    name: str
    type: str
    format: str
    path: tuple[int, ...]
    wrapped: bool = False

    def inner(self) -> "Field":
        """The field as seen from within the embedded struct."""
        return Field(self.name, self.type, self.format, self.path[1:], self.wrapped)


@cache
def fields(type_: str) -> tuple[Field, ...]:
    """The fields of a type that have numbers."""
    found = []
    for name, entry in schema.types()[type_]["fields"].items():
        if (number := entry.get("number")) is not None:
            path = tuple(number) if isinstance(number, list) else (number,)
            found.append(Field(name, entry["type"], entry.get("format", ""), path, (type_, name) in WRAPPED))
    return tuple(found)


@cache
def kinds() -> dict[tuple[str, str], str]:
    """The types that have a message, by apiVersion and kind."""
    found = {}
    for name, entry in schema.types().items():
        if entry.get("message") and "kind" in entry["fields"]:  # a WatchEvent has none
            for gvk in entry.get("gvk", ()):
                group, version = gvk["group"], gvk["version"]
                found[f"{group}/{version}" if group else version, gvk["kind"]] = name
    return found


def serves(kind: Kind) -> bool:
    """Whether objects of a kind have a protobuf form."""
    return (kind.api_version, kind.kind) in kinds()
