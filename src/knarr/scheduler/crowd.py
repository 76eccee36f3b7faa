"""The pods that no node would take: those that are alike wait together, and one of them is tried for all. Pure.

What could help one of them could help each, so it is kept once; when the one that is tried finds nothing, the others
need not look. Whoever was tried longest ago goes first.
"""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass, field

from knarr.kinds.types.core_v1 import Pod
from knarr.scheduler.board import Key, key_of

Places = dict[str, None]  #: the names of nodes, in the order in which they were named


@dataclass(slots=True, eq=False)
class Waiting:
    """A pod in the queue, or just taken from it."""

    pod: Pod
    tries: int = 0
    not_before: float = 0.0  #: the loop's time
    places: Places | None = None  #: the nodes that could help it since it was tried; None for any
    alike: bytes | None = None  #: its likeness, once it has been tried; None for a pod like no other
    turn: int = 0  #: its number among those to be tried now, 0 when it is none of them
    crowd: "Crowd | None" = None  #: with whom it waits


@dataclass(slots=True, eq=False)
class Crowd:
    """Pods that are alike, or one that is like no other."""

    name: Hashable
    hope: Places | None = field(default_factory=dict)  #: the nodes that could help since one was tried; None for any
    first: Waiting | None = None  #: the one that is tried for all, from the moment when it may be
    said: str = ""  #: why no node would take the last one that was tried
    _resting: dict[Key, Waiting] = field(default_factory=dict)
    _line: list[tuple[float, int, Key]] = field(default_factory=list)  # a heap, also with those that have left
    _joined: int = 0

    def __len__(self) -> int:
        return len(self._resting) + (self.first is not None)

    def example(self) -> Pod:
        """Any of its pods."""
        return next(iter(self._resting.values())).pod if self.first is None else self.first.pod

    def resting(self) -> list[Waiting]:
        """All but the first."""
        return [*self._resting.values()]

    def expects(self, place: str) -> bool:
        """Whether it hopes for a node already; "" for any."""
        return self.hope is None or place in self.hope

    def hopes(self, places: Places | None) -> None:
        """Have one look at nodes that could help; None for any."""
        self.hope = None if places is None or self.hope is None else self.hope | places

    def join(self, waiting: Waiting) -> None:
        """Take in a pod that was tried in vain."""
        key = key_of(waiting.pod)
        waiting.crowd, self._resting[key] = self, waiting
        self._joined += 1
        heapq.heappush(self._line, (waiting.not_before, self._joined, key))

    def leave(self, waiting: Waiting) -> None:
        """Let a pod go. What it was to look at is left to the others."""
        waiting.crowd = None
        self._resting.pop(key_of(waiting.pod), None)
        if self.first is waiting:
            self.first = None
            if not waiting.turn:
                self.hopes(waiting.places)

    def next(self) -> Waiting | None:
        """Who is to be tried: the one whose back-off is over first; None when nobody is or somebody has begun."""
        if self.first is not None or self.hope == {}:
            return None
        while self._line:
            not_before, _, key = self._line[0]
            found = self._resting.get(key)
            if found is not None and found.not_before == not_before:
                return found
            heapq.heappop(self._line)
        return None

    def begin(self, waiting: Waiting) -> None:
        """Have a pod tried for all."""
        self.first = self._resting.pop(key_of(waiting.pod))
