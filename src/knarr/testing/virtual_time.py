"""An event loop on virtual time: when nothing is left to do, its clock jumps to the next timer.

A whole cluster on the memory store with simulated nodes runs on it: hours pass in moments, and the same seed gives the
same history, byte for byte. What would go to a thread is done on the loop, in its turn: threads end in any order.
Real sockets have no place on it: nobody would wait for them.
"""

import asyncio
import copy
import heapq
import itertools
import math
import random
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Executor
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

from knarr.meta import clock

T = TypeVar("T")

NANOSECOND = 1e-9
EPOCH = 1767225600.0  #: virtual time begins at 2026-01-01T00:00:00Z


@dataclass
class Skew:
    """By how many seconds the clock of some tasks is ahead."""

    seconds: float = 0.0

    def reset(self) -> None:
        self.seconds = 0.0


RIGHT = Skew()
SKEW: ContextVar[Skew] = ContextVar("skew", default=RIGHT)  #: what the running task's clock is off by


class Stuck(RuntimeError):
    """Every task waits and no timer is set: nothing will ever happen again."""


class VirtualSelector(selectors.SelectSelector):
    """Instead of waiting for a time-out it moves the clock."""

    def __init__(self, time: float) -> None:
        super().__init__()
        self.time = time
        self.held = False  #: the clock stands still, and what comes from other threads is waited for
        self.idle: list[asyncio.Future[None]] = []  #: told when nothing is left to do at this moment

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0 and len(self._fd_to_key) == 1:  # type: ignore[attr-defined]  # the base class's
            return []  # the one is what wakes the loop, which is awake: the system need not be asked
        events = super().select(0)
        if events or timeout == 0:
            return events
        if self.idle:
            told, self.idle = self.idle, []
            for waiter in told:
                if not waiter.done():
                    waiter.set_result(None)
            return []
        if self.held:
            return super().select(None)
        if timeout is None:
            raise Stuck("every task waits and no timer is set")
        self.time += timeout
        return []


