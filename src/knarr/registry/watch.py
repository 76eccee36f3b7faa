"""Watches: what happens to the objects of a selection, from a revision on.

An object that enters the selection is ADDED, one that leaves it DELETED, whatever the write was; a deleted object is
shown as it last was, with the revision of its end. The bytes of an object are shared by all watches that show it.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
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
TAKEN = 256  #: items that a reader gets at once, so that one who stands still holds no more
INITIAL_END = "k8s.io/initial-events-end"


@dataclass(slots=True)
class WatchItem:
    """One event, shared by all watches that show it. `entry` is None for a bookmark."""

    type: Type
    raw: bytes  #: the object
    revision: int
    entry: Entry | None = None
    _line: bytes = b""

    @property
    def line(self) -> bytes:
        """The event as it goes over the wire in JSON, put together for the first who asks."""
        if not self._line:
            self._line = b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.raw)
        return self._line


class Watch:
    """Iterate it for single items, or call `batch` for what has come together; `close` it in the end.

    It ends by itself after `timeout` seconds (0: never), when its reader lags too far behind, and when the registry
    stops; a client then goes on from the last revision that it saw.
    """

    def __init__(self, core: Core, resource: Resource, selection: Selection, bookmarks: bool, timeout: float) -> None:
        self.bucket: Bucket | None = selection.bucket
        self._core, self.resource, self._selection = core, resource, selection
        self._queue: deque[WatchItem] = deque()
        self._reader: asyncio.Future[None] | None = None  # who waits for the next item
        self._ended = False
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._deadline = now + timeout if timeout else math.inf
        self._bookmark_at = now + core.bookmarks if bookmarks else math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._set_timer()
        core.watches[self] = None
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
        item = shown(change, self._selection)
        if item is None:
            return
        self._queue.append(item)
        self._wake()
        if len(self._queue) > QUEUED:
            self.close()

    def close(self) -> None:
        """End the watch; what is queued can still be read."""
        self._ended = True
        self._core.watches.pop(self, None)
        self.resource.forget(self)
        if self._timer is not None:
            self._timer.cancel()
        self._wake()

    async def batch(self) -> list[WatchItem]:
        """The items that have come up, 1 to `TAKEN`; an empty list when the watch has ended."""
        while not self._queue and not self._ended:
            self._reader = self._loop.create_future()
            await self._reader
        if len(self._queue) > TAKEN:
            return [self._queue.popleft() for _ in range(TAKEN)]
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

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _set_timer(self) -> None:
        """Wait for the next bookmark or the end; one timer serves the whole watch."""
        due = min(self._deadline, self._bookmark_at)
        if due < math.inf:
            self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        assert self._timer is not None, "it is the timer that calls"
        now = max(self._loop.time(), self._timer.when())  # the loop may be early by its clock's resolution
        if self._bookmark_at < math.inf:  # the end too is told by one
            self._queue.append(self._bookmark({}))
            self._bookmark_at = now + self._core.bookmarks
        if now >= self._deadline:
            self.close()
        else:
            self._set_timer()
            self._wake()

    def _bookmark(self, annotations: dict[str, str]) -> WatchItem:
        kind, revision = self.resource.kind, self._core.revision
        metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        tree = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
        return WatchItem("BOOKMARK", msgspec.json.encode(tree), revision)


def shown(change: Change, selection: Selection) -> WatchItem | None:
    """How a selection sees a change; None when it does not. All who see it alike get the same item."""
    new = change.new if change.new is not None and selection.takes(change.new) else None
    old = change.old if change.old is not None and selection.takes(change.old) else None
    if new is not None:
        return _latest.item(change, "MODIFIED" if old else "ADDED")
    return _latest.item(change, "DELETED") if old is not None else None


class _Latest:
    """The items of the change that is being told to the watches; with the next one they are forgotten."""

    def __init__(self) -> None:
        self._change: Change | None = None
        self._items: dict[Type, WatchItem] = {}

    def item(self, change: Change, type_: Type) -> WatchItem:
        if change is not self._change:
            self._change, self._items = change, {}
        found = self._items.get(type_)
        if found is None:
            found = self._items[type_] = _made(change, type_)
        return found


_latest = _Latest()


def _made(change: Change, type_: Type) -> WatchItem:
    entry = change.old.at(change.revision) if type_ == "DELETED" and change.old is not None else change.new
    assert entry is not None
    return WatchItem(type_, entry.raw, change.revision, entry)


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
