"""What nft refuses of many things that are loaded together: which ones, and when they are tried again.

A load is one transaction, so that one rule that the kernel does not take would keep all others out. `fitting` finds who
is to blame by trying ever smaller groups without loading them; `Refusals` remembers it, so that the next loads leave
those out until they are others, or it is time to try again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Generic, TypeVar

from knarr.loop.backoff import Backoff

FIRST, LONGEST = 5.0, 300.0  #: seconds until what was refused is tried again
MOST_CHECKS = 128  #: at a time: some are found in that many among thousands
UNTRIED = "too much else is refused"

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


async def fitting(
    keys: Iterable[K], accepts: Callable[[list[K]], Awaitable[str]], most: int = MOST_CHECKS
) -> tuple[list[K], dict[K, str]]:
    """Which of the keys can be loaded together, and why each of the others cannot. `accepts` says "" for a group that
    can; it is asked `most` times, and who was not asked about then counts as refused for now."""
    kept: list[K] = []
    refused: dict[K, str] = {}
    groups = [list(keys)]
    while groups:
        group = groups.pop()
        if not most:
            refused |= dict.fromkeys(group, UNTRIED)
            continue
        most -= 1
        why = await accepts([*kept, *group])
        if not why:
            kept += group
        elif len(group) == 1:
            refused[group[0]] = why
        else:
            half = len(group) // 2
            groups += [group[half:], group[:half]]
    return kept, refused


class Refusals(Generic[K, T]):
    """Of one place: who was refused with what."""

    def __init__(self) -> None:
        self._things: dict[K, T] = {}
        self._backoff = Backoff(FIRST, LONGEST)
        self._untried: dict[K, float] = {}  #: until when

    def __contains__(self, key: K) -> bool:
        return key in self._things

    def note(self, key: K, thing: T, why: str) -> None:
        """This was refused just now."""
        self._things[key] = thing
        if why == UNTRIED:
            self._untried[key] = asyncio.get_running_loop().time() + FIRST
        else:
            self._untried.pop(key, None)
            self._backoff.failed(key)

    def holds(self, key: K, thing: T) -> bool:
        """Whether this is to be left out; another thing than was refused is not, and forgets that."""
        if key not in self._things:
            return False
        if self._things[key] != thing:
            self.forget(key)
            return False
        return self._left(key) > 0

    def due(self) -> dict[K, T]:
        """What is to be tried again."""
        return {key: thing for key, thing in self._things.items() if self._left(key) <= 0}

    def forget(self, key: K) -> None:
        self._things.pop(key, None)
        self._untried.pop(key, None)
        self._backoff.forget(key)

    def _left(self, key: K) -> float:
        if (until := self._untried.get(key)) is not None:
            return until - asyncio.get_running_loop().time()
        return self._backoff.left(key)
