"""The pods that wait for a node: those to try now, by priority and age, and those that nothing has helped yet.

A pod that no node would take rests until something happens that could help, and then at least for its back-off:
short at first, doubling with every try. What nothing wakes is tried again after five minutes, together with
others (as upstream).
"""

import asyncio
import heapq
import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from knarr.kinds.types.core_v1 import Pod
from knarr.scheduler.board import Key, key_of
from knarr.scheduler.likeness import likeness

FIRST_DELAY, LONGEST_DELAY = 0.1, 10.0  #: seconds; upstream begins at one, which a volume just bound would wait out
PATIENCE = 300.0  #: seconds a pod rests at most,
ROUND = 30.0  #: and then until all are tried whose time came within these seconds: one answer may serve many


@dataclass(slots=True)
class Waiting:
    """A pod in the queue, or just taken from it."""

    pod: Pod
    tries: int = 0
    not_before: float = 0.0  #: the loop's time
    resting: bool = False
    due: bool = False  #: woken, and tried again as soon as its back-off is over
    order: int = 0
    places: set[str] | None = None  #: the nodes that could help it since it was tried; None for any
    alike: bytes | None = None  #: its likeness, once it has been tried; None for a pod like no other
    group: Hashable = None  #: of those that rest and are alike; None while it does not rest


