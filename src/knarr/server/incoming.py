"""A request's body that goes on while it comes: what is sent through the proxies has no size, and may wait for answers.

The connection feeds it, who answers reads it; a client that is faster than what it talks to is held back.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable

from knarr.server.limits import SLICE

CARRIED = re.compile(rb"/api/v1/(namespaces/[^/?]+/(pods|services)|nodes)/[^/?]+/proxy(/|\?|$)")


def is_carried(url: bytes) -> bool:
    """Whether a request goes on to what runs in the cluster, by the target of its first line."""
    return CARRIED.match(url) is not None


class Incoming:
    """The pieces of a body, for one reader. `whole` says that the last has come."""

    def __init__(self, first: Iterable[bytes], pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause, self._resume = pause, resume
        self._pieces: deque[bytes] = deque()
        self._size, self._full = 0, False
        self._news = asyncio.Event()
        self.whole = False
        for piece in first:
            self.feed(piece)

    def feed(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        self._news.set()
        if self._size > SLICE and not self._full:
            self._full = True
            self._pause()

    def finish(self) -> None:
        self.whole = True
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._size -= len(piece)
                if self._full and self._size <= SLICE // 2:
                    self._full = False
                    self._resume()
                yield piece
            if self.whole:
                return
            self._news.clear()
            await self._news.wait()
