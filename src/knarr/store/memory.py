"""The store in memory: for tests, for virtual time, and for clusters that need not outlive their process.

No thread and no waiting: a write is durable (as far as memory is) and published when the call returns.
"""

from collections.abc import AsyncIterator
from typing import TypeVar

from sortedcontainers import SortedList

from knarr.store.feed import Feed
from knarr.store.store import Closed, Compacted, Event, Future, Mismatch, Record

T = TypeVar("T", bound="MemoryStore")


class MemoryStore:
    """The current records, their sorted keys, and every event since the last compaction."""

    def __init__(self) -> None:
        self.compacted = 0
        self._records: dict[str, Record] = {}
        self._keys: SortedList[str] = SortedList()
        self._feed = Feed(0)
        self._open = True

    @property
    def revision(self) -> int:
        return self._feed.revision

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        old = self._expect(key, expect)
        revision = self.revision + 1
        record = Record(key, value, revision, old.created if old else revision)
        if old is None:
            self._keys.add(key)
        self._records[key] = record
        self._publish(Event("put", key, value, revision, record.created, *_before(old)))
        return revision

    async def delete(self, key: str, *, expect: int | None = None) -> int:
        old = self._expect(key, expect)
        if old is None:
            raise Mismatch(key, expect, 0)
        del self._records[key]
        self._keys.remove(key)
        self._publish(Event("delete", key, b"", self.revision + 1, old.created, *_before(old)))
        return self.revision

    async def get(self, key: str, *, revision: int = 0) -> Record | None:
        self._check(revision)
        return self._records.get(key) if not revision else self._undone(key, revision).get(key, self._records.get(key))

    async def range(
        self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0
    ) -> tuple[int, list[Record]]:
        self._check(revision)
        start = max(self._keys.bisect_left(prefix), self._keys.bisect_right(after))
        keys = self._keys[start : self._keys.bisect_left(prefix + "\U0010ffff")]
        undone = self._undone(prefix, revision) if revision else {}
        if undone:
            keys = sorted({*keys, *(key for key in undone if key > after)})
        records = (undone[key] if key in undone else self._records[key] for key in keys)
        found = [record for record in records if record is not None]
        return revision or self.revision, found[:limit] if limit else found

    def watch(self, prefix: str = "", *, after: int) -> AsyncIterator[list[Event]]:
        return self._feed.follow(prefix, after, self._gone)

    async def history(self, key: str, *, after: int = 0, limit: int = 0) -> list[Event]:
        self._check(after)
        found = [event for event in self._events(after or self.compacted) if event.key == key]
        return found[:limit] if limit else found

    async def compact(self, revision: int) -> None:
        self._check(revision)
        self._feed.forget(revision)
        self.compacted = max(self.compacted, revision)

    def copy(self) -> "MemoryStore":
        """A store with the same records and history, that goes on by itself."""
        return self._copied_to(MemoryStore())

    def _copied_to(self, twin: T) -> T:
        twin.compacted = self.compacted
        twin._records, twin._keys = dict(self._records), SortedList(self._keys)
        twin._feed = self._feed.copy()
        return twin

    async def close(self) -> None:
        self._open = False
        self._feed.close()

    def _expect(self, key: str, expect: int | None) -> Record | None:
        self._check(0)
        old = self._records.get(key)
        actual = old.revision if old else 0
        if expect is not None and expect != actual:
            raise Mismatch(key, expect, actual)
        return old

    def _check(self, revision: int) -> None:
        if not self._open:
            raise Closed("the store is closed")
        if revision and revision < self.compacted:
            raise Compacted(self.compacted)
        if revision > self.revision:
            raise Future(revision, self.revision)

    def _publish(self, event: Event) -> None:
        self._feed.publish([event])

    def _events(self, after: int) -> list[Event]:
        return self._feed.since(after) or []

    def _undone(self, prefix: str, revision: int) -> dict[str, Record | None]:
        """What the keys that were written after a revision held at it."""
        undone: dict[str, Record | None] = {}
        for event in self._events(revision):
            if event.key.startswith(prefix) and event.key not in undone:
                undone[event.key] = _earlier(event)
        return undone

    async def _gone(self, after: int) -> list[Event]:
        raise Compacted(self.compacted)


async def open_memory() -> MemoryStore:
    """A new, empty store."""
    return MemoryStore()


def _before(old: Record | None) -> tuple[bytes | None, int]:
    return (old.value, old.revision) if old else (None, 0)


def _earlier(event: Event) -> Record | None:
    """The record that an event replaced; it shares the life that the event continues or ends."""
    if event.previous is None:
        return None
    return Record(event.key, event.previous, event.previous_revision, event.created)