class Queue:
    def __init__(self, apart: Collection[Key] = ()) -> None:
        """`apart`: the pods that are like no other for now, whatever they ask for."""
        self._apart = apart
        self._waiting: dict[Key, Waiting] = {}
        self._resting: dict[Hashable, dict[Key, Waiting]] = {}  # and not due; those that are alike together
        self._stirred: dict[Key, Waiting] = {}  # those that were tried and are to be tried again
        self._ready: list[tuple[int, int, Key]] = []
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._count = count()
        self._wakeup = asyncio.Event()
        self.moves = 0  #: how often something happened that could help

    def __len__(self) -> int:
        return len(self._waiting)

    def holds(self, waiting: Waiting) -> bool:
        """Whether a pod that was taken from the queue still waits for a node."""
        return self._waiting.get(key_of(waiting.pod)) is waiting

    def put(self, pod: Pod) -> None:
        """Have a pod tried; one that waits already is tried again if what it asks for has changed."""
        key = key_of(pod)
        known = self._waiting.get(key)
        if known is None or known.pod.metadata.uid != pod.metadata.uid:
            self.drop(key)
            self._waiting[key] = Waiting(pod, order=next(self._count))
            self._push(key)
            return
        changed = known.pod.spec != pod.spec or known.pod.metadata.labels != pod.metadata.labels
        known.pod = pod
        if changed or pod.status.nominatedNodeName:
            known.alike = None
            if known.group is not None:
                self._rests(key, known)
        if changed:
            known.places = None
            if known.resting:
                self._wake(key)

    def drop(self, key: Key) -> None:
        """Forget a pod: it is gone, or has its node."""
        if (waiting := self._waiting.pop(key, None)) is not None:
            self._stirs(key, waiting)
            self._stirred.pop(key, None)
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()

    async def get(self) -> tuple[Waiting, int]:
        """The next pod to try, and how often something that could help has happened so far."""
        while True:
            while not self._ready:
                self._wakeup.clear()
                await self._wakeup.wait()
            _, order, key = heapq.heappop(self._ready)
            found = self._waiting.get(key)
            if found is not None and found.order == order and not found.resting:
                return found, self.moves

    def rest(self, waiting: Waiting, seen: int) -> None:
        """Put back a pod that no node would take; `seen` is what `get` gave with it."""
        if not self.holds(waiting):
            return
        key = key_of(waiting.pod)
        loop = asyncio.get_running_loop()
        waiting.resting, waiting.due, waiting.places = True, False, None
        waiting.not_before = loop.time() + min(FIRST_DELAY * 2.0 ** min(waiting.tries, 30), LONGEST_DELAY)
        waiting.tries += 1
        waiting.alike = waiting.alike or likeness(waiting.pod)
        self._rests(key, waiting)
        if self.moves != seen:
            self._wake(key)
        else:
            self._set_timer(key, math.ceil((loop.time() + PATIENCE) / ROUND) * ROUND)

    def retry(self, waiting: Waiting) -> None:
        """Put back a pod that a failure kept from its node: it is tried again after its back-off."""
        self.rest(waiting, self.moves - 1)

    def wake(self, helps: Callable[[Pod], bool], place: str = "") -> None:
        """Say that something happened that could help those of the pods that rest, on a node or, "", anywhere.

        Of pods that are alike one is asked about.
        """
        self.moves += 1
        answers: dict[bytes, bool] = {}

        def is_helped(key: Key, waiting: Waiting) -> bool:
            alike = waiting.alike
            if alike is None or key in self._apart:
                return helps(waiting.pod)
            if (answer := answers.get(alike)) is None:
                answer = answers[alike] = helps(waiting.pod)
            return answer

        stirred = [*self._stirred.items()]  # whoever was not tried yet looks everywhere anyway
        helped = [key for group in self._resting.values() for key in self._helped(group, is_helped)]
        for key in sorted(helped, key=lambda key: self._waiting[key].order):
            self._waiting[key].places = {place} if place else None
            self._wake(key)
        for key, waiting in stirred:
            if waiting.places is None:
                continue  # it looks everywhere anyway
            if place:
                waiting.places.add(place)
            elif is_helped(key, waiting):
                waiting.places = None

    def _helped(self, group: Mapping[Key, Waiting], is_helped: Callable[[Key, Waiting], bool]) -> list[Key]:
        """Those of a group whom something helps. Nobody is looked at for whom the answer is known."""
        apart = [key for key in self._apart if key in group]
        one = next(((key, waiting) for key, waiting in group.items() if key not in apart), None)
        found = [key for key in group if key not in apart] if one is not None and is_helped(*one) else []
        return found + [key for key in apart if is_helped(key, group[key])]

    def wake_these(self, keys: Iterable[Key]) -> None:
        """Say that something happened that could help these, wherever."""
        self.moves += 1
        for waiting in filter(None, map(self._waiting.get, keys)):
            waiting.places = None
            if waiting.resting and not waiting.due:
                self._wake(key_of(waiting.pod))

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _wake(self, key: Key) -> None:
        waiting = self._waiting[key]
        waiting.due = True
        self._stirs(key, waiting)
        if asyncio.get_running_loop().time() >= waiting.not_before:
            self._due(key)
        else:
            self._set_timer(key, waiting.not_before)

    def _rests(self, key: Key, waiting: Waiting) -> None:
        """Put a pod with those that rest and are alike."""
        self._stirs(key, waiting)
        del self._stirred[key]
        waiting.group = waiting.alike or key
        self._resting.setdefault(waiting.group, {})[key] = waiting

    def _stirs(self, key: Key, waiting: Waiting) -> None:
        """Take a pod away from those that rest."""
        self._stirred[key] = waiting
        if waiting.group is None:
            return
        group = self._resting[waiting.group]
        del group[key]
        if not group:
            del self._resting[waiting.group]
        waiting.group = None

    def _set_timer(self, key: Key, when: float) -> None:
        if (old := self._timers.pop(key, None)) is not None:
            old.cancel()
        self._timers[key] = asyncio.get_running_loop().call_at(when, self._due, key)

    def _due(self, key: Key) -> None:
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        waiting = self._waiting[key]
        waiting.resting = False
        self._stirs(key, waiting)
        waiting.order = next(self._count)
        self._push(key)

    def _push(self, key: Key) -> None:
        waiting = self._waiting[key]
        heapq.heappush(self._ready, (-(waiting.pod.spec.priority or 0), waiting.order, key))
        self._wakeup.set()
