"""What an informer has seen: a read-only snapshot of a collection, indexed. Its objects are never changed in place."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from knarr.client.api import metadata
from knarr.kinds.types.base import Type

T = TypeVar("T", bound=Type)
IndexKey = Callable[[Any], Iterable[Hashable]]
Key = tuple[str, str]  #: namespace and name


def key_of(obj: Type) -> Key:
    meta = metadata(obj)
    return (meta.namespace, meta.name)


def controller_uid(obj: Any) -> Iterator[str]:
    """The uid of the owner that manages the object, if one does."""
    for reference in obj.metadata.ownerReferences:
        if reference.controller:
            yield reference.uid
            return


class Filed(Generic[T]):
    """The objects under one value of an index; sorted when somebody asks and keys have come since."""

    __slots__ = ("mixed", "objects")

    def __init__(self) -> None:
        self.objects: dict[Key, T] = {}
        self.mixed = False  # whether a key may stand behind a greater one

    def put(self, key: Key, obj: T) -> None:
        if key not in self.objects:
            self.mixed = self.mixed or (bool(self.objects) and next(reversed(self.objects)) > key)
        self.objects[key] = obj

    def list(self) -> list[T]:
        """The objects in the order of their keys."""
        if self.mixed:
            self.objects = {key: self.objects[key] for key in sorted(self.objects)}
            self.mixed = False
        return [*self.objects.values()]


class Cache(Generic[T]):
    """A collection by namespace and name, and by every index that was added."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, T]] = {}
        self._indexes: dict[str, tuple[IndexKey, dict[Hashable, Filed[T]]]] = {}
        self.add_index("owner", controller_uid)

    def get(self, name: str, namespace: str = "") -> T | None:
        return self._objects.get(namespace, {}).get(name)

    def by_index(self, index: str, *values: Hashable) -> list[T]:
        """The objects that an index files under each value, in the order of their namespaces and names."""
        filed = self._indexes[index][1]
        found: list[T] = []
        for value in values:
            if (under := filed.get(value)) is not None:
                found += under.list()
        return found

    def list(self, namespace: str = "") -> list[T]:
        """All objects, or those of one namespace, in the order of their names."""
        spaces = [namespace] if namespace else sorted(self._objects)
        return [found[name] for found in (self._objects.get(space, {}) for space in spaces) for name in sorted(found)]

    def add_index(self, name: str, key: IndexKey) -> None:
        """File every object, those to come too, under the values that `key` gives. An index of that name stays."""
        if name in self._indexes:
            return
        filed: dict[Hashable, Filed[T]] = {}
        self._indexes[name] = (key, filed)
        for space in self._objects.values():
            for obj in space.values():
                for value in tuple(key(obj)):
                    filed.setdefault(value, Filed()).put(key_of(obj), obj)

    def __len__(self) -> int:
        return sum(map(len, self._objects.values()))

    def put(self, obj: T) -> T | None:
        """Take in an object and give the one it replaces. Only the informer calls this."""
        key = namespace, name = key_of(obj)
        space = self._objects.setdefault(namespace, {})
        old = space.get(name)
        space[name] = obj
        for values, filed in self._indexes.values():
            wanted = tuple(values(obj))
            if old is not None and (before := tuple(values(old))):
                if before == wanted:
                    for value in wanted:
                        filed[value].objects[key] = obj
                    continue
                _unfile(filed, key, [value for value in before if value not in wanted])
            for value in wanted:
                if (under := filed.get(value)) is None:
                    under = filed[value] = Filed()
                under.put(key, obj)
        return old

    def drop(self, key: Key) -> T | None:
        """Forget an object and give it. Only the informer calls this."""
        namespace, name = key
        space = self._objects.get(namespace, {})
        if (old := space.pop(name, None)) is not None:
            for values, filed in self._indexes.values():
                _unfile(filed, key, values(old))
            if not space:
                del self._objects[namespace]
        return old

    def keys(self) -> set[Key]:
        return {(namespace, name) for namespace, space in self._objects.items() for name in space}


def _unfile(filed: dict[Hashable, Filed[T]], key: Key, values: Iterable[Hashable]) -> None:
    for value in values:
        if (under := filed.get(value)) is not None:
            under.objects.pop(key, None)
            if not under.objects:
                del filed[value]
