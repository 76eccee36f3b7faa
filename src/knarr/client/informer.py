"""Informers: caches that follow the API server by list and watch, and tell who listens what changed.

One `Informers` per process shares an informer between everybody who asks for the same collection. A watch that ends is
resumed from the last resourceVersion seen (bookmarks move it on); history that is gone leads to a new list, whose
difference to the cache is told like any other change. Failures wait longer each time, with jitter, as client-go's
reflector does. Listeners are told after the cache has changed, in the server's order, and must not block.
One that fails at a change is told the next all the same.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar

import msgspec

from knarr.client.api import Api, Target, metadata
from knarr.client.cache import Cache, key_of
from knarr.client.resource import Partial, Resource
from knarr.client.stream import Change
from knarr.client.transport import TransportError
from knarr.kinds.types.base import Type
from knarr.meta import clock
from knarr.meta.errors import ApiError, Expired

T = TypeVar("T", bound=Type)
Listener = Callable[[T | None, T | None], None]
ListListener = Callable[[Iterable[T], int], None]

FIRST_DELAY, LONGEST_DELAY, CALM = 0.8, 30.0, 120.0  #: seconds: client-go's reflector back-off and when it forgets
WATCH_SECONDS = 300  #: a watch is asked to last this long, up to twice that
BREATH = 256  #: changes after which others get a turn

log = logging.getLogger("knarr.client")


class Backoff:
    """How long to wait before the next try: doubling, up to as much again as jitter, anew when calm."""

    def __init__(self, first: float = FIRST_DELAY, longest: float = LONGEST_DELAY, calm: float = CALM) -> None:
        self._first, self._longest, self._calm = first, longest, calm
        self._delay, self._last = first, float("-inf")

    def next(self, now: float) -> float:
        """Seconds to wait; `now` is the running loop's time."""
        if now - self._last > self._calm:
            self._delay = self._first
        self._last = now
        delay, self._delay = self._delay, min(self._delay * 2, self._longest)
        return delay * (1 + clock.rng().random())


