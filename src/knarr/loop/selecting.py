"""Which owners select an object: found by one label that each selector asks for, not by asking every owner."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from knarr.loop.claims import controller_of
from knarr.loop.runner import Context, Key
from knarr.meta.labels import NOTHING, Selector, of_object

INDEX = "selecting"


@dataclass(frozen=True)
class Selecting:
    """The objects of a type that select others of their namespace. A controller that asks keeps the `index`."""

    of: type[Any]
    selector: Callable[[Any], Selector]

    @property
    def index(self) -> tuple[type[Any], str, Callable[[Any], Iterable[str]]]:
        return (self.of, INDEX, self._place)

    def keys(self, obj: Any, context: Context) -> list[Key]:
        """Those that select the object."""
        namespace, labels = obj.metadata.namespace, obj.metadata.labels
        cache = context.cache(self.of)
        places = [_place(namespace), *(_place(namespace, key, value) for key, value in labels.items())]
        found = [owner for place in places for owner in cache.by_index(INDEX, place)]
        return [(namespace, owner.metadata.name) for owner in found if self.selector(owner).matches(labels)]

    def keys_between(self, old: Any, new: Any, context: Context) -> list[Key]:
        """Those that select an object that changed: as it was, or as it is."""
        if old is None or new is None:
            return self.keys(new or old, context)
        if old.metadata.labels == new.metadata.labels:
            return self.keys(new, context)
        return [*self.keys(old, context), *self.keys(new, context)]

    def keys_of_orphan(self, obj: Any, context: Context) -> list[Key]:
        """Those that the object could belong to: none if somebody manages it, or if it is on its way out."""
        if controller_of(obj) is not None or obj.metadata.deletionTimestamp:
            return []
        return self.keys(obj, context)

    def _place(self, owner: Any) -> Iterable[str]:
        """Where an owner is filed: under one label that it asks for, or else under its namespace."""
        selector, namespace = self.selector(owner), owner.metadata.namespace
        if selector.nothing:
            return ()
        asked = (found for found in selector.requirements if found.operator == "=")
        first = next(asked, None)
        return (_place(namespace) if first is None else _place(namespace, first.key, first.values[0]),)


def _place(namespace: str, key: str = "", value: str = "") -> str:
    return f"{namespace}/{key}={value}"


def by_spec(owner: Any) -> Selector:
    """The LabelSelector of an owner's spec; one that the API would refuse selects nothing."""
    try:
        return of_object(owner.spec.selector if owner.spec else None)
    except ValueError:
        return NOTHING