class Timer(asyncio.TimerHandle):
    """Timers of one moment come in the order in which they were set. A deep copy waits to be adopted by a loop."""

    __slots__ = ("number",)
    number: int
    # of the base class, where typeshed does not tell of them
    _when: float
    _scheduled: bool
    _cancelled: bool
    _callback: Callable[..., object]
    _args: tuple[Any, ...]
    _context: Context

    def __lt__(self, other: "Timer") -> bool:  # type: ignore[override]  # a loop has no others
        mine, theirs = self._when, other._when
        return mine < theirs or (mine == theirs and self.number < other.number)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Timer":
        callback, arguments = copy.deepcopy((self._callback, self._args), memo)
        twin = Timer(self._when, callback, arguments, asyncio.get_running_loop(), self._context.copy())
        twin.number, twin._scheduled, twin._cancelled = self.number, self._scheduled, self._cancelled
        return twin

    @property
    def pending(self) -> bool:
        """Whether it is still to come."""
        return self._scheduled and not self._cancelled


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. Its clock begins at `time` seconds after the epoch."""

    def __init__(self, time: float = 0.0) -> None:
        self._virtual = VirtualSelector(time)
        self._timers = itertools.count()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.time

    @property
    def _clock_resolution(self) -> float:
        """How near a timer is whose moment has come; a nanosecond added to half a year would change nothing."""
        return max(NANOSECOND, math.ulp(self._virtual.time))

    @_clock_resolution.setter
    def _clock_resolution(self, value: float) -> None:
        """The base class would set the real clock's."""

    def call_at(  # type: ignore[override]  # typeshed's signature needs 3.11's star in the callback
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = Timer(when, callback, args, self, context)
        self._set(timer)
        return timer

    def adopt(self, timers: Iterable[Timer]) -> None:
        """Have copied timers come here, each at its moment, in their order."""
        for timer in sorted(timers, key=lambda each: each.number):
            if timer.pending:
                self._set(timer)

    def _set(self, timer: Timer) -> None:
        timer.number, timer._scheduled = next(self._timers), True
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]  # the base class's heap

    def __deepcopy__(self, memo: dict[int, Any]) -> asyncio.AbstractEventLoop:
        """What refers to this loop refers, when it is copied, to the loop on which it is."""
        return asyncio.get_running_loop()

    def hold(self, held: bool = True) -> None:
        """Have the clock stand still, or go on: a thread that runs the loop for others then waits for them."""
        self._virtual.held = held
        self.call_soon_threadsafe(lambda: None)  # wakes it

    async def idle(self) -> None:
        """Return when nothing is left to do before the clock moves."""
        waiter = self.create_future()
        self._virtual.idle.append(waiter)
        await waiter

    def run_in_executor(  # type: ignore[override]  # typeshed's generic signature cannot be spelled in 3.11
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Do it here, at no virtual time: which of two threads ends first would be chance."""
        done: asyncio.Future[T] = self.create_future()
        self.call_soon(_carry_out, done, func, args)
        return done


def _carry_out(done: asyncio.Future[T], func: Callable[..., T], args: tuple[Any, ...]) -> None:
    if done.cancelled():
        return
    try:
        result = func(*args)
    except Exception as error:  # handed to the one who waits
        done.set_exception(error)
    else:
        done.set_result(result)


@dataclass(frozen=True)
class Moment:
    """A point of virtual time: seconds since the loop's epoch, and where the generator stands."""

    time: float
    chance: tuple[Any, ...]


@dataclass
class VirtualClock:
    """A `knarr.meta.clock.Clock` that follows a loop, with a generator of its own."""

    loop: asyncio.AbstractEventLoop
    seed: int = 0
    start: float = EPOCH
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def reseed(self, seed: int) -> None:
        """Begin anew with another seed."""
        self.seed = seed
        self.rng.seed(seed)

    def moment(self) -> Moment:
        """Where it stands."""
        return Moment(self.loop.time(), self.rng.getstate())

    def now(self) -> float:
        time = self.start + self.loop.time() + SKEW.get().seconds
        return round(time, 6)  # a sum just below the second would be one too early


class Driver:
    """A virtual loop with its clock for callers that are no coroutines: `run` by `run` its world goes on.

    Many can live in one thread, as forks do: a driver's clock is everybody's only while it runs. `start` goes on from
    a moment of another's.
    """

    def __init__(self, *, seed: int = 0, start: Moment | None = None) -> None:
        self._runner = asyncio.Runner(loop_factory=lambda: VirtualLoop(start.time if start is not None else 0.0))
        self.loop = self._runner.get_loop()
        self.clock = VirtualClock(self.loop, seed)
        if start is not None:
            self.clock.rng.setstate(start.chance)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, and with it whatever else is due on the loop meanwhile."""
        before = clock.use(self.clock)
        try:
            return self._runner.run(main)
        finally:
            clock.use(before)

    def close(self) -> None:
        """Cancel what still runs and end the loop."""
        before = clock.use(self.clock)
        try:
            self._runner.close()
        finally:
            clock.use(before)

    def __enter__(self) -> "Driver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def run(main: Coroutine[Any, Any, T], *, seed: int = 0, start: Moment | None = None) -> T:
    """Run a coroutine to its end on virtual time, from a `start` on; every random choice follows from the seed."""
    with Driver(seed=seed, start=start) as driver:
        return driver.run(main)


def virtual_loop() -> VirtualLoop | None:
    """The running loop, if it is on virtual time."""
    loop = asyncio.get_running_loop()
    return loop if isinstance(loop, VirtualLoop) else None


async def wait_until(
    condition: Callable[[], bool | Awaitable[bool]], timeout: float = 60.0, every: float = 0.05
) -> None:
    """Return when the condition holds; raise TimeoutError when it does not within `timeout` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while True:
        holds = condition()
        if isinstance(holds, Awaitable):
            holds = await holds
        if holds:
            return
        if loop.time() >= deadline:
            raise TimeoutError(f"not so within {timeout} s: {getattr(condition, '__doc__', None) or condition}")
        await asyncio.sleep(every)
