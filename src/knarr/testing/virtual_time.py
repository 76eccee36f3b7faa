"""An event loop on virtual time: when nothing is left to do, its clock jumps to the next timer.

A whole cluster on the memory store with simulated nodes runs on it: hours pass in moments, and the same seed gives the
same story. Real sockets have no place on it: nobody would wait for them.
"""

import asyncio
import random
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from knarr.meta import clock

T = TypeVar("T")

EPOCH = 1767225600.0  #: virtual time begins at 2026-01-01T00:00:00Z


class Stuck(RuntimeError):
    """Every task waits and no timer is set: nothing will ever happen again."""


class VirtualSelector(selectors.SelectSelector):
    """Instead of waiting for a time-out it moves the clock; it waits only for threads at work."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.threads:
            return super().select(timeout if timeout == 0 else None)
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            raise Stuck("every task waits and no timer is set")
        self.time += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. Work in threads takes no virtual time."""

    def __init__(self) -> None:
        self._virtual = VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.time

    def run_in_executor(  # type: ignore[override]  # typeshed's generic signature cannot be spelled in 3.11
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        self._virtual.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        self._virtual.threads += 1  # the one that joins the others
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self._virtual.threads -= 1

    def _thread_done(self, future: asyncio.Future[Any]) -> None:
        self._virtual.threads -= 1


@dataclass
class VirtualClock:
    """A `knarr.meta.clock.Clock` that follows a loop, with a generator of its own."""

    loop: asyncio.AbstractEventLoop
    seed: int = 0
    start: float = EPOCH
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def now(self) -> float:
        return self.start + self.loop.time()


def run(main: Coroutine[Any, Any, T], *, seed: int = 0) -> T:
    """Run a coroutine to its end on virtual time; every random choice follows from the seed."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        before = clock.use(VirtualClock(runner.get_loop(), seed))
        try:
            return runner.run(main)
        finally:
            clock.use(before)


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
