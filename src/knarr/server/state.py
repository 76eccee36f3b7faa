"""Reads the server makes for itself, decoded: what authorization and admission look up. Never a write."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from knarr.kinds.kind import Kind, Tree
from knarr.kinds.types.base import Type
from knarr.meta import clock
from knarr.registry import views
from knarr.registry.core import Core
from knarr.registry.entry import Entry
from knarr.registry.resource import Change, Resource
from knarr.registry.selection import Bucket

T = TypeVar("T", bound=Type)
KEPT = 256  #: objects, and lists, that stay decoded
LONGEST = 2000  #: items of a list that stays decoded
LEEWAY = timedelta(minutes=1)  #: how long after its end a token may still stand for what is held by finalizers


class Appearance:
    """Hears of the first write of one object."""

    def __init__(self, namespace: str, name: str) -> None:
        self.bucket: Bucket = ("metadata.name", name)
        self.seen = asyncio.Event()
        self._namespace = namespace

    def offer(self, change: Change) -> None:
        if change.new is not None and change.new.namespace == self._namespace:
            self.seen.set()


class Presence:
    """Of which types there is an object; asked at every write, it hardly ever changes."""

    bucket: Bucket | None = None

    def __init__(self, resources: Mapping[type[Type], Resource]) -> None:
        self._resources = resources
        self.types = self._found()
        for resource in resources.values():
            resource.listen(self)

    def offer(self, change: Change) -> None:
        self.types = self._found()

    def _found(self) -> frozenset[type[Type]]:
        return frozenset(type_ for type_, resource in self._resources.items() if not resource.empty)


class RegistryState:
    """The cluster's objects as Structs, straight from the registry's cache.

    What every request looks up (its namespace, roles, webhooks) is decoded once and shared until it is written again.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._objects: OrderedDict[tuple[type, str, str], tuple[Entry, Any]] = OrderedDict()
        self._lists: OrderedDict[tuple[type, str], tuple[int, Sequence[Any], dict[Entry, Any]]] = OrderedDict()
        self._resources: dict[type[Type], Resource] = {}  # of built-in kinds, which stay

    async def get(self, type_: type[T], namespace: str, name: str) -> T | None:
        resource = self._resource(type_)
        entry = resource.get(namespace, name) if resource else None
        if entry is None:
            return None
        key = (type_, namespace, name)
        kept = self._objects.get(key)
        if kept is None or kept[0] is not entry:
            kept = self._objects[key] = (entry, entry.object())
            if len(self._objects) > KEPT:
                self._objects.popitem(last=False)
        found: T = kept[1]
        return found

    def presence(self, types: Iterable[type[Type]]) -> Presence:
        """Of which of these types there is an object, as of now and later."""
        resources = {type_: self._resource(type_) for type_ in types}
        return Presence({type_: resource for type_, resource in resources.items() if resource is not None})

    async def list(self, type_: type[T], namespace: str = "") -> Sequence[T]:
        resource = self._resource(type_)
        if resource is None or resource.empty:
            return ()  # by far the most often: no quotas, no ranges, no webhooks
        key = (type_, namespace)
        kept = self._lists.get(key)
        if kept is not None and kept[0] == resource.state:
            return kept[1]
        old = kept[2] if kept is not None else {}  # an entry is of one revision: most are the same as before
        decoded = {entry: old.get(entry) or entry.object() for entry in resource.span(namespace)}
        found = tuple(decoded.values())
        if len(found) <= LONGEST:
            self._lists[key] = (resource.state, found, decoded)
            if len(self._lists) > KEPT:
                self._lists.popitem(last=False)
        return found

    def mentioning(self, type_: type[T], namespace: str, *words: str) -> Iterator[T]:
        """The objects in which each of these strings stands as a whole value, found without decoding the others."""
        resource = self._resource(type_)
        if resource is None:
            return
        wanted = [f'"{word}"'.encode() for word in words]
        for entry in resource.span(namespace):
            raw = entry.raw
            if all(word in raw for word in wanted):
                yield entry.object()

    def kind(self, group: str, version: str, kind: str) -> Kind | None:
        return self._core.kinds.by_kind(group, version, kind)

    def trees(self, kind: Kind, namespace: str = "") -> Iterator[Tree]:
        return (views.shown(kind, entry.tree()) for entry in self._core.resource(views.stored(kind)).span(namespace))

    def tree(self, kind: Kind, namespace: str, name: str) -> Tree | None:
        entry = self._core.resource(views.stored(kind)).get(namespace, name)
        return views.shown(kind, entry.tree()) if entry is not None else None

    async def appears(self, type_: type[T], namespace: str, name: str, seconds: float) -> T | None:
        """One object, as soon as it is there; None when it is not within so many seconds."""
        resource = self._resource(type_)
        if resource is None or resource.get(namespace, name) is not None:
            return await self.get(type_, namespace, name)
        listener = Appearance(namespace, name)
        resource.listen(listener)
        try:
            async with asyncio.timeout(seconds):
                await listener.seen.wait()
        except TimeoutError:
            return None
        finally:
            resource.forget(listener)
        return await self.get(type_, namespace, name)

    async def exists(self, resource: str, namespace: str, name: str, uid: str) -> bool:
        """Whether a core object is there, with that uid, and its time to go has not passed by more than `LEEWAY`."""
        kind = self._core.kinds.by_resource("", "v1", resource)
        entry = self._core.resource(kind).get(namespace, name) if kind else None
        if entry is None or entry.uid != uid:
            return False
        end = entry.object().metadata.deletionTimestamp
        return not end or clock.parse(end) >= clock.now() - LEEWAY

    def _resource(self, type_: type[Type]) -> Resource | None:
        """The cache of a type; None when it is not served."""
        known = self._resources.get(type_)
        if known is None:
            try:
                known = self._resources[type_] = self._core.resource(self._core.kinds.by_type(type_))
            except KeyError:
                return None
        return known
