"""Waits that grow with every failure of a key, until it has not failed for long. Controllers keep them in memory."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(slots=True)
class Failing:
    wait: float
    since: float


class Backoff:
    """Seconds to wait for each key: `first`, then twice as long each time, at most `longest`."""

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self._failing: dict[Hashable, Failing] = {}

    def left(self, key: Hashable) -> float:
        """How long the key still has to wait; 0 when it may be tried."""
        if (failing := self._failing.get(key)) is None:
            return 0.0
        return max(0.0, failing.since + failing.wait - asyncio.get_running_loop().time())

    def failed(self, key: Hashable) -> None:
        """The key is tried, again: the next time it waits longer, unless the last is twice the longest wait ago."""
        now = asyncio.get_running_loop().time()
        failing = self._failing.get(key)
        if failing is None or now - failing.since > 2 * self._longest:
            self._failing[key] = Failing(self._first, now)
        else:
            self._failing[key] = Failing(min(2 * failing.wait, self._longest), now)

    def forget(self, key: Hashable) -> None:
        self._failing.pop(key, None)

    def sweep(self) -> None:
        """Forget the keys that have not failed for long."""
        now = asyncio.get_running_loop().time()
        for key in [key for key, failing in self._failing.items() if now - failing.since > 2 * self._longest]:
            del self._failing[key]
