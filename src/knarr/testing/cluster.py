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
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from knarr.client.api import Api
from knarr.client.transport import InProcess, Request, Response, User
from knarr.controllers import roster
from knarr.kinds.table import BUILTIN
from knarr.loop.runner import Context, Controller
from knarr.meta import clock
from knarr.registry.registry import Registry
from knarr.scheduler import scheduler
from knarr.server.handler import Handler
from knarr.server.server import Settings
from knarr.store.memory import MemoryStore
from knarr.store.store import Store
from knarr.testing import first_roles
from knarr.testing.faults import Faulty
from knarr.testing.fork import Checkpoint, Machine, machine
from knarr.testing.manifests import post, trees
from knarr.testing.parts import HEARTBEAT, Controllers, Parts, Recipe, Service
from knarr.testing.virtual_time import VirtualClock, VirtualLoop, virtual_loop

if TYPE_CHECKING:
    from knarr.testing.sync import SyncCluster

LONG, TOLD = 86400.0, 20  #: seconds of a way that is told of, and in how many parts
QUIET = 3.0  #: seconds without a write after which the cluster has settled
#: what pods are told to trust; nobody serves with it
AUTHORITY = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"

log = logging.getLogger(__name__)


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
        self._recipe = Recipe(
            whole=self.whole,
            controllers=partial(whole, heartbeat) if controllers is None else controllers,
            services=services if services is not None else (scheduler.run,) if self.whole else (),
            workers=workers,
            heartbeat=heartbeat,
            dual_stack=dual_stack,
        )
        self._store = store
        self.start = start
        self.settings: Settings | None = None  #: of the API server: the keys of its tokens, the way to the agents
        self._in_thread: SyncCluster | None = None
        count = nodes if nodes is not None else int(self.whole)
        #: what lasts when an agent is stopped: `machines[name].runtime` has the pods
        self.machines: dict[str, Machine] = {
            f"node-{n}": machine(n, heartbeat, dual_stack=dual_stack) for n in range(count)
        }
        self._owner: asyncio.Task[Any] | None = None  # whom the failure of a part is told
        self._parts: Parts | None = None

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
        await self._begin()
        if self.start is not None:
            await self._virtual().idle()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failure = self.failure
        self._owner = None
        try:
            await self._running.end()
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
        return self._parts.failure if self._parts is not None else None

    @property
    def registry(self) -> Registry:
        return self._running.registry

    @property
    def handler(self) -> Handler:
        return self._running.handler

    @property
    def context(self) -> Context:
        """What the controllers work with."""
        return self._running.context

    def going_on_from(self, checkpoint: Checkpoint) -> "Cluster":
        """A cluster of the same parts, not begun yet, that goes on from a checkpoint of this one."""
        return Cluster(
            None if self.whole else self._recipe.controllers,
            virtual_time=True,
            services=self._recipe.services,
            workers=self._recipe.workers,
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
        if not callable(self._recipe.controllers):
            raise RuntimeError("controllers cannot be begun anew: give a function that makes them, or none for all")
        await loop.idle()
        await self._running.end()
        taken = Checkpoint.take(self.store, self.machines)
        await self._begin()
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
        parts = self._running
        parts.last_write = loop.time()
        while (left := parts.last_write + quiet - loop.time()) > 0:
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
        machine = self._machine(name)
        machine.stopped = False
        await self._running.nodes.start(name)
        agent = self._running.nodes.machines[name].agent
        if agent is not None and not machine.cut:
            await asyncio.wait([agent.joining])

    async def stop_node(self, name: str) -> None:
        """Stop a node's agent as a crash would; its pods run on."""
        self._machine(name).stopped = True
        await self._running.nodes.stop(name)

    async def partition_node(self, name: str) -> None:
        """Cut a node off from the API server; its pods run on, and its agent."""
        self._machine(name).cut = True
        await self._running.nodes.partition(name)

    async def heal_node(self, name: str) -> None:
        """Reconnect a node."""
        self._machine(name).cut = False
        await self._running.nodes.heal(name)

    def _machine(self, name: str) -> Machine:
        if (found := self.machines.get(name)) is None:
            raise KeyError(f"no node is called {name!r}; there are {', '.join(sorted(self.machines)) or 'none'}")
        return found

    async def _begin(self) -> None:
        self._parts = Parts(self._recipe, self.store, self.machines, self.faults, self._broke)
        await self._parts.begin(self.settings)

    def _broke(self) -> None:
        """Tell whoever uses the cluster that it broke, as a task group does."""
        if self._owner is not None:
            self._owner.cancel()

    @property
    def _running(self) -> Parts:
        assert self._parts is not None, "the cluster is used inside `with`"
        return self._parts

    async def _handle(self, request: Request) -> Response:
        return await self._running.handle(request)

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
