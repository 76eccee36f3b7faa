"""Custom resources: from a CustomResourceDefinition to Kinds that behave like those with a file of their own.

The schema takes the place of the types: `CustomType` reads, checks and shapes the trees of one version. Of several
versions one is stored, and the others are views of it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import msgspec

from knarr.kinds import conversion, custom_validation, jsonpath
from knarr.kinds.custom_columns import columns, row, text
from knarr.kinds.custom_schema import METADATA, Schema, default, prune
from knarr.kinds.decode import go_name
from knarr.kinds.kind import Kind, Scale, Tree, View
from knarr.kinds.scalars import Mismatch
from knarr.kinds.schema import Findings, undecodable, walker
from knarr.kinds.trees import carry, items, keep_status
from knarr.kinds.types.base import Type
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta.field import FieldError

#: what is so wrong that expressions are not asked
BLOCKING = (
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
)
UNASKED = (
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete validation"
)
VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
SUBRESOURCE = ("get", "patch", "update")


class Custom(Type, frozen=True, kw_only=True):
    """An object of a custom kind: its metadata by type, the whole as a tree that nobody changes."""

    apiVersion: str = ""
    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    content: dict[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class CustomType:
    """What a version of a definition says of its objects."""

    name: str  #: "v1.Foo", as errors name the type
    api_version: str
    kind: str
    schema: Schema
    status: bool  #: whether the status is a subresource
    conversion: Mapping[str, Any] = field(default_factory=dict)  #: how other versions become this one
    terminating: bool = False  #: whether the definition is being deleted
    expressions: Callable[[Tree, Tree | None], Iterable[FieldError]] | None = None  #: the schema's CEL rules

    _last: list[bytes] = field(default_factory=lambda: [b"", b""])  #: what was read last, and as what

    @cached_property
    def mark(self) -> str:
        """Changes when the schema does."""
        return hashlib.sha256(msgspec.json.encode([self.name, self.status, self.schema])).hexdigest()

    def normalise(self, tree: Tree) -> Findings:
        """Bring a tree into form, in place: metadata by its type, fields that the schema does not know taken out."""
        if tree.setdefault("metadata", {}) is None:
            tree["metadata"] = {}
        if not isinstance(tree["metadata"], dict):
            go = f"json: cannot unmarshal {go_name(tree['metadata'])} into Go struct field ObjectMeta.metadata"
            raise undecodable(tree, self.name, go)
        try:
            unknown = [f"metadata.{path}" for path in walker(METADATA)(tree["metadata"]) or []]
            return Findings([*prune(tree, self.schema, resource=True), *unknown])
        except Mismatch as mismatch:
            raise undecodable(tree, self.name, mismatch.text()) from None
        except RecursionError:
            raise undecodable(tree, self.name, "exceeded max depth") from None

    def stored(self, value: bytes) -> bytes:
        """The bytes at rest of an object as they are to be read: pruned, defaulted, of this version."""
        if self._last[0] != value:  # who wrote it and who watches read the same
            self._last[:] = value, self._read(value)
        return self._last[1]

    def _read(self, value: bytes) -> bytes:
        tree = msgspec.json.decode(value)
        head = {"apiVersion": self.api_version, "kind": self.kind, "metadata": tree.get("metadata") or {}}
        tree = head | {key: given for key, given in tree.items() if key not in head}
        for _ in prune(tree, self.schema, resource=True):
            pass
        default(tree, self.schema)
        read = msgspec.json.encode(tree)
        return value if read == value else read

    def object(self, tree: Tree) -> Custom:
        """A tree as what rules and columns look at."""
        metadata = msgspec.convert(tree.get("metadata") or {}, ObjectMeta)
        return Custom(apiVersion=tree.get("apiVersion", ""), kind=tree.get("kind", ""), metadata=metadata, content=tree)

    def errors(self, new: Custom, old: Custom | None = None) -> list[FieldError]:
        """What an object breaks of the schema, and when that is kept, of its expressions."""
        before: Any = custom_validation.NEW if old is None else old.content
        found = custom_validation.errors(new.content, self.schema, before)
        if self.expressions is None:
            return found
        if any(error.reason in BLOCKING for error in found):
            return [*found, FieldError("FieldValueInvalid", "<nil>", UNASKED)]
        return [*found, *self.expressions(new.content, old.content if old is not None else None)]


@dataclass(frozen=True, slots=True)
class Served:
    """The kinds of one definition: what is stored, and what is served, which may leave the stored version out."""

    stored: Kind
    kinds: tuple[Kind, ...]


def expressions(schema: Schema) -> Callable[[Tree, Tree | None], Iterable[FieldError]] | None:
    """The compiled rules of a schema; None when it has none."""
    if b'"x-kubernetes-validations"' not in msgspec.json.encode(schema):
        return None
    from knarr.kinds.custom_expressions import Expressions  # CEL: only where there are expressions

    return Expressions(schema)


def served(definition: Tree, at_rest: str = "") -> Served:
    """The kinds of a definition that is established; `at_rest` names the version that objects are stored in."""
    spec = definition["spec"]
    storage = next(version for version in spec["versions"] if version.get("storage"))
    storage = next((version for version in spec["versions"] if version["name"] == at_rest), storage)
    stored = kind_of(definition, storage)
    others = [v for v in spec["versions"] if v.get("served") and v is not storage]
    views = [_view(kind_of(definition, version), stored) for version in others]
    return Served(stored, (*((stored,) if storage.get("served") else ()), *views))


def kind_of(definition: Tree, version: Tree) -> Kind:
    """One version as a Kind."""
    spec = definition["spec"]
    names = (definition.get("status") or {}).get("acceptedNames") or spec["names"]
    group, subresources = spec["group"], version.get("subresources") or {}
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    type_ = CustomType(
        f"{version['name']}.{names['kind']}",
        f"{group}/{version['name']}",
        names["kind"],
        schema,
        "status" in subresources,
        spec.get("conversion") or {},
        bool(definition["metadata"].get("deletionTimestamp")),
        expressions(schema),
    )
    selectable = [entry["jsonPath"] for entry in items(version, "selectableFields")]
    printed = list(items(version, "additionalPrinterColumns"))
    return Kind(
        type=Custom,
        custom=type_,
        group=group,
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        listed_as=names.get("listKind") or f"{names['kind']}List",
        namespaced=spec.get("scope") == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=VERBS,
        subresources={name: SUBRESOURCE for name in ("status", "scale") if name in subresources},
        scale=_scale(subresources["scale"]) if "scale" in subresources else None,
        generation=True,
        defaults=lambda tree: default(tree, schema),
        prepare_create=_drop_status if type_.status else lambda tree: None,
        prepare_update=keep_status if type_.status else lambda new, old: None,
        prepare_status=_keep_metadata,
        validate=type_.errors,
        validate_update=type_.errors,
        validate_status=type_.errors,
        columns=columns(printed),
        row=row(printed),
        selectable={path.removeprefix("."): _selected(path) for path in selectable},
        deprecation=_deprecation(version, names["kind"], group),
    )


def _deprecation(version: Tree, kind: str, group: str) -> str:
    if not version.get("deprecated"):
        return ""
    return version.get("deprecationWarning") or f"{group}/{version['name']} {kind} is deprecated"


def _view(kind: Kind, stored: Kind) -> Kind:
    """A version that is not stored: the same objects by its own schema."""
    assert kind.custom is not None and stored.custom is not None, "both are custom"
    return replace(kind, view=View(stored, _into(stored), _into(kind)))


def _into(kind: Kind) -> Callable[[Tree], Tree]:
    type_: CustomType = kind.custom

    def convert(tree: Tree) -> Tree:
        if type_.conversion.get("strategy") == "Webhook" and tree.get("apiVersion") != kind.api_version:
            tree = conversion.converted(type_.conversion, tree, kind.api_version)
        new = tree | {"apiVersion": kind.api_version, "kind": kind.kind}
        type_.normalise(new)
        default(new, type_.schema)
        return new

    return convert


def _scale(given: Tree) -> Scale:
    selector = given.get("labelSelectorPath", "")

    def selected(obj: Custom) -> str:
        found = jsonpath.first(obj.content, selector) if selector else None
        return found if isinstance(found, str) else ""

    return Scale(given["specReplicasPath"].removeprefix("."), given["statusReplicasPath"].removeprefix("."), selected)


def _drop_status(tree: Tree) -> None:
    tree.pop("status", None)


def _keep_metadata(new: Tree, old: Tree) -> None:
    """The status of a custom resource is written without labels or annotations."""
    for key in ("labels", "annotations", "finalizers", "ownerReferences"):
        carry(new["metadata"], old["metadata"], key)


def _selected(path: str) -> Callable[[Custom], str]:
    def select(obj: Custom) -> str:
        found = jsonpath.first(obj.content, path)
        return "" if found is None else text(found)

    return select
