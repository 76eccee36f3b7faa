"""A cluster in one process for tests: memory store, registry, API handler, controllers, simulated nodes.

    async with Cluster() as cluster:                                    # everything `knarr up` runs, and a node
    async with Cluster([statefulset.controller()], nodes=3) as cluster: # this controller alone, on three nodes
        await cluster.apply(manifest)
        await cluster.settled()
        pods = await cluster.api.list(Pod, "default")

On `knarr.testing.virtual_time` it is deterministic and takes no real time. `cluster.faults` makes requests of the
controllers fail; `cluster.api` is the test's own, sound client.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from knarr.client.api import Api
from knarr.client.informer import WATCH_SECONDS, Informers
from knarr.client.transport import InProcess, Request, Response, User
from knarr.controllers import roster
from knarr.kinds.first_objects import NAMESPACES, cluster_wide
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.core_v1 import Namespace, ServiceAccount
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.events import Recorder
from knarr.loop.runner import Context, Controller, run
from knarr.meta import clock
from knarr.meta.errors import AlreadyExists
from knarr.node.simulation.nodes import SimulatedNodes
from knarr.registry.core import BOOKMARK_EVERY
from knarr.registry.registry import Registry
from knarr.scheduler import scheduler
from knarr.server.handler import Handler
from knarr.server.server import Settings, build
from knarr.store.memory import MemoryStore
from knarr.store.store import Store
from knarr.testing import first_roles
from knarr.testing.faults import Faulty
from knarr.testing.fork import Checkpoint, Machine, machine, plan_of
from knarr.testing.manifests import post, trees
from knarr.testing.virtual_time import VirtualClock, VirtualLoop, virtual_loop

if TYPE_CHECKING:
    from knarr.testing.sync import SyncCluster

HEARTBEAT = 10.0  #: seconds between two of a node, as in any cluster
LONG, TOLD = 86400.0, 20  #: seconds of a way that is told of, and in how many parts
QUIET = 3.0  #: seconds without a write after which the cluster has settled
#: what is written for ever: heartbeats, and events, which are told later than what they tell of
RESTLESS = ("/registry/coordination.k8s.io/leases/", "/registry/core/nodes/", "/registry/core/events/")
#: what pods are told to trust; nobody serves with it
AUTHORITY = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"

log = logging.getLogger(__name__)

Controllers = Callable[[], Iterable[Controller]]  #: makes them, with empty memories
Service = Callable[[Context], Coroutine[Any, Any, None]]  #: the scheduler, and what else runs on a context


def whole(heartbeat: float = HEARTBEAT) -> Iterable[Controller]:
    """All controllers of the product."""
    return (*roster.controllers(AUTHORITY, heartbeat), *roster.of_server())


class Cluster:
    """A cluster of one's own. Shapes and defaults:

    `controllers`, None: all of the product's, the scheduler and what a cluster has from its first second; else these
    alone, or those that a function makes. `services`: coroutine functions such as the scheduler's `run`, None: as the
    controllers say. `nodes`: how many simulated ones, None: one in a whole cluster, else none. `store`: the caller's
    own, who closes it.
    `virtual_time`: refuse to run on anything but a virtual loop, which `knarr.testing.virtual_time.run` and, without
    `async`, this class's own `with` make. `seed`: of every random choice, on virtual time only. `heartbeat`: seconds
    between a node's; what a cluster does for ever (leases, statuses, bookmarks, watches that begin anew) and how long
    a node may be silent are so many times as long as usual. 3600 lets an idle year cost little. `dual_stack`: services
    can have an address of IPv6 beside that of IPv4, and pods do.
    """

    def __init__(
        self,
        controllers: Iterable[Controller] | Controllers | None = None,
        nodes: int | None = None,
        *,
        virtual_time: bool = False,
        seed: int | None = None,
        services: Sequence[Service] | None = None,
        store: Store | None = None,
        workers: int = 5,
        start: Checkpoint | None = None,
        heartbeat: float = HEARTBEAT,
        dual_stack: bool = False,
    ) -> None:
        if heartbeat < 1:
            raise ValueError(f"heartbeat {heartbeat}: must be 1 second or more")
        if seed is not None and not virtual_time:
            raise ValueError(f"seed {seed}: chance follows a seed on virtual time only; say virtual_time=True")
        self.whole = controllers is None
        self.virtual_time, self.seed = virtual_time, seed
        self.heartbeat, self.dual_stack = heartbeat, dual_stack
        self._controllers = partial(whole, heartbeat) if controllers is None else controllers
        self._services = services if services is not None else (scheduler.run,) if self.whole else ()
        self._workers, self._store = workers, store
        self.start = start
        self.settings: Settings | None = None  #: of the API server: the keys of its tokens, the way to the agents
        self._in_thread: SyncCluster | None = None
        count = nodes if nodes is not None else int(self.whole)
        #: what lasts when an agent is stopped: `machines[name].runtime` has the pods
        self.machines: dict[str, Machine] = {
            f"node-{n}": machine(n, heartbeat, dual_stack=dual_stack) for n in range(count)
        }
        self._owner: asyncio.Task[Any] | None = None  # whom the failure of a part is told
        self._parts: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Cluster":
        self._choose_time()
        self.store: Store = self._store or (MemoryStore() if self.start is None else self.start.store.copy())
        if self.start is not None:
            self.machines = self.start.copied_machines()
        elif self.whole and not self.store.revision:
            await first_roles.lay(self.store)
        self.api = self.client("system:admin")
        self.faults = Faulty(InProcess(self._handle))
        self._owner = asyncio.current_task()
        await self._run_parts()
        if self.start is not None:
            await self._virtual().idle()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failure = self.failure
        self._owner = None
        try:
            await self._stop_parts()
        finally:
            if self._store is None:
                await self.store.close()
        if failure is not None and (kind is None or issubclass(kind, asyncio.CancelledError)):
            if (task := asyncio.current_task()) is not None and task.cancelling():
                task.uncancel()  # it was the failure that cancelled
            raise failure

    def __enter__(self) -> "SyncCluster":
        """The cluster on a thread of its own, for code that is no coroutine: `with Cluster() as cluster`."""
        from knarr.testing.sync import SyncCluster

        self._in_thread = SyncCluster(self)
        return self._in_thread.__enter__()

    def __exit__(self, *error: object) -> None:
        assert self._in_thread is not None, "only called after __enter__"
        self._in_thread.__exit__(*error)

    @property
    def failure(self) -> BaseException | None:
        """What broke a part of the cluster, which ends all of them; a broken cluster is left with it."""
        if self._parts is None or not self._parts.done() or self._parts.cancelled():
            return None
        return self._parts.exception()

    def going_on_from(self, checkpoint: Checkpoint) -> "Cluster":
        """A cluster of the same parts, not begun yet, that goes on from a checkpoint of this one."""
        return Cluster(
            None if self.whole else self._controllers,
            virtual_time=True,
            services=self._services,
            workers=self._workers,
            start=checkpoint,
            heartbeat=self.heartbeat,
            dual_stack=self.dual_stack,
        )

    async def checkpoint(self) -> Checkpoint:
        """What the cluster is like at this moment, for others to go on from; on virtual time.

        All its parts, server, controllers, scheduler and agents, end and begin again with empty memories, here as in
        whoever goes on from the checkpoint: so both are the same, and what they do next is.
        """
        loop = self._virtual()
        if not callable(self._controllers):
            raise RuntimeError("controllers cannot be begun anew: give a function that makes them, or none for all")
        await loop.idle()
        await self._stop_parts()
        taken = Checkpoint.take(self.store, self.machines)
        await self._run_parts()
        await loop.idle()
        return taken

    def client(self, user: str, *groups: str, agent: str = "knarr") -> Api:
        """A client of the cluster; without groups it may do everything."""
        named = User(name=user, groups=(*groups, "system:authenticated") if groups else User().groups)
        return Api(InProcess(self._handle, named), BUILTIN, user_agent=agent)

    async def apply(self, *manifests: str | Any, namespace: str = "default") -> None:
        """Create or change what the manifests say: YAML of any number of objects, or objects."""
        for manifest in manifests:
            for tree in trees(manifest):
                await post(self.api, tree, namespace)

    async def settled(self, quiet: float = QUIET, timeout: float = 3600.0) -> None:
        """Return when nothing was written for `quiet` seconds, heartbeats and events aside."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        self._last_write = loop.time()
        while (left := self._last_write + quiet - loop.time()) > 0:
            if loop.time() > deadline:
                raise TimeoutError(f"the cluster did not settle within {timeout} s")
            await asyncio.sleep(left)

    async def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Move virtual time by exactly that much; everything that is due until then, and at that moment, happens.

        More than a day's way is told of in parts, by the logger `knarr.testing.cluster` at level INFO."""
        loop = self._virtual()
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        if span < 0:
            raise ValueError(f"time goes forward only, not by {span} s")
        began, parts = loop.time(), TOLD if span > LONG else 1
        for part in range(1, parts + 1):
            await asyncio.sleep(began + span * part / parts - loop.time())
            if parts > 1:
                log.info("virtual time is %s: %d of %d parts of the way", clock.timestamp(), part, parts)
        await loop.idle()

    async def start_node(self, name: str) -> None:
        """Start a node's agent; return when the node is registered and knows its pods. KeyError: no such node."""
        self.machines[name].stopped = False
        await self._nodes.start(name)
        agent = self._nodes.machines[name].agent
        if agent is not None and not self.machines[name].cut:
            await asyncio.wait([agent.joining])

    async def stop_node(self, name: str) -> None:
        """Stop a node's agent as a crash would; its pods run on."""
        self.machines[name].stopped = True
        await self._nodes.stop(name)

    async def partition_node(self, name: str) -> None:
        """Cut a node off from the API server; its pods run on, and its agent."""
        self.machines[name].cut = True
        await self._nodes.partition(name)

    async def heal_node(self, name: str) -> None:
        """Reconnect a node."""
        self.machines[name].cut = False
        await self._nodes.heal(name)

    # ------------------------------------------------------------------- parts

    async def _run_parts(self) -> None:
        """Begin everything; return when it runs. A failure is raised here."""
        self._last_write = asyncio.get_running_loop().time()
        started = asyncio.get_running_loop().create_future()
        self._parts = asyncio.create_task(self._be(started), name="cluster")
        await asyncio.wait([self._parts, started], return_when=asyncio.FIRST_COMPLETED)
        if self._parts.done():
            await self._parts
        self._parts.add_done_callback(self._ended)

    async def _stop_parts(self) -> None:
        if self._parts is not None:
            self._parts.remove_done_callback(self._ended)
            self._parts.cancel()
            await asyncio.wait([self._parts])

    def _ended(self, parts: asyncio.Task[None]) -> None:
        """Tell whoever uses the cluster that it broke, as a task group does."""
        if self.failure is not None and self._owner is not None:
            self._owner.cancel()

    async def _be(self, started: asyncio.Future[None]) -> None:
        slower = self.heartbeat / HEARTBEAT
        ranges = plan_of(dual_stack=self.dual_stack).service_ranges
        self.registry = Registry(self.store, BUILTIN, service_ranges=ranges, bookmarks=BOOKMARK_EVERY * slower)
        await self.registry.start()
        self.handler: Handler = build(self.registry, self.settings)
        flaky = Api(self.faults, BUILTIN, user_agent="knarr")
        kubelets = self.client("system:admin", agent="kubelet")
        try:
            last = WATCH_SECONDS * slower
            async with (
                Informers(flaky, last) as informers,
                Informers(kubelets, last) as seen,
                asyncio.TaskGroup() as group,
            ):
                self.context = Context(flaky, informers, Recorder(flaky, "knarr"))
                self._nodes = SimulatedNodes([each.config for each in self.machines.values()], self._wire, seen)
                self.handler.metrics_api.local = self._nodes.summary
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
        for obj in self._first_objects():
            with suppress(AlreadyExists):
                await self.api.create(obj)
        start("events", self.context.recorder.run())
        for controller in self._controllers() if callable(self._controllers) else self._controllers:
            start(controller.name, run(controller, self.context, self._workers))
        for number, service in enumerate(self._services):
            start(f"service {number}", service(self.context))
        if self.machines:
            start("nodes", self._run_nodes())
            await self._nodes.started.wait()

    async def _run_nodes(self) -> None:
        late = [name for name, known in self.machines.items() if known.cut and not known.stopped]
        for name, known in self.machines.items():
            each = self._nodes.machines[name]
            each.runtime, each.wire.cut, each.off = known.runtime, known.cut, known.cut or known.stopped
        async with asyncio.TaskGroup() as group:
            group.create_task(self._nodes.run())
            await self._nodes.started.wait()
            for name in late:  # nobody waits for those: they cannot register
                await self._nodes.start(name)

    async def _handle(self, request: Request) -> Response:
        return await self.handler.handle(request)

    def _wire(self, name: str) -> InProcess:
        groups = ("system:nodes", "system:authenticated")
        return InProcess(self._handle, User(name=f"system:node:{name}", groups=groups))

    def _virtual(self) -> VirtualLoop:
        if (loop := virtual_loop()) is None:
            raise RuntimeError("real time can neither be moved nor copied: run the cluster on virtual time")
        return loop

    def _choose_time(self) -> None:
        if not self.virtual_time:
            return
        if virtual_loop() is None:
            raise RuntimeError(
                "virtual_time=True on a loop of real time: use knarr.testing.virtual_time.run, or `with`"
            )
        own = clock.current()
        if self.seed is not None and isinstance(own, VirtualClock):
            own.reseed(self.seed)

    def _first_objects(self) -> Iterable[Any]:
        if self.whole:
            yield from cluster_wide()
            return
        for name in NAMESPACES:
            yield Namespace(metadata=ObjectMeta(name=name))
            yield ServiceAccount(metadata=ObjectMeta(name="default", namespace=name))

    async def _follow_writes(self) -> None:
        loop = asyncio.get_running_loop()
        async for events in self.store.watch("", after=self.store.revision):
            if any(not event.key.startswith(RESTLESS) for event in events):
                self._last_write = loop.time()
