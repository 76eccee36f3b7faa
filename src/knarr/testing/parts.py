"""What runs of a test's cluster: API server, controllers, scheduler and simulated nodes, begun and ended together.

`cluster.Cluster` makes one, and another after a checkpoint: a process that dies leaves its store and its machines.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from knarr.client.api import Api
from knarr.client.informer import WATCH_SECONDS, Informers
from knarr.client.transport import InProcess, Request, Response, User
from knarr.kinds.first_objects import NAMESPACES, cluster_wide
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.core_v1 import Namespace, ServiceAccount
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.events import AT_ONCE, Recorder
from knarr.loop.runner import Context, Controller, run
from knarr.meta.errors import AlreadyExists
from knarr.node.simulation.nodes import SimulatedNodes
from knarr.registry.core import BOOKMARK_EVERY
from knarr.registry.registry import Registry
from knarr.server.handler import Handler
from knarr.server.server import Settings, build
from knarr.store.store import Store
from knarr.testing.faults import Faulty
from knarr.testing.fork import Machine, plan_of

HEARTBEAT = 10.0  #: seconds between two of a node, as in any cluster
#: what is written for ever: heartbeats, and events, which are told later than what they tell of
RESTLESS = ("/registry/coordination.k8s.io/leases/", "/registry/core/nodes/", "/registry/core/events/")

Controllers = Callable[[], Iterable[Controller]]  #: makes them, with empty memories
Service = Callable[[Context], Coroutine[Any, Any, None]]  #: the scheduler, and what else runs on a context


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a cluster is made of, as `Cluster` explains it."""

    whole: bool
    controllers: Iterable[Controller] | Controllers
    services: Sequence[Service]
    workers: int
    heartbeat: float
    dual_stack: bool


class Parts:
    """The parts of one cluster. `faults` is the controllers' way to the server; `broke` is called when a part fails by
    itself.
    """

    context: Context
    registry: Registry
    handler: Handler
    nodes: SimulatedNodes

    def __init__(
        self, recipe: Recipe, store: Store, machines: Mapping[str, Machine], faults: Faulty, broke: Callable[[], None]
    ) -> None:
        self.recipe, self.store, self.machines, self.faults = recipe, store, machines, faults
        self.last_write = asyncio.get_running_loop().time()  #: when the last was that is not made for ever
        self._broke = broke
        self._work: asyncio.Task[None] | None = None

    async def begin(self, settings: Settings | None) -> None:
        """Begin everything; return when it runs. A failure is raised here."""
        started = asyncio.get_running_loop().create_future()
        self._work = asyncio.create_task(self._be(started, settings), name="cluster")
        await asyncio.wait([self._work, started], return_when=asyncio.FIRST_COMPLETED)
        if self._work.done():
            await self._work
        self._work.add_done_callback(self._ended)

    async def end(self) -> None:
        """End everything, and return when it has."""
        if self._work is not None:
            self._work.remove_done_callback(self._ended)
            self._work.cancel()
            await asyncio.wait([self._work])

    @property
    def failure(self) -> BaseException | None:
        """What broke a part, which ends all of them."""
        if self._work is None or not self._work.done() or self._work.cancelled():
            return None
        return self._work.exception()

    def _ended(self, work: asyncio.Task[None]) -> None:
        if self.failure is not None:
            self._broke()

    async def _be(self, started: asyncio.Future[None], settings: Settings | None) -> None:
        slower = self.recipe.heartbeat / HEARTBEAT
        ranges = plan_of(dual_stack=self.recipe.dual_stack).service_ranges
        self.registry = Registry(self.store, BUILTIN, service_ranges=ranges, bookmarks=BOOKMARK_EVERY * slower)
        await self.registry.start()
        self.handler = build(self.registry, settings)
        flaky = Api(self.faults, BUILTIN, user_agent="knarr")
        kubelets = Api(InProcess(self.handle, User(name="system:admin")), BUILTIN, user_agent="kubelet")
        try:
            last = WATCH_SECONDS * slower
            async with (
                Informers(flaky, last) as informers,
                Informers(kubelets, last) as seen,
                asyncio.TaskGroup() as group,
            ):
                self.context = Context(flaky, informers, Recorder(flaky, "knarr", together=AT_ONCE))
                self.nodes = SimulatedNodes([each.config for each in self.machines.values()], self._wire, seen)
                self.handler.metrics_api.local = self.nodes.summary
                tasks: list[asyncio.Task[None]] = []
                try:
                    await self._begin(lambda name, work: tasks.append(group.create_task(work, name=name)))
                    if not started.done():
                        started.set_result(None)
                    await asyncio.Event().wait()
                finally:
                    for task in tasks:  # in their order: a group cancels in any
                        task.cancel()
        finally:
            await self.registry.stop()

    async def _begin(self, start: Callable[[str, Coroutine[Any, Any, None]], None]) -> None:
        start("writes", self._follow_writes())
        api = Api(InProcess(self.handle, User(name="system:admin")), BUILTIN, user_agent="knarr")
        for obj in self._first_objects():
            with suppress(AlreadyExists):
                await api.create(obj)
        start("events", self.context.recorder.run())
        for controller in self._controllers():
            start(controller.name, run(controller, self.context, self.recipe.workers))
        for number, service in enumerate(self.recipe.services):
            start(f"service {number}", service(self.context))
        if self.machines:
            start("nodes", self._run_nodes())
            await self.nodes.started.wait()

    async def _run_nodes(self) -> None:
        late = [name for name, known in self.machines.items() if known.cut and not known.stopped]
        for name, known in self.machines.items():
            each = self.nodes.machines[name]
            each.runtime, each.wire.cut, each.off = known.runtime, known.cut, known.cut or known.stopped
        async with asyncio.TaskGroup() as group:
            group.create_task(self.nodes.run())
            await self.nodes.started.wait()
            for name in late:  # nobody waits for those: they cannot register
                await self.nodes.start(name)

    def _controllers(self) -> Iterable[Controller]:
        given = self.recipe.controllers
        return given() if callable(given) else given

    async def handle(self, request: Request) -> Response:
        """What the API server answers."""
        return await self.handler.handle(request)

    def _wire(self, name: str) -> InProcess:
        groups = ("system:nodes", "system:authenticated")
        return InProcess(self.handle, User(name=f"system:node:{name}", groups=groups))

    def _first_objects(self) -> Iterable[Any]:
        if self.recipe.whole:
            yield from cluster_wide()
            return
        for name in NAMESPACES:
            yield Namespace(metadata=ObjectMeta(name=name))
            yield ServiceAccount(metadata=ObjectMeta(name="default", namespace=name))

    async def _follow_writes(self) -> None:
        loop = asyncio.get_running_loop()
        async for events in self.store.watch("", after=self.store.revision):
            if any(not event.key.startswith(RESTLESS) for event in events):
                self.last_write = loop.time()
