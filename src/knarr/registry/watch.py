"""Watches: what happens to the objects of a selection, from a revision on.

An object that enters the selection is ADDED, one that leaves it DELETED, whatever the write was; a deleted object is
shown as it last was, with the revision of its end. The bytes of an object are shared by all watches that show it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from knarr.kinds.kind import Kind
from knarr.meta.errors import Expired
from knarr.registry.core import Core, revision_of
from knarr.registry.entry import Entry
from knarr.registry.resource import Change, Resource
from knarr.registry.selection import Bucket, Selection, select

Type = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]

QUEUED = 20_000  #: changes a watch may lag behind before it is ended
BOOKMARK_EVERY = 60.0  #: seconds
INITIAL_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class WatchItem:
    """One event. `entry` is None for a bookmark."""

    type: Type
    raw: bytes  #: the object
    revision: int
    entry: Entry | None = None

    @property
    def line(self) -> bytes:
        """The event as it goes over the wire in JSON."""
        return b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.raw)


class Watch:
    """Iterate it for single items, or call `batch` for what has come together; `close` it in the end.

    It ends by itself after `timeout` seconds (0: never), when its reader lags too far behind, and when the registry
    stops; a client then goes on from the last revision that it saw.
    """

    def __init__(self, core: Core, resource: Resource, selection: Selection, bookmarks: bool, timeout: float) -> None:
        self.bucket: Bucket | None = selection.bucket
        self._core, self.resource, self._selection = core, resource, selection
        self._queue: deque[WatchItem] = deque()
        self._wake = asyncio.Event()
        self._ended = False
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + timeout if timeout else None
        self._bookmark_at = loop.time() + BOOKMARK_EVERY if bookmarks else None
        core.watches.add(self)
        resource.listen(self)

    def begin(self, changes: list[Change], initial: list[Entry], end_mark: bool) -> None:
        """Queue what lies before the live changes."""
        self._queue.extend(WatchItem("ADDED", entry.raw, entry.revision, entry) for entry in initial)
        if end_mark:
            self._queue.append(self._bookmark({INITIAL_END: "true"}))
        for change in changes:
            self.offer(change)

    def offer(self, change: Change) -> None:
        """Queue what a change means for this selection."""
        for item in shown(change, self._selection):
            self._queue.append(item)
            self._wake.set()
        if len(self._queue) > QUEUED:
            self.close()

    def close(self) -> None:
        """End the watch; what is queued can still be read."""
        self._ended = True
        self._core.watches.discard(self)
        self.resource.forget(self)
        self._wake.set()

    async def batch(self) -> list[WatchItem]:
        """The items that have come up, at least one; an empty list when the watch has ended."""
        while not self._queue and not self._ended:
            self._wake.clear()
            if not await self._woken():
                self._tick()
        items = list(self._queue)
        self._queue.clear()
        return items

    async def __aiter__(self) -> AsyncIterator[WatchItem]:
        try:
            while items := await self.batch():
                for item in items:
                    yield item
        finally:
            self.close()

    async def _woken(self) -> bool:
        """Wait for something to come; False when a bookmark or the end is due first."""
        due = min((at for at in (self._deadline, self._bookmark_at) if at is not None), default=None)
        try:
            async with asyncio.timeout_at(due):
                return await self._wake.wait()
        except TimeoutError:
            return False

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._bookmark_at is not None:
            self._queue.append(self._bookmark({}))
            self._bookmark_at = now + BOOKMARK_EVERY
        if self._deadline is not None and now >= self._deadline:
            self.close()

    def _bookmark(self, annotations: dict[str, str]) -> WatchItem:
        kind, revision = self.resource.kind, self._core.revision
        metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        tree = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
        return WatchItem("BOOKMARK", msgspec.json.encode(tree), revision)


def shown(change: Change, selection: Selection) -> Iterator[WatchItem]:
    """How a selection sees a change: as one item, or not at all."""
    new = change.new if change.new is not None and selection.takes(change.new) else None
    old = change.old if change.old is not None and selection.takes(change.old) else None
    if new is not None:
        yield WatchItem("MODIFIED" if old else "ADDED", new.raw, change.revision, new)
    elif old is not None:
        last = old.at(change.revision)
        yield WatchItem("DELETED", last.raw, change.revision, last)


def watch(
    core: Core,
    kind: Kind,
    namespace: str = "",
    *,
    labels: str = "",
    fields: str = "",
    resource_version: str = "",
    bookmarks: bool = False,
    initial_events: bool | None = None,
    timeout: float = 0,
) -> Watch:
    """Begin a watch; raises Expired when its revision is too old, BadRequest when it is none.

    Without a resourceVersion, and with "0", it begins with the objects that exist, as ADDED. `initial_events` True does
    so with any, and marks their end by a bookmark; False begins with the present and shows none of them.
    """
    resource = core.resource(kind)
    selection = select(kind, namespace, labels, fields)
    revision = revision_of(resource_version, f'resourceVersion: Invalid value: "{resource_version}": ')
    changes: list[Change] = []
    initial: list[Entry] = []
    if initial_events or (initial_events is None and not revision):
        initial = [entry for entry in resource.span(namespace) if selection.takes(entry)]
    elif revision:
        held = resource.since(revision)
        if held is None:
            raise Expired(f"too old resource version: {revision} ({resource.floor})")
        changes = held
    made = Watch(core, resource, selection, bookmarks, timeout)
    made.begin(changes, initial, end_mark=bool(initial_events and bookmarks))
    return made
