"""What a kind is: the rules that the registry runs over every object of it.

Two forms of an object: a `Tree` is the plain JSON dict that one request owns and prepares (normalised, defaulted,
patched); a Struct of `kinds/types` is what is reasoned about (validated, planned, printed) and never mutated.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from msgspec import Struct

from knarr.kinds.types.base import Type
from knarr.meta.field import FieldError

Tree = dict[str, Any]
Rule = Callable[[Any], Iterable[FieldError]]
UpdateRule = Callable[[Any, Any], Iterable[FieldError]]
StructType = type[Struct]

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """A printed column of a Table. `type`: string, integer, number, boolean, date; `priority` 1 shows in wide only."""

    name: str
    type: str = "string"
    description: str = ""
    priority: int = 0
    format: str = ""


NAME_COLUMN = Column("Name", format="name")
AGE_COLUMN = Column("Age")


@dataclass(frozen=True, slots=True)
class Scale:
    """Where the `/scale` subresource finds its numbers: dotted paths in the tree, and the selector in string form."""

    replicas: str = "spec.replicas"
    status_replicas: str = "status.replicas"
    selector: Callable[[Any], str] = lambda obj: ""


def no_rules(*objects: Any) -> Iterable[FieldError]:
    return ()


def nothing(*trees: Tree) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Part:
    """A subresource that writes a part of the object: its own rules in place of the main resource's."""

    prepare: Callable[[Tree, Tree], None]  #: (new, old): carry over what may not be changed
    validate: UpdateRule


@dataclass(frozen=True, slots=True)
class View:
    """That a kind is another way to see the objects of `kind`. Both functions take a tree of one's own and give one."""

    kind: "Kind"
    inward: Callable[[Tree], Tree]  #: from this form to the stored one
    outward: Callable[[Tree], Tree]  #: from the stored form to this one
    fields: Mapping[str, str] = field(default_factory=dict)  #: the stored kind's names of selectable fields


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind: its names, its rules and how it prints. Each lives in its own file of `kinds/`."""

    type: type[Type]
    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    #: subresources by name, with the verbs each takes: {"status": ("get", "patch", "update")}
    subresources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: the rules of those subresources that write a part of the object; those of "status" and "scale" stand below
    parts: Mapping[str, Part] = field(default_factory=dict)
    scale: Scale | None = None
    #: whether metadata.generation counts changes of the spec
    generation: bool = False
    #: how a name is checked: "subdomain", "label", "label1035", "path" (a path segment)
    name_rule: str = "subdomain"
    #: fill in what the user left out; called on every tree that comes in, after patches too
    defaults: Callable[[Tree], None] = nothing
    #: what a create may not bring along: (tree); drop the status, and the like
    prepare_create: Callable[[Tree], None] = nothing
    #: (new, old): carry over what an update to the main resource may not change
    prepare_update: Callable[[Tree, Tree], None] = nothing
    #: (new, old): carry over what an update to /status may not change; metadata is the registry's
    prepare_status: Callable[[Tree, Tree], None] = nothing
    validate: Rule = no_rules
    validate_update: UpdateRule = no_rules
    validate_status: UpdateRule = no_rules
    #: warnings for the client's Warning headers
    warnings: Callable[[Any], Iterable[str]] = lambda obj: ()
    #: whether nobody is warned by an update; otherwise those of a new generation are, and all where there is none
    quiet_updates: bool = False
    columns: Sequence[Column] = (NAME_COLUMN, AGE_COLUMN)
    #: the row's cells for one object, all columns, wide ones too; the second argument is the current time
    row: Callable[[Any, Any], Sequence[Any]] | None = None
    #: selectable fields beside metadata.name and metadata.namespace: {"spec.nodeName": lambda pod: pod.spec.nodeName}
    selectable: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    #: a type with no more than these are read from, where the whole object takes long to decode
    selects: StructType | None = None
    #: grace period in seconds of a delete that names none; None when objects go at once
    grace: Callable[[Any], int | None] = lambda obj: None
    #: names of the controllers' propagation default: "background" or "orphan" (Jobs of old)
    propagation: str = "background"
    #: (tree, now): what a first delete makes of an object that must end what belongs to it before it goes
    begin_end: Callable[[Any, str], None] | None = None
    #: set when this kind has no storage of its own
    view: View | None = None
    #: of a custom resource what takes the place of the type: `knarr.kinds.custom.CustomType`
    custom: Any = None
    #: the kind of lists, where it is not the kind's name and "List"
    listed_as: str = ""
    #: what whoever uses this version is told; "" when it is not deprecated
    deprecation: str = ""

    @cached_property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def resource(self) -> str:
        """The qualified resource as errors name it: "statefulsets.apps", "pods"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def list_kind(self) -> str:
        return self.listed_as or f"{self.kind}List"
