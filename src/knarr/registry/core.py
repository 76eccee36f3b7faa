"""What every verb works with: the store, the kinds, and the cache that the store's watch feeds.

The feed applies each commit before the write that made it returns (`applied`), so whoever wrote sees its own write.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from knarr.kinds.kind import Kind, Tree
from knarr.meta.errors import BadRequest, NotFound, ServiceUnavailable
from knarr.registry.authorship import Authorship
from knarr.registry.entry import Entry, load
from knarr.registry.forgetting import forget
from knarr.registry.resource import Resource
from knarr.registry.services import Allocator
from knarr.registry.shared import Pages
from knarr.store.store import Closed, Event, Store

if TYPE_CHECKING:
    from knarr.kinds.table import KindTable  # the table imports every kind

ROOT = "/registry/"
BOOKMARK_EVERY = 60.0  #: seconds
PAGE = 5000  #: records read at once at the start
REPLAYED = 20_000  #: writes before the start that a watch may still begin at

Asked = Callable[[Tree, Tree | None], Awaitable[None]]


class Options(Struct):
    """What a write is asked beside its object. `warnings` is filled by the verb."""

    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = ""  #: Ignore, Warn or Strict; "" is Warn
    user: str = ""
    duplicates: list[str] = field(default_factory=list)  #: decoding's complaints of fields the body named twice
    warnings: list[str] = field(default_factory=list)
    form: Kind | None = None  #: the view that the request's object is of, where it is not of the stored kind
    #: (new, old): may refuse the new object or change it, and leaves no default of it out; old is None on a create
    admit: Asked | None = None
    approve: Asked | None = None  #: (new, old): may refuse what is valid, as the last thing before the write


class Closable(Protocol):
    @property
    def resource(self) -> Resource: ...

    def close(self) -> None: ...


class Core:
    """The state that the verbs share; `Registry` adds the verbs."""

    def __init__(
        self,
        store: Store,
        kinds: "KindTable",
        *,
        service_ranges: Sequence[str] = ("10.96.0.0/16",),
        bookmarks: float = BOOKMARK_EVERY,
    ) -> None:
        self.store = store
        self.bookmarks = bookmarks  #: seconds between those of a watch
        self.kinds = kinds.own()  #: custom resources come and go in it
        self.revision = 0  #: up to which the cache has applied the store's writes
        self.services = Allocator(service_ranges)
        self.pages = Pages()
        self.authorship = Authorship()
        self.watches: dict[Closable, None] = {}  #: in the order of their beginning
        self._resources: dict[str, Resource] = {}
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: BaseException | None = None

    async def start(self) -> None:
        """Load the cache and keep it fed; returns when it holds everything that was in the store."""
        for kind in self.kinds.all():
            if kind.view is None:
                self._add(kind)
        base = max(self.store.compacted, self.store.revision - REPLAYED)
        await self._load(base)
        self.revision = base
        self._tasks = [asyncio.create_task(self._feed(base)), asyncio.create_task(forget(self))]
        await self.applied(self.store.revision)

    async def stop(self) -> None:
        """End the watches and the feed. The store stays open: it is the caller's."""
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        self._fail(ServiceUnavailable("the registry is stopped"))

    async def serve(self, kind: Kind) -> None:
        """Hold the objects of a custom resource, from now on by this kind's rules."""
        place = _place(kind)
        known = self._resources.get(place)
        if known is not None:
            known.become(kind)
            self._end_watches(known)
            return
        resource = self._add(kind)
        if self._tasks:  # else `start` loads it with the others
            resource.floor = self.revision
            _, records = await self.store.range(place)
            for record in records:
                resource.fill(record.key, record.value, record.revision)
            resource.filled()

    def unserve(self, kind: Kind) -> None:
        """Hold the objects of a custom resource no more, and end who watches them."""
        resource = self._resources.pop(_place(kind), None)
        if resource is not None:
            self._end_watches(resource)

    def _end_watches(self, resource: Resource) -> None:
        for watch in list(self.watches):
            if watch.resource is resource:
                watch.close()

    def resource(self, kind: Kind) -> Resource:
        """The cache of a kind's resource."""
        return self._resources[_place(kind)]

    def resources(self) -> Collection[Resource]:
        """The caches of all resources."""
        return self._resources.values()

    def find(self, kind: Kind, namespace: str, name: str) -> Entry:
        """The current entry; raises NotFound."""
        entry = self.resource(kind).get(namespace, name)
        if entry is None:
            raise not_found(kind, name)
        return entry

    async def put(self, kind: Kind, key: str, value: bytes, expect: int) -> Entry:
        """Write an object and return its entry when the cache has it."""
        revision = await self.store.put(key, value, expect=expect)
        self.authorship.note(revision)
        await self.applied(revision)
        resource = self._resources.get(_place(kind))  # of a custom resource it may be gone by now
        written = resource.at(key) if resource is not None else None
        return written if written is not None and written.revision == revision else load(kind, value, revision)

    async def remove(self, key: str, expect: int) -> int:
        """Delete an object and return the revision of that when the cache has it."""
        revision = await self.store.delete(key, expect=expect)
        self.authorship.note(revision)
        await self.applied(revision)
        return revision

    async def applied(self, revision: int) -> None:
        """Wait until the cache shows a revision."""
        if self._failure is not None:
            raise self._failure
        if self.revision < revision:
            done = asyncio.get_running_loop().create_future()
            self._waiting.append((revision, done))
            await done

    def _add(self, kind: Kind) -> Resource:
        place = _place(kind)
        if place not in self._resources:
            self._resources[place] = Resource(kind, place, max(self.store.compacted, self.store.revision - REPLAYED))
            if is_service(kind):
                self._resources[place].listen(self.services)
        return self._resources[place]

    async def _load(self, revision: int) -> None:
        after, more = "", bool(revision)
        while more:
            _, records = await self.store.range(ROOT, revision=revision, after=after, limit=PAGE)
            for record in records:
                if (resource := self._resources.get(_place_of(record.key))) is not None:
                    resource.fill(record.key, record.value, record.revision)
            more = len(records) == PAGE
            after = records[-1].key if records else ""
        for resource in self._resources.values():
            resource.filled()
            if is_service(resource.kind):
                for service in resource.span(""):
                    self.services.adopt(service)

    async def _feed(self, after: int) -> None:
        try:
            async for batch in self.store.watch("", after=after):
                self._apply(batch)
        except Closed as closed:
            self._fail(closed)
        except Exception as error:
            self._fail(error)
            raise

    def _apply(self, batch: list[Event]) -> None:
        for event in batch:
            if (resource := self._resources.get(_place_of(event.key))) is not None:
                resource.apply(event)
            self.revision = event.revision
        if self._waiting:
            ready = [done for revision, done in self._waiting if revision <= self.revision]
            self._waiting = [(revision, done) for revision, done in self._waiting if revision > self.revision]
            for done in ready:
                if not done.done():
                    done.set_result(None)

    def _fail(self, error: BaseException) -> None:
        """Nothing more will be applied: end who waits for it."""
        self._failure = error
        for watch in list(self.watches):
            watch.close()
        for _, done in self._waiting:
            if not done.done():
                done.set_exception(error)
        self._waiting = []


def revision_of(text: str, where: str = "") -> int:
    """A resourceVersion as a number, "" as 0; raises BadRequest, with `where` before Go's words."""
    if text and not (text.isascii() and text.isdigit()):
        raise BadRequest(f'{where}strconv.ParseUint: parsing "{text}": invalid syntax')
    if len(text) > 20:  # digits of the greatest unsigned 64 bit number
        raise BadRequest(f'{where}strconv.ParseUint: parsing "{text}": value out of range')
    return int(text or "0")


def not_found(kind: Kind, name: str) -> NotFound:
    return NotFound(f'{kind.resource} "{name}" not found', kind=kind.plural, group=kind.group, name=name)


def is_service(kind: Kind) -> bool:
    """Whether the registry allocates addresses for this kind."""
    return kind.kind == "Service" and not kind.group


def _place(kind: Kind) -> str:
    """The prefix of a resource's keys."""
    return f"{ROOT}{kind.group or 'core'}/{kind.plural}/"


def _place_of(key: str) -> str:
    """The resource's prefix within a key."""
    end = key.find("/", key.find("/", len(ROOT)) + 1)
    return key[: end + 1]
