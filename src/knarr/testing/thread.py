"""An event loop in a thread of its own, for callers that are no coroutines, or run on another loop.

On virtual time the clock stands still until somebody calls: then it runs until that call is done. So what a test that
is no coroutine does is as deterministic as one that is. Sockets are served also while the clock stands.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from knarr.meta import clock
from knarr.testing.virtual_time import Moment, VirtualClock, VirtualLoop

T = TypeVar("T")


class Ended(RuntimeError):
    """The loop has ended, so nothing can be done on it."""


class LoopThread:
    """Start it with `with`; the end of the block ends the loop and waits for the thread."""

    def __init__(self, name: str, *, virtual_time: bool = False, seed: int = 0, start: Moment | None = None) -> None:
        self._virtual, self._seed, self._start = virtual_time, seed, start
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._ready = threading.Event()
        self._waiting: set[Future[Any]] = set()
        self._calls = 0  # that run now, on virtual time
        self._broken: BaseException | None = None

    def __enter__(self) -> "LoopThread":
        self._thread.start()
        self._ready.wait()
        if self._broken is not None:
            raise self._broken
        return self

    def __exit__(self, *error: object) -> None:
        if self._thread.is_alive() and self._broken is None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have a coroutine run there."""
        if self._broken is not None or not self._thread.is_alive():
            work.close()
            raise Ended("the cluster has ended") from self._broken
        future = asyncio.run_coroutine_threadsafe(self._in_time(work) if self._virtual else work, self._loop)
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        if self._broken is not None:
            self._give_up()
        return future

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have a coroutine run there and give what it returns. What interrupts the caller cancels it."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("this runs on the cluster's own loop: await, instead of a call that waits for the loop")
        future = self.submit(work)
        try:
            return future.result()
        except CancelledError:
            raise Ended("the cluster ended meanwhile") from self._broken
        except BaseException:
            future.cancel()
            raise

    def _live(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._factory()) as runner:
                self._loop = runner.get_loop()
                if isinstance(self._loop, VirtualLoop):
                    own = VirtualClock(self._loop, self._seed)
                    if self._start is not None:
                        own.rng.setstate(self._start.chance)
                    clock.use(own)
                    self._loop.hold()
                try:
                    runner.run(self._be())
                except BaseException as error:
                    self._broken = error  # before the runner cancels what others wait for
                    raise
        except BaseException as error:  # handed to whoever waits or calls
            self._broken = error
        finally:
            self._give_up()
            self._ready.set()

    async def _be(self) -> None:
        self._stop = asyncio.Event()
        self._ready.set()
        await self._stop.wait()

    def _factory(self) -> Callable[[], asyncio.AbstractEventLoop]:
        if self._virtual:
            began = self._start.time if self._start is not None else 0.0
            return lambda: VirtualLoop(began)
        import uvloop

        return uvloop.new_event_loop

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it when all that is due now is done, and let time go on meanwhile."""
        loop = self._loop
        assert isinstance(loop, VirtualLoop)
        try:
            await loop.idle()
        except BaseException:
            work.close()
            raise
        self._calls += 1
        loop.hold(False)
        try:
            return await work
        finally:
            self._calls -= 1
            if not self._calls:
                loop.hold()

    def _give_up(self) -> None:
        for future in list(self._waiting):
            future.cancel()
