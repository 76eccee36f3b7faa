"""The read cache of one resource: its entries, its latest changes, and the watches to be told of them.

`apply` is synchronous and is the only way in, so every reader sees a state that existed. It is called by the feed in
`core`, in the order of the store's revisions.
"""

from bisect import bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import Protocol

import msgspec
from sortedcontainers import SortedList

from knarr.kinds.kind import Kind
from knarr.registry.entry import Entry, at_rest, load
from knarr.registry.selection import Bucket
from knarr.store.store import Event

HELD = 4000  #: changes kept at least for watches that begin in the past

_revision = attrgetter("revision")


class Change(msgspec.Struct, frozen=True):
    """One write: what it made and what it replaced; None where there is nothing."""

    revision: int
    new: Entry | None
    old: Entry | None


class Listener(Protocol):
    """Who is told of changes; with a bucket, only of those that can matter to it."""

    @property
    def bucket(self) -> Bucket | None: ...

    def offer(self, change: Change) -> None: ...


class Resource:
    """All objects of one resource. `floor` is the revision after which every change is still held."""

    def __init__(self, kind: Kind, prefix: str, floor: int) -> None:
        self.kind = kind
        self.prefix = prefix  #: of the keys, with a slash at the end
        self.floor = floor
        self.state = 0  #: another number after each write
        self._entries: dict[str, Entry] = {}
        self._keys: SortedList[str] = SortedList()  # in a plain list, who comes would move 100,000 events
        self._changes: list[Change] = []
        #: those of a bucket in the order of their coming, in which they are told: not by chance
        self._listeners: dict[Bucket | None, dict[Listener, None]] = {}
        self._fields: dict[str, int] = {}  # how many listeners have a bucket of that field

    def become(self, kind: Kind) -> None:
        """Go on by another kind's rules: what is held is read anew by them."""
        self.kind = kind
        for key, entry in self._entries.items():
            self._entries[key] = load(kind, at_rest(entry), entry.revision)

    def key(self, namespace: str, name: str) -> str:
        return f"{self.prefix}{namespace}/{name}" if self.kind.namespaced else f"{self.prefix}{name}"

    def get(self, namespace: str, name: str) -> Entry | None:
        return self._entries.get(self.key(namespace, name))

    def at(self, key: str) -> Entry | None:
        """The entry under a key."""
        return self._entries.get(key)

    def span(self, namespace: str, after: str = "") -> Iterator[Entry]:
        """The entries of a namespace ("" is all of them) by key, those after a key."""
        low, high = self._bounds(namespace)
        start = max(low, self._keys.bisect_right(after)) if after else low
        return (self._entries[key] for key in self._keys[start:high])

    @property
    def empty(self) -> bool:
        """Whether there is no entry at all."""
        return not self._keys

    def count(self, namespace: str, after: str = "") -> int:
        """How many entries `span` gives."""
        low, high = self._bounds(namespace)
        return high - (max(low, self._keys.bisect_right(after)) if after else low)

    def fill(self, key: str, value: bytes, revision: int) -> None:
        """Take in a record at the start. When all are in, `filled` is called."""
        self.state += 1
        self._entries[key] = load(self.kind, value, revision)

    def filled(self) -> None:
        """Put the keys of what was taken in at the start in order."""
        self._keys = SortedList(self._entries)

    def apply(self, event: Event) -> None:
        """Take in one write and tell the listeners."""
        self.state += 1
        old = self._entries.get(event.key)
        if event.type == "put":
            new = load(self.kind, event.value, event.revision)
            self._entries[event.key] = new
            if old is None:
                self._keys.add(event.key)
        elif old is not None:
            new = None
            del self._entries[event.key]
            self._keys.remove(event.key)
        else:
            return
        change = Change(event.revision, new, old)
        self._changes.append(change)
        if len(self._changes) > 2 * HELD:
            self.floor = self._changes[-HELD - 1].revision
            del self._changes[:-HELD]
        for listener in self._concerned(change):
            listener.offer(change)

    def since(self, revision: int) -> list[Change] | None:
        """The changes after a revision; None when some are no longer held."""
        if revision < self.floor:
            return None
        return self._changes[bisect_right(self._changes, revision, key=_revision) :]

    def listen(self, listener: Listener) -> None:
        bucket = listener.bucket
        self._listeners.setdefault(bucket, {})[listener] = None
        if bucket:
            self._fields[bucket[0]] = self._fields.get(bucket[0], 0) + 1

    def forget(self, listener: Listener) -> None:
        bucket = listener.bucket
        found = self._listeners.get(bucket, {})
        if listener not in found:
            return
        del found[listener]
        if not found:
            del self._listeners[bucket]
        if bucket:
            self._fields[bucket[0]] -= 1
            if not self._fields[bucket[0]]:
                del self._fields[bucket[0]]

    def _bounds(self, namespace: str) -> tuple[int, int]:
        if not namespace or not self.kind.namespaced:
            return 0, len(self._keys)
        prefix = f"{self.prefix}{namespace}/"
        return self._keys.bisect_left(prefix), self._keys.bisect_left(prefix + "\U0010ffff")

    def _concerned(self, change: Change) -> list[Listener]:
        found = self._listeners.get(None, {})
        for field in self._fields:
            for entry in (change.new, change.old):
                if entry is not None and (some := self._listeners.get((field, entry.field(field)))):
                    found = found | some
        return list(found)
