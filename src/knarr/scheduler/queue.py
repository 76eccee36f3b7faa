"""The pods that wait for a node: those to try now, by priority and age, and those that nothing has helped yet.

A pod that no node would take rests until something happens that could help, and then at least for its back-off:
short at first, doubling with every try. Of pods that are alike one is tried, and the next when that one has found its
node, so what happens costs as much for a thousand as for one. What nothing wakes is tried again after five minutes,
together with others (as upstream), and so is whoever is like a pod of which something else is said by now.
"""

import asyncio
import heapq
import math
from collections.abc import Callable, Collection, Hashable, Iterable
from itertools import count

from knarr.kinds.types.core_v1 import Pod
from knarr.scheduler.board import Key, key_of
from knarr.scheduler.crowd import Crowd, Places, Waiting
from knarr.scheduler.likeness import likeness

FIRST_DELAY, LONGEST_DELAY = 0.1, 10.0  #: seconds; upstream begins at one, which a volume just bound would wait out
PATIENCE = 300.0  #: seconds a pod rests at most,
ROUND = 30.0  #: and then until all are tried whose time came within these seconds: one answer may serve many


class Queue:
    def __init__(self, apart: Collection[Key] = ()) -> None:
        """`apart`: the pods that are like no other for now, whatever they ask for."""
        self._apart = apart
        self._waiting: dict[Key, Waiting] = {}
        self._crowds: dict[Hashable, Crowd] = {}  # none is empty
        self._ready: list[tuple[int, int, Key]] = []
        self._timers: dict[tuple[str, Hashable], asyncio.TimerHandle] = {}  # by what they are for, and whom
        self._count = count(1)
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
            self._waiting[key] = Waiting(pod)
            self._push(key)
            return
        changed = known.pod.spec != pod.spec or known.pod.metadata.labels != pod.metadata.labels
        known.pod = pod
        if changed:
            known.alike = None
            self.wake_these([key])
        elif pod.status.nominatedNodeName:
            known.alike = None
            if (crowd := known.crowd) is not None and crowd.first is not known:
                self._leave(known)
                self._join(known, key, crowd.hope)

    def drop(self, key: Key) -> None:
        """Forget a pod: it is gone, or has its node."""
        if (waiting := self._waiting.pop(key, None)) is not None:
            self._leave(waiting)
        self._cancel(("one", key))

    async def get(self) -> tuple[Waiting, int]:
        """The next pod to try, and how often something that could help has happened so far.

        What becomes of it is said by `drop`, `settled`, `rest` or `retry`.
        """
        while True:
            while not self._ready:
                self._wakeup.clear()
                await self._wakeup.wait()
            _, turn, key = heapq.heappop(self._ready)
            found = self._waiting.get(key)
            if found is None or found.turn != turn:
                continue
            found.turn = 0
            if found.crowd is not None:
                found.places, found.crowd.hope = found.crowd.hope, {}
            return found, self.moves

    def settled(self, waiting: Waiting) -> None:
        """Say that a node was found for a pod: there may be one for those that are like it."""
        self._leave(waiting)

    def rest(self, waiting: Waiting, seen: int, said: str = "") -> None:
        """Put back a pod that no node would take; `seen` is what `get` gave with it, `said` is what is against it."""
        if not self.holds(waiting):
            return
        self._tried(waiting)
        key = key_of(waiting.pod)
        waiting.alike = waiting.alike or likeness(waiting.pod)
        name = key if key in self._apart else waiting.alike or key
        if (crowd := waiting.crowd) is not None and crowd.name == name:
            crowd.first = None
        else:
            self._leave(waiting)
        crowd = self._join(waiting, name, {} if self.moves == seen else None)
        if said and crowd.said != said:
            others = [other for other in crowd.resting() if other is not waiting] if crowd.said else []
            crowd.said = said
            for other in others:
                self._alone(other)

    def retry(self, waiting: Waiting) -> None:
        """Put back a pod that a failure kept from its node: it is tried again after its back-off."""
        if self.holds(waiting):
            self._tried(waiting)
            self._alone(waiting)

    def wake(self, helps: Callable[[Pod], bool], place: str = "") -> None:
        """Say that something happened that could help those of the pods that rest, on a node or, "", anywhere.

        Of pods that are alike one is asked about.
        """
        self.moves += 1
        for crowd in self._crowds.values():
            if not crowd.expects(place) and helps(crowd.example()):
                crowd.hopes({place: None} if place else None)
                self._stir(crowd)

    def wake_these(self, keys: Iterable[Key]) -> None:
        """Say that something happened that could help these, wherever."""
        self.moves += 1
        for waiting in filter(None, map(self._waiting.get, keys)):
            waiting.places = None
            if waiting.crowd is not None and (waiting.turn or waiting.crowd.first is not waiting):
                self._alone(waiting)

    def close(self) -> None:
        for name in [*self._timers]:
            self._cancel(name)

    # Those that rest

    def _tried(self, waiting: Waiting) -> None:
        now = asyncio.get_running_loop().time()
        waiting.not_before = now + min(FIRST_DELAY * 2.0 ** min(waiting.tries, 30), LONGEST_DELAY)
        waiting.tries += 1

    def _join(self, waiting: Waiting, name: Hashable, hope: Places | None) -> Crowd:
        """Have a pod rest with those that are like it; `hope` is what could help it where there is none yet."""
        if (crowd := self._crowds.get(name)) is None:
            crowd = self._crowds[name] = Crowd(name, hope)
        if ("all", name) not in self._timers:
            now = asyncio.get_running_loop().time()
            self._set_timer(("all", name), math.ceil((now + PATIENCE) / ROUND) * ROUND, self._all_alone, crowd)
        crowd.join(waiting)
        self._stir(crowd)
        return crowd

    def _leave(self, waiting: Waiting) -> None:
        """Take a pod away from those that are like it."""
        if (crowd := waiting.crowd) is not None:
            crowd.leave(waiting)
            waiting.turn = 0
            self._stir(crowd)

    def _stir(self, crowd: Crowd) -> None:
        """Have the next of a crowd tried if something could help it and its back-off is over."""
        self._cancel(("next", crowd.name))
        if not crowd:
            del self._crowds[crowd.name]
            self._cancel(("all", crowd.name))
        elif (waiting := crowd.next()) is not None:
            if asyncio.get_running_loop().time() < waiting.not_before:
                self._set_timer(("next", crowd.name), waiting.not_before, self._stir, crowd)
            else:
                crowd.begin(waiting)
                self._push(key_of(waiting.pod))

    def _all_alone(self, crowd: Crowd) -> None:
        """Have each of a crowd tried for itself: its events and its condition are renewed."""
        self._cancel(("all", crowd.name))
        for waiting in crowd.resting():
            self._alone(waiting)

    def _alone(self, waiting: Waiting) -> None:
        """Have a pod tried for itself, anywhere, when its back-off is over."""
        self._leave(waiting)
        key, waiting.places = key_of(waiting.pod), None
        if asyncio.get_running_loop().time() < waiting.not_before:
            self._set_timer(("one", key), waiting.not_before, self._push, key)
        else:
            self._push(key)

    def _set_timer(self, name: tuple[str, Hashable], when: float, act: Callable[..., None], of: object) -> None:
        self._cancel(name)
        self._timers[name] = asyncio.get_running_loop().call_at(when, act, of)

    def _cancel(self, name: tuple[str, Hashable]) -> None:
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()

    def _push(self, key: Key) -> None:
        self._cancel(("one", key))
        waiting = self._waiting[key]
        waiting.turn = next(self._count)
        heapq.heappush(self._ready, (-(waiting.pod.spec.priority or 0), waiting.turn, key))
        self._wakeup.set()
