"""The newest events, held in memory and shared by all watches of one store. Both embedded drivers publish to it.

Publishing is synchronous and happens on the event loop, before the writes it tells of are acknowledged.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable
from operator import attrgetter

from knarr.store.store import Closed, Event

BATCH = 1000  #: events handed to a watch at once

_revision = attrgetter("revision")


class Feed:
    """Every event after `floor`, at least the newest `capacity` of them (0: all until `forget`)."""

    def __init__(self, revision: int, capacity: int = 0) -> None:
        self.revision = revision
        self.floor = revision
        self._capacity = capacity
        self._events: list[Event] = []
        self._changed = asyncio.Event()
        self.closed = False

    def copy(self) -> "Feed":
        """A feed with the same events, that nobody follows yet."""
        twin = Feed(self.revision, self._capacity)
        twin.floor, twin._events = self.floor, list(self._events)
        return twin

    def publish(self, events: list[Event]) -> None:
        """Show durable events to all watches."""
        self._events += events
        self.revision = events[-1].revision
        if self._capacity and len(self._events) > 2 * self._capacity:
            self.forget(self._events[-self._capacity - 1].revision)
        self._wake()

    def forget(self, revision: int) -> None:
        """Drop the events up to a revision."""
        del self._events[: bisect_right(self._events, revision, key=_revision)]
        self.floor = max(self.floor, revision)

    def since(self, after: int, limit: int = 0) -> list[Event] | None:
        """The events after a revision, or None when some of them are no longer here."""
        if after < self.floor:
            return None
        start = bisect_right(self._events, after, key=_revision)
        return self._events[start : start + limit] if limit else self._events[start:]

    def close(self) -> None:
        """End every watch with Closed."""
        self.closed = True
        self._wake()

    async def follow(
        self, prefix: str, after: int, older: Callable[[int], Awaitable[list[Event]]]
    ) -> AsyncIterator[list[Event]]:
        """Batches of the events under a prefix; `older` reads those that are no longer here."""
        while not self.closed:
            batch = self.since(after, BATCH)
            if batch is None:
                batch = await older(after)
            if not batch:
                await self._changed.wait()
                continue
            after = batch[-1].revision
            if chosen := [event for event in batch if event.key.startswith(prefix)] if prefix else batch:
                yield chosen
        raise Closed("the store is closed")

    def _wake(self) -> None:
        self._changed.set()
        self._changed.clear()