class Informer(Generic[T]):
    """Follows one collection."""

    def __init__(
        self, api: Api, resource: Resource[T], namespace: str, labels: str, fields: str, seconds: float = WATCH_SECONDS
    ) -> None:
        self.resource = resource
        self.cache: Cache[T] = Cache()
        self.resource_version = ""  #: what the cache is a snapshot of; "" asks for a new list
        self._api = api
        self._namespace, self._labels, self._fields = namespace, labels, fields
        self._seconds = seconds
        self._listeners: list[Listener[T]] = []
        self._synced = asyncio.Event()
        self._on_list: list[ListListener[T]] = []
        self._listed = float("-inf")  # when the collection was, in the running loop's time

    @property
    def synced(self) -> bool:
        """Whether the cache has held the whole collection."""
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        await self._synced.wait()

    def on_change(self, listener: Listener[T]) -> None:
        """Tell `listener(old, new)` each change from now on; first, as new, what is in the cache already."""
        self._listeners.append(listener)
        for obj in self.cache.list():
            self.tell([listener], None, obj)

    def on_list(self, listener: ListListener[T]) -> None:
        """Tell `listener(objects, revision)` the whole collection whenever it was listed, after its changes."""
        self._on_list.append(listener)

    async def run(self) -> None:
        """Follow until cancelled."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        while True:
            try:
                if not self.resource_version:
                    await self._list()
                started = loop.time()
                if await self._watch() or loop.time() - started >= 1:
                    continue
                reason = "the watch ended at once"
            except Expired:
                self.resource_version = ""
                if loop.time() - self._listed >= LONGEST_DELAY:
                    continue  # a list lasted as long as the longest wait: there is nothing to be spared
                reason = "history is gone"
            except (ApiError, TransportError, msgspec.DecodeError) as error:
                reason = str(error)
            delay = backoff.next(loop.time())
            log.info("%s: %s; again in %.1f s", self.resource.qualified, reason, delay)
            await asyncio.sleep(delay)

    async def _list(self) -> None:
        """Read the collection and tell how it differs from the cache."""
        listing = await self._api.list(self.resource, self._namespace, labels=self._labels, fields=self._fields)
        gone = self.cache.keys() - {key_of(obj) for obj in listing.items}
        for key in sorted(gone):
            if (old := self.cache.drop(key)) is not None:
                self._tell(old, None)
        for obj in listing.items:
            known = self.cache.get(*reversed(key_of(obj)))
            if known is None or metadata(known).resourceVersion != metadata(obj).resourceVersion:
                self._tell_replaced(self.cache.put(obj), obj)
        self.resource_version = listing.resource_version
        self._listed = asyncio.get_running_loop().time()
        self._synced.set()
        for listener in self._on_list:
            listener(listing.items, int(listing.resource_version) if listing.resource_version.isdigit() else 0)

    async def _watch(self) -> bool:
        """Follow until the server ends the watch; give whether anything came."""
        seconds = int(self._seconds * (1 + clock.rng().random()))
        count = 0
        watch = self._api.watch(
            self.resource,
            self._namespace,
            labels=self._labels,
            fields=self._fields,
            resource_version=self.resource_version,
            timeout=seconds,
        )
        async for change in watch:
            self._apply(change)
            count += 1
            if count % BREATH == 0:
                await asyncio.sleep(0)
        return count > 0

    def _apply(self, change: Change[T]) -> None:
        obj = change.object
        if change.type == "DELETED":
            if self.cache.drop(key_of(obj)) is not None:
                self._tell(obj, None)
        elif change.type != "BOOKMARK":
            self._tell_replaced(self.cache.put(obj), obj)
        if version := metadata(obj).resourceVersion:
            self.resource_version = version

    def _tell_replaced(self, old: T | None, new: T) -> None:
        """Tell a change; a name that went and came back unseen is two changes, not one."""
        if old is not None and metadata(old).uid != metadata(new).uid:
            self._tell(old, None)
            old = None
        self._tell(old, new)

    def _tell(self, old: T | None, new: T | None) -> None:
        self.tell(self._listeners, old, new)

    def tell(self, listeners: Sequence[Listener[T]], old: T | None, new: T | None) -> None:
        """Tell some of a change, each whatever becomes of the others."""
        for listener in listeners:
            try:
                listener(old, new)
            except Exception:  # a fault in one who listens must not end what the others follow, nor their process
                log.exception("%s: a change is lost on one who listens", self.resource.qualified)


class Informers:
    """The informers of one process. Inside `async with` they run, those asked for later too; leaving ends them.

    Their watches are asked to last `seconds`, up to twice that.
    """

    def __init__(self, api: Api, seconds: float = WATCH_SECONDS) -> None:
        self.api = api
        self._seconds = seconds
        self._informers: dict[tuple[Resource[Any], str, str, str], Informer[Any]] = {}
        self._whole: dict[tuple[str, str, str, str, str], Informer[Any]] = {}  # those of whole objects, by their place
        self._tasks: dict[tuple[Resource[Any], str, str, str], asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def of(self, target: Target[T], *, namespace: str = "", labels: str = "", fields: str = "") -> Informer[T]:
        """The informer of a collection, made when nobody has asked for it yet.

        Who wants metadata alone gets the informer of the whole objects where there is one: they are watched once.
        """
        resource = self.api.resource(target)
        key = (resource, namespace, labels, fields)
        if (informer := self._informers.get(key)) is None:
            place = (resource.api_version, resource.plural, namespace, labels, fields)
            if resource.type is Partial and place in self._whole:
                return self._whole[place]
            informer = self._informers[key] = Informer(self.api, *key, self._seconds)
            if resource.type is not Partial:
                self._whole[place] = informer
            self._start(key)
        return informer

    def drop(self, target: Target[T], *, namespace: str = "", labels: str = "", fields: str = "") -> None:
        """End the informer of a collection that is no more: of a custom resource whose definition went."""
        resource = self.api.resource(target)
        key = (resource, namespace, labels, fields)
        if self._informers.pop(key, None) is not None and resource.type is not Partial:
            self._whole.pop((resource.api_version, resource.plural, namespace, labels, fields), None)
        if (task := self._tasks.pop(key, None)) is not None:
            task.cancel()

    async def synced(self) -> None:
        """Return when every informer asked for so far has held its whole collection."""
        for informer in [*self._informers.values()]:
            await informer.wait_synced()

    async def __aenter__(self) -> "Informers":
        self._group = await asyncio.TaskGroup().__aenter__()
        for key in self._informers:
            self._start(key)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        group, self._group = self._group, None
        assert group is not None, "left without having been entered"
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        await group.__aexit__(kind, error, trace)

    async def run(self) -> None:
        """Run the informers until cancelled."""
        async with self:
            await asyncio.Event().wait()

    def _start(self, key: tuple[Resource[Any], str, str, str]) -> None:
        if self._group is not None:
            name = f"informer {key[0].qualified}"
            self._tasks[key] = self._group.create_task(self._informers[key].run(), name=name)
