"""What an informer has seen: a read-only snapshot of a collection, indexed. Its objects are never changed in place."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from knarr.client.api import metadata
from knarr.kinds.types.base import Type

T = TypeVar("T", bound=Type)
IndexKey = Callable[[Any], Iterable[str]]
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


class Cache(Generic[T]):
    """A collection by namespace and name, and by every index that was added."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, T]] = {}
        self._indexes: dict[str, tuple[IndexKey, dict[str, dict[Key, T]]]] = {}
        self.add_index("owner", controller_uid)

    def get(self, name: str, namespace: str = "") -> T | None:
        return self._objects.get(namespace, {}).get(name)

    def by_index(self, index: str, value: str) -> list[T]:
        """The objects that an index files under a value, in the order of their namespaces and names."""
        filed = self._indexes[index][1].get(value, {})
        return [filed[key] for key in sorted(filed)]

    def list(self, namespace: str = "") -> list[T]:
        """All objects, or those of one namespace, in the order of their names."""
        spaces = [namespace] if namespace else sorted(self._objects)
        return [found[name] for found in (self._objects.get(space, {}) for space in spaces) for name in sorted(found)]

    def add_index(self, name: str, key: IndexKey) -> None:
        """File every object, those to come too, under the values that `key` gives. An index of that name stays."""
        if name in self._indexes:
            return
        self._indexes[name] = (key, {})
        for space in self._objects.values():
            for obj in space.values():
                self._file(name, obj)

    def __len__(self) -> int:
        return sum(map(len, self._objects.values()))

    def put(self, obj: T) -> T | None:
        """Take in an object and give the one it replaces. Only the informer calls this."""
        namespace, name = key_of(obj)
        space = self._objects.setdefault(namespace, {})
        if (old := space.get(name)) is not None:
            self._unfile(old)
        space[name] = obj
        for index in self._indexes:
            self._file(index, obj)
        return old

    def drop(self, key: Key) -> T | None:
        """Forget an object and give it. Only the informer calls this."""
        namespace, name = key
        space = self._objects.get(namespace, {})
        if (old := space.pop(name, None)) is not None:
            self._unfile(old)
            if not space:
                del self._objects[namespace]
        return old

    def keys(self) -> set[Key]:
        return {(namespace, name) for namespace, space in self._objects.items() for name in space}

    def _file(self, index: str, obj: T) -> None:
        key, filed = self._indexes[index]
        for value in key(obj):
            filed.setdefault(value, {})[key_of(obj)] = obj

    def _unfile(self, obj: T) -> None:
        for key, filed in self._indexes.values():
            for value in key(obj):
                if (under := filed.get(value)) is not None:
                    under.pop(key_of(obj), None)
                    if not under:
                        del filed[value]
