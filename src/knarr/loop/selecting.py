"""Which owners select an object: found by one label that each selector asks for, not by asking every owner."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from knarr.loop.claims import controller_of
from knarr.loop.runner import Context, Key, Source
from knarr.meta.labels import NOTHING, Selector, of_object

INDEX = "selecting"
Place = tuple[str, ...]  #: where owners are filed: a namespace, or a label's key and value in it


@dataclass(frozen=True)
class Selecting:
    """The objects of a type that select others of their namespace. A controller that asks keeps the `index`."""

    of: type[Any]
    selector: Callable[[Any], Selector]

    @property
    def index(self) -> tuple[type[Any], str, Callable[[Any], Iterable[Place]]]:
        return (self.of, INDEX, self._place)

    def keys(self, obj: Any, context: Context) -> list[Key]:
        """Those that select the object."""
        namespace, labels = obj.metadata.namespace, obj.metadata.labels
        places = [(namespace,), *[(namespace, *label) for label in labels.items()]]
        found = context.cache(self.of).by_index(INDEX, *places)
        return [(namespace, owner.metadata.name) for owner in found if self.selector(owner).matches(labels)]

    def keys_between(self, old: Any, new: Any, context: Context) -> list[Key]:
        """Those that select an object that changed: as it was, or as it is."""
        if old is None or new is None:
            return self.keys(new or old, context)
        if old.metadata.labels == new.metadata.labels:
            return self.keys(new, context)
        return [*self.keys(old, context), *self.keys(new, context)]

    def managed(self, type_: type[Any]) -> Source:
        """The changes of objects of a type, which wake those that manage, or could, the object."""
        return Source(type_, between=self.owners_between, manager=self.of.__name__)

    def owners_between(self, old: Any, new: Any, context: Context) -> list[Key]:
        """Those that manage, or could, an object that changed: as it was, or as it is."""
        if old is None or new is None:
            return self._owners(new or old, context)
        before, after = controller_of(old), controller_of(new)
        if before is not None and before == after:
            return self._owners(new, context)
        return [*self._owners(old, context), *self._owners(new, context)]

    def _owners(self, obj: Any, context: Context) -> list[Key]:
        """The one that manages an object; if nobody does, those that could, unless it is on its way out."""
        if (owner := controller_of(obj)) is not None:
            return [(obj.metadata.namespace, owner.name)] if owner.kind == self.of.__name__ else []
        return [] if obj.metadata.deletionTimestamp else self.keys(obj, context)

    def _place(self, owner: Any) -> Iterable[Place]:
        """Where an owner is filed: under one label that it asks for, or else under its namespace."""
        selector, namespace = self.selector(owner), owner.metadata.namespace
        if selector.nothing:
            return ()
        asked = (found for found in selector.requirements if found.operator == "=")
        first = next(asked, None)
        return ((namespace,) if first is None else (namespace, first.key, first.values[0]),)


def by_spec(owner: Any) -> Selector:
    """The LabelSelector of an owner's spec; one that the API would refuse selects nothing."""
    try:
        return of_object(owner.spec.selector if owner.spec else None)
    except ValueError:
        return NOTHING
