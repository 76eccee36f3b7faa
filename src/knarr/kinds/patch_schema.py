"""How each type's fields merge in a strategic merge patch, from the generated schema. The registry's patch asks."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from knarr.kinds.schema import types


@dataclass(frozen=True, slots=True)
class FieldPatch:
    """How one field merges (`knarr.meta.patch.PatchField`)."""

    strategy: str
    merge_key: str
    type: str

    @property
    def schema(self) -> "StructPatch | None":
        inner = self.type.lstrip("[]{}")
        return patch_schema(inner) if "." in inner else None


@dataclass(frozen=True, slots=True)
class StructPatch:
    """How one type's fields merge (`knarr.meta.patch.PatchSchema`)."""

    fields: dict[str, Any]

    def field(self, name: str) -> FieldPatch | None:
        spec = self.fields.get(name)
        return FieldPatch(spec.get("patch", ""), spec.get("mergeKey", ""), spec["type"]) if spec else None


@cache
def patch_schema(name: str) -> StructPatch:
    """How the fields of the named type merge in a strategic merge patch."""
    return StructPatch(types()[name]["fields"])
