"""What an old version of a kind is: how it differs from the version that is stored."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from knarr.kinds.kind import Kind, Tree, View, nothing
from knarr.kinds.types.base import Type
from knarr.kinds.types.meta_v1 import ObjectMeta

FIRST = 1  #: the major version of Kubernetes that all these releases belong to


def same(tree: Tree) -> Tree:
    """The conversion between forms that are alike."""
    return tree


@dataclass(frozen=True, slots=True)
class Form:
    """How an old version says things. `defaults` None: as the stored version does."""

    defaults: Callable[[Tree], None] | None = None
    inward: Callable[[Tree], Tree] = same
    outward: Callable[[Tree], Tree] = same
    orphans: bool = False  #: a delete that names no propagation leaves the dependents
    subresources: tuple[tuple[str, tuple[str, ...]], ...] = ()  #: those that the stored version lacks, with their verbs


ALIKE = Form()


class OldObject(Type, frozen=True, kw_only=True):
    """What an old version's Struct has: objects are converted as trees, so nothing decodes more than this."""

    apiVersion: str = ""
    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


@dataclass(frozen=True, slots=True)
class Old:
    """An old version of a stored kind, with the minor releases that deprecated and removed it upstream."""

    kind: Kind  #: the stored one
    group: str
    version: str
    deprecated: int
    removed: int
    form: Form = ALIKE
    instead: str = ""  #: the kind that its users are told to use, when it is called otherwise

    @property
    def schema(self) -> str:
        """The schema's name of its type: "extensions_v1beta1.Deployment"."""
        return f"{self.group.partition('.')[0]}_{self.version}.{self.kind.kind}"

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}"

    @property
    def warning(self) -> str:
        """What clients that use it are told, in upstream's words."""
        kind = self.kind.kind
        return (
            f"{self.api_version} {kind} is deprecated in v{FIRST}.{self.deprecated}+, "
            f"unavailable in v{FIRST}.{self.removed}+; use {self.kind.api_version} {self.instead or kind}"
        )

    def served(self) -> Kind:
        """The kind that shows the stored objects in this version."""
        module, _, name = self.schema.partition(".")
        struct: Any = msgspec.defstruct(
            name, [], bases=(OldObject,), module=f"knarr.kinds.types.{module}", frozen=True, kw_only=True
        )
        kind, form = self.kind, self.form
        named = kind.group == self.group  # two groups with one short name, or in one category, would show all twice
        return replace(
            kind,
            type=struct,
            group=self.group,
            version=self.version,
            short_names=kind.short_names if named else (),
            categories=kind.categories if named else (),
            defaults=form.defaults or kind.defaults,
            prepare_create=nothing,
            subresources={**kind.subresources, **dict(form.subresources)},
            propagation="orphan" if form.orphans else kind.propagation,
            view=kind.view or View(kind, form.inward, form.outward),  # of a view, what that one is of
        )
