"""A cluster in this process for code that is no coroutine. `with Cluster() as cluster:` gives one.

The cluster lives on the loop of a thread of its own. So outside clients can reach it by a real TLS socket, also from
the test's own process, while the test waits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

from knarr.client.transport import Handle
from knarr.testing.blocking import BlockingVerbs
from knarr.testing.cluster import QUIET, Cluster
from knarr.testing.faults import Faulty
from knarr.testing.log import Log
from knarr.testing.notice import on_virtual_time
from knarr.testing.serving import Serving, prepare
from knarr.testing.thread import LoopThread
from knarr.testing.verbs import Verbs

T = TypeVar("T")
REPORTED = 60  #: lines of the log in a report


class Life:
    """A cluster's life on a thread's loop, from beginning to end in one task."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        start = cluster.start.moment if cluster.start is not None else None
        self.thread = LoopThread("knarr", virtual_time=cluster.virtual_time, seed=cluster.seed or 0, start=start)
        self.log = Log()
        self._serving: Serving | None = None
        self._stop: asyncio.Event
        self._task: asyncio.Task[None]

    def begin(self) -> None:
        prepare(self.cluster)
        self.thread.__enter__()
        try:
            self.thread.run(self._begin())
        except BaseException:
            self.thread.__exit__()
            raise

    def end(self) -> None:
        try:
            self.thread.run(self._end())
        finally:
            self.thread.__exit__()

    def serving(self) -> Serving:
        """The socket for outside clients, opened when first asked for."""
        return self._serving or self.thread.run(self._serve())

    async def _begin(self) -> None:
        self._stop = asyncio.Event()
        started = asyncio.Event()
        self._task = asyncio.create_task(self._live(started), name="cluster")
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait([self._task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            await self._task

    async def _live(self, started: asyncio.Event) -> None:
        async with self.cluster:
            if self.cluster.whole:
                await Verbs(self.cluster.api).wait("serviceaccount", "default")  # no pod is admitted before
            following = asyncio.create_task(self._follow(), name="log")
            try:
                started.set()
                await self._stop.wait()
            finally:
                following.cancel()
                if self._serving is not None:
                    await self._serving.close()

    async def _end(self) -> None:
        self._stop.set()
        await self._task

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        began, store = loop.time(), self.cluster.store
        async for writes in store.watch("", after=store.revision):
            self.log.take(loop.time() - began, writes)

    async def _serve(self) -> Serving:
        if self._serving is None:
            cluster = self.cluster
            handle: Handle = lambda request: cluster.handler.handle(request)  # noqa: E731 - the handler may change
            self._serving = await Serving.start(on_virtual_time(handle) if cluster.virtual_time else handle)
        return self._serving


class SyncCluster(BlockingVerbs):
    """A running cluster; every call waits until it is done, `aio` has the verbs for coroutines."""

    def __init__(self, cluster: Cluster) -> None:
        self._life = Life(cluster)
        self.thread = self._life.thread

    def __enter__(self) -> "SyncCluster":
        self._life.begin()
        cluster = self._life.cluster
        self.verbs = Verbs(cluster.api, waits=lambda: cluster.context.waits)
        return self

    def __exit__(self, *error: object) -> None:
        self._life.end()

    @property
    def url(self) -> str:
        """Where outside clients find the API server: https on loopback."""
        return self._life.serving().url

    @property
    def kubeconfig(self) -> Path:
        return self._life.serving().kubeconfig(self.namespace)

    def run(self, work: Callable[[Cluster], Awaitable[T]]) -> T:
        """Have a coroutine function do anything with the `Cluster`, on its loop: `cluster.api` has typed objects."""

        async def do() -> T:
            return await work(self._life.cluster)

        return self.thread.run(do())

    def settled(self, quiet: float = QUIET, timeout: float = 3600.0) -> None:
        """Return when nothing was written for `quiet` seconds, heartbeats and events aside."""
        self.run(lambda cluster: cluster.settled(quiet, timeout))

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Move virtual time by exactly that much; everything that is due until then happens."""
        self.run(lambda cluster: cluster.advance(days=days, hours=hours, minutes=minutes, seconds=seconds))

    def fork(self) -> "SyncCluster":
        """A copy of the cluster as it is now, to be entered with `with`; it goes on by itself, as this one does.

        Servers, controllers and agents of both begin anew. On virtual time only.
        """
        cluster = self._life.cluster
        return SyncCluster(cluster.going_on_from(self.thread.run(cluster.checkpoint())))

    def start_node(self, name: str) -> None:
        """Start a node's agent."""
        self.run(lambda cluster: cluster.start_node(name))

    def stop_node(self, name: str) -> None:
        """Stop a node's agent as a crash would; its pods run on."""
        self.run(lambda cluster: cluster.stop_node(name))

    def partition_node(self, name: str) -> None:
        """Cut a node off from the API server; its agent and its pods run on."""
        self.run(lambda cluster: cluster.partition_node(name))

    def heal_node(self, name: str) -> None:
        """Reconnect a node."""
        self.run(lambda cluster: cluster.heal_node(name))

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes."""
        return tuple(self._life.cluster.machines)

    @cached_property
    def faults(self) -> Faulty:
        """What makes requests of the controllers fail; its methods take effect on the cluster's loop."""
        return cast(Faulty, _OnLoop(self._life.cluster.faults, self.thread))

    @property
    def log(self) -> list[str]:
        """What happened, the oldest first: seconds since the beginning, and each write or event."""
        return self._life.log.lines()

    def what_happened(self) -> str:
        lines = self.log
        with suppress(Exception):  # the test's own failure is what matters
            waits = self.run(_waits)
            lines = [*lines[-REPORTED:], *(["what controllers wait for:", *waits] if waits else [])]
        return "\n".join(lines[-2 * REPORTED :])


async def _waits(cluster: Cluster) -> list[str]:
    return cluster.context.waits.lines()


class _OnLoop:
    """An object whose methods are called on a loop's thread."""

    def __init__(self, target: Any, thread: LoopThread) -> None:
        self._target, self._thread = target, thread

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            async def do() -> Any:
                return found(*args, **kwargs)

            return self._thread.run(do())

        return call
