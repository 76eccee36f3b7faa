"""A queue of keys for the workers of one controller. Called by `knarr.loop.runner`.

A key is in the queue once, however often it was added; a key that is added while a worker has it comes again when the
worker is done, so no two workers ever have the same key. A key that failed comes back later each time (upstream's
5 ms to 1000 s), and a key can be asked for at a later time, of which the earliest counts.

A key that took its worker long and is wanted again rests first for a multiple of that time: an owner of hundreds of
objects that all change looks at them together, not once for each.
"""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_DELAY, LONGEST_DELAY = 0.005, 1000.0  #: seconds
LONG = 0.004  #: seconds of work after which a key rests
REST, LONGEST_REST = 4.0, 0.1  #: times the work, and seconds at most


class WorkQueue(Generic[K]):
    def __init__(self, first: float = FIRST_DELAY, longest: float = LONGEST_DELAY) -> None:
        self._first, self._longest = first, longest
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()  # in _ready, or to be put there when done
        self._working: dict[K, float] = {}  # since when, on the loop's clock
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._rests: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._idle: deque[asyncio.Future[None]] = deque()  # workers that wait: each key wakes one

    @property
    def idle(self) -> bool:
        """Whether no key is ready or being worked on; later times may have been asked for."""
        return not self._ready and not self._working.keys() - (self._rests.keys() - self._waiting)

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, key: K) -> None:
        """Have a key worked on as soon as a worker is free."""
        if key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._working:
            self._offer(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Have a key worked on later; an earlier time asked for before stands, a later one does not."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if (timer := self._timers.get(key)) is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(when, self._due, key)

    def retry(self, key: K) -> float:
        """Have a failed key worked on after its back-off; give the seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay: float = min(self._first * 2.0 ** min(failures, 60), self._longest)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """Say that a key's back-off starts anew."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """Take the next key; it is this worker's until `done`."""
        while not self._ready:
            await self._wait()
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._working[key] = asyncio.get_running_loop().time()
        return key

    def done(self, key: K) -> None:
        """Give a key back; it comes again, after its rest, if it was added meanwhile."""
        loop = asyncio.get_running_loop()
        took = loop.time() - self._working.pop(key)
        rest = min(took * REST, LONGEST_REST) if took > LONG and key not in self._failures else 0.0
        if not rest and key in self._waiting:
            self._offer(key)
        elif rest:
            self._working[key] = loop.time()  # so that it is not taken while it rests
            self._rests[key] = loop.call_later(rest, self._rested, key)

    def close(self) -> None:
        """Forget the later times that were asked for, and end the rests."""
        for timer in (*self._timers.values(), *self._rests.values()):
            timer.cancel()
        self._timers.clear()
        self._rests.clear()

    def _offer(self, key: K) -> None:
        self._ready.append(key)
        self._wake_one()

    def _wake_one(self) -> None:
        while self._idle:
            if not (waiter := self._idle.popleft()).done():
                waiter.set_result(None)
                return

    async def _wait(self) -> None:
        """Wait until woken; who is cancelled just then wakes another, so that no key is left lying."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and self._ready:
                self._wake_one()
            raise

    def _rested(self, key: K) -> None:
        del self._rests[key], self._working[key]
        if key in self._waiting:
            self._offer(key)

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)
