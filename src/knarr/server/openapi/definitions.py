"""The schemas of all types as OpenAPI writes them, from `kinds/types/schema.json`. Shared by v2 and v3."""

from collections.abc import Iterable
from typing import Any

from knarr.kinds import schema
from knarr.kinds.kind import Kind
from knarr.server.openapi import custom, descriptions

Tree = dict[str, Any]
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
SPECIAL = {
    "Time": f"{META}.Time",
    "MicroTime": f"{META}.MicroTime",
    "Quantity": "io.k8s.apimachinery.pkg.api.resource.Quantity",
    "IntOrString": "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    "Object": "io.k8s.apimachinery.pkg.runtime.RawExtension",
    "FieldsV1": f"{META}.FieldsV1",
}
NAMED_TREES = {"fieldsV1": "FieldsV1"}  #: fields whose plain tree has a type of its own
SIMPLE: dict[str, Tree] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "float": {"type": "number"},
    "Any": {},
}
LIST_META = "meta_v1.ListMeta"
REQUEST_OPTIONS = "meta_v1.DeleteOptions"
ANSWERS = ("meta_v1.Status", "meta_v1.WatchEvent", LIST_META, REQUEST_OPTIONS)  #: types that every document has


def type_name(kind: Kind) -> str:
    """A kind's type as schema.json names it: "core_v1.Pod"."""
    return schema.type_name(kind.type)


def kind_name(kind: Kind) -> str:
    """The OpenAPI name of a kind's type."""
    return custom.name_of(kind) if kind.custom is not None else name_of(type_name(kind))


def list_name(kind: Kind) -> str:
    """The OpenAPI name of a kind's lists."""
    return kind_name(kind).removesuffix(kind.kind) + kind.list_kind


def name_of(type_: str) -> str:
    """The OpenAPI name of a type."""
    if type_ in SPECIAL:
        return SPECIAL[type_]
    name: str = schema.types()[type_]["definition"]
    return name


def specials(v3: bool) -> dict[str, Tree]:
    """The definitions that stand for scalars."""
    either: Tree = {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"}
    plain: Tree = {"type": "string", "format": "int-or-string"}
    quantity: Tree = {"oneOf": [{"type": "string"}, {"type": "number"}]} if v3 else {"type": "string"}
    return {
        SPECIAL["Time"]: {"type": "string", "format": "date-time"},
        SPECIAL["MicroTime"]: {"type": "string", "format": "date-time"},
        SPECIAL["Quantity"]: quantity,
        SPECIAL["IntOrString"]: either if v3 else plain,
        SPECIAL["Object"]: {"type": "object"},
        SPECIAL["FieldsV1"]: {"type": "object"},
    }


class Writer:
    """Writes definitions in one OpenAPI version; `prefix` leads every reference."""

    def __init__(self, v3: bool) -> None:
        self.v3 = v3
        self.prefix = "#/components/schemas/" if v3 else "#/definitions/"

    def definitions(self, kinds: Iterable[Kind]) -> Tree:
        """All that the operations on these kinds refer to, sorted by name."""
        kinds = list(kinds)
        own = [type_name(kind) for kind in kinds if kind.custom is None]
        types = reachable([*own, *ANSWERS, *(("meta_v1.ObjectMeta",) if len(own) < len(kinds) else ())])
        found = specials(self.v3) | {name_of(type_): self.definition(type_) for type_ in types}
        for kind in kinds:
            found[list_name(kind)] = self.list_of(kind)
            if kind.custom is not None:
                found[kind_name(kind)] = custom.definition(kind, self.prefix, v3=self.v3)
        return dict(sorted(found.items()))

    def definition(self, type_: str) -> Tree:
        """One type."""
        entry = schema.types()[type_]
        texts = descriptions.of(entry.get("like", type_))
        out: Tree = {"type": "object"}
        if texts.text:
            out["description"] = texts.text
        required = [name for name, field in entry["fields"].items() if field.get("required")]
        if required:
            out["required"] = required
        out["properties"] = {
            name: self._field(name, field, texts.fields.get(name, "")) for name, field in entry["fields"].items()
        }
        gvk = entry.get("gvk")
        if gvk:
            out["x-kubernetes-group-version-kind"] = gvk
        return out

    def list_of(self, kind: Kind) -> Tree:
        """The list type of a kind."""
        name = kind.list_kind
        text = "Standard list metadata."
        return {
            "type": "object",
            "description": f"{name} is a list of {kind.kind}.",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"},
                "items": {"type": "array", "items": self._reference(kind_name(kind), "")},
                "kind": {"type": "string"},
                "metadata": self._reference(name_of(LIST_META), text),
            },
            "x-kubernetes-group-version-kind": [{"group": kind.group, "kind": name, "version": kind.version}],
        }

    def _field(self, name: str, field: Tree, text: str) -> Tree:
        out = self._type(str(NAMED_TREES.get(name, field["type"])), text)
        target = out
        while target.get("type") == "array" or "additionalProperties" in target:
            inner = target.get("items") or target.get("additionalProperties")
            target = inner if isinstance(inner, dict) else {}
        if (form := field.get("format")) and "$ref" not in target and "allOf" not in target:
            target["format"] = form
        if self.v3 and name not in ("apiVersion", "kind") and (values := field.get("enum")):
            target["enum"] = values
        for key, extension in (
            ("list", "x-kubernetes-list-type"),
            ("keys", "x-kubernetes-list-map-keys"),
            ("map", "x-kubernetes-map-type"),
            ("mergeKey", "x-kubernetes-patch-merge-key"),
            ("patch", "x-kubernetes-patch-strategy"),
        ):
            if key in field:
                out[extension] = field[key]
        return out

    def _type(self, type_: str, text: str) -> Tree:
        out: Tree
        if type_.startswith("[]"):
            out = {"type": "array", "items": self._type(type_[2:], "")}
        elif type_.startswith("{}"):
            out = {"type": "object", "additionalProperties": self._type(type_[2:], "")}
        elif type_ in SIMPLE:
            out = dict(SIMPLE[type_])
        else:
            return self._reference(name_of(type_), text)
        if text:
            out["description"] = text
        return out

    def _reference(self, name: str, text: str) -> Tree:
        reference = {"$ref": self.prefix + name}
        if not text:
            return reference
        return {"allOf": [reference], "description": text} if self.v3 else reference | {"description": text}


def reachable(roots: Iterable[str]) -> list[str]:
    """The types that the roots use, themselves included, sorted."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        type_ = waiting.pop()
        if type_ in found or type_ not in schema.types():
            continue
        found.add(type_)
        waiting += [field["type"].lstrip("[]{}") for field in schema.types()[type_]["fields"].values()]
    return sorted(found)
