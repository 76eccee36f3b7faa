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
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from knarr.client.api import JSON, PATCH_TYPES, Api
from knarr.client.codec import encode
from knarr.client.informer import Informers
from knarr.client.resource import of_kind
from knarr.client.transport import InProcess, User
from knarr.controllers import roster
from knarr.kinds.first_objects import NAMESPACES, cluster_wide
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.core_v1 import Namespace, ServiceAccount
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.events import Recorder
from knarr.loop.runner import Context, Controller, run
from knarr.meta import clock
from knarr.meta.errors import AlreadyExists
from knarr.node.agent import Agent
from knarr.node.config import NodeConfig
from knarr.node.runtimes.simulated import SimulatedRuntime
from knarr.registry.registry import Registry
from knarr.scheduler import scheduler
from knarr.server.handler import Handler
from knarr.server.server import build
from knarr.store.memory import open_memory
from knarr.store.store import Store
from knarr.testing.faults import Faulty
from knarr.testing.virtual_time import VirtualClock, virtual_loop

QUIET = 3.0  #: seconds without a write after which the cluster has settled
#: what is written for ever: heartbeats, and events, which are told later than what they tell of
RESTLESS = ("/registry/coordination.k8s.io/leases/", "/registry/core/nodes/", "/registry/core/events/")
POD_NETWORK = ipaddress.IPv4Network("10.244.0.0/16")

#: what pods are told to trust; nobody serves with it
AUTHORITY = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"

Service = Callable[[Context], Awaitable[None]]  #: the scheduler, and what else runs on a context


class Machine:
    """A simulated node: the machine stays when its agent is stopped, and its pods with it."""

    def __init__(self, name: str, number: int) -> None:
        subnet = next(net for n, net in enumerate(POD_NETWORK.subnets(new_prefix=24)) if n == number)
        self.config = NodeConfig(
            name=name,
            node_ip=f"172.30.0.{number + 10}",
            folder=Path("/nonexistent"),
            pod_cidr=str(subnet),
            runtime="simulated",
        )
        self.runtime = SimulatedRuntime(str(subnet))
        self.task: asyncio.Task[None] | None = None


class Cluster:
    """A cluster of one's own. Shapes and defaults:

    `controllers`, None: all of the product's, the scheduler and what a cluster has from its first second; else these
    alone. `services`: coroutine functions such as the scheduler's `run`, None: as the controllers say. `nodes`: how
    many simulated ones, None: one in a whole cluster, else none. `store`: the caller's own, who closes it.
    `virtual_time`: refuse to run on anything but a virtual loop, which `knarr.testing.virtual_time.run` and, without
    `async`, this class's own `with` make. `seed`: of every random choice, on virtual time only.
    """

    def __init__(
        self,
        controllers: Iterable[Controller] | None = None,
        nodes: int | None = None,
        *,
        virtual_time: bool = False,
        seed: int | None = None,
        services: Sequence[Service] | None = None,
        store: Store | None = None,
        workers: int = 5,
    ) -> None:
        if seed is not None and not virtual_time:
            raise ValueError(f"seed {seed}: chance follows a seed on virtual time only; say virtual_time=True")
        self.whole = controllers is None
        self.virtual_time, self.seed = virtual_time, seed
        self._controllers = list(roster.controllers(AUTHORITY) if controllers is None else controllers)
        self._services = services if services is not None else (scheduler.run,) if self.whole else ()
        self._workers, self._store = workers, store
        count = nodes if nodes is not None else int(self.whole)
        self.machines = {f"node-{n}": Machine(f"node-{n}", n) for n in range(count)}

    async def __aenter__(self) -> "Cluster":
        self._choose_time()
        self.store = self._store or await open_memory()
        self.registry = Registry(self.store, BUILTIN)
        await self.registry.start()
        self.handler: Handler = build(self.registry)
        self.api = self.client("system:admin")
        self._last_write = asyncio.get_running_loop().time()
        self.faults = Faulty(InProcess(self.handler.handle))
        flaky = Api(self.faults, BUILTIN, user_agent="knarr")
        self._informers = await Informers(flaky).__aenter__()
        self.context = Context(flaky, self._informers, Recorder(flaky, "knarr"))
        self._group = await asyncio.TaskGroup().__aenter__()
        self._tasks = [self._group.create_task(self._follow_writes(), name="writes")]
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for machine in self.machines.values():
            if machine.task is not None:
                machine.task.cancel()
        own = kind is not None and not issubclass(kind, asyncio.CancelledError)  # goes on as it is, in no group
        try:
            await self._group.__aexit__(*((None, None, None) if own else (kind, error, trace)))
        finally:
            await self._informers.__aexit__(None, None, None)
            await self.registry.stop()
            if self._store is None:
                await self.store.close()

    def client(self, user: str, *groups: str, agent: str = "knarr") -> Api:
        """A client of the cluster; without groups it may do everything."""
        named = User(name=user, groups=(*groups, "system:authenticated") if groups else User().groups)
        return Api(InProcess(self.handler.handle, named), BUILTIN, user_agent=agent)

    async def apply(self, *manifests: str | Any, namespace: str = "default") -> None:
        """Create or change what the manifests say: YAML of any number of objects, or objects."""
        for manifest in manifests:
            for tree in _trees(manifest):
                await self._apply(tree, namespace)

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
        """Move virtual time by exactly that much; everything that is due until then, and at that moment, happens."""
        loop = virtual_loop()
        if loop is None:
            raise RuntimeError("real time cannot be moved: run the cluster on virtual time")
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        if span < 0:
            raise ValueError(f"time goes forward only, not by {span} s")
        await asyncio.sleep(span)
        await loop.idle()

    async def start_node(self, name: str) -> None:
        """Start a node's agent; return when the node is registered."""
        machine = self.machines[name]
        ready = asyncio.Event()
        machine.task = self._group.create_task(self._run_agent(machine, ready), name=name)
        await ready.wait()

    async def stop_node(self, name: str) -> None:
        """Stop a node's agent as a crash would; its pods run on."""
        machine = self.machines[name]
        if machine.task is not None:
            machine.task.cancel()
            await asyncio.wait([machine.task])
            machine.task = None

    async def _begin(self) -> None:
        for obj in self._first_objects():
            with suppress(AlreadyExists):
                await self.api.create(obj)
        self._run("events", self.context.recorder.run())
        for controller in self._controllers:
            self._run(controller.name, run(controller, self.context, self._workers))
        for number, service in enumerate(self._services):
            self._run(f"service {number}", service(self.context))
        for name in self.machines:
            await self.start_node(name)

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

    def _run(self, name: str, work: Any) -> None:
        self._tasks.append(self._group.create_task(work, name=name))

    async def _run_agent(self, machine: Machine, ready: asyncio.Event) -> None:
        name = machine.config.name
        api = self.client(f"system:node:{name}", "system:nodes", agent="kubelet")
        async with Informers(api) as informers:
            agent = Agent(machine.config, api, informers, machine.runtime)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(agent.run())
                await agent.registered.wait()
                ready.set()

    async def _follow_writes(self) -> None:
        loop = asyncio.get_running_loop()
        async for events in self.store.watch("", after=self.store.revision):
            if any(not event.key.startswith(RESTLESS) for event in events):
                self._last_write = loop.time()

    async def _apply(self, tree: dict[str, Any], namespace: str) -> None:
        group, _, version = tree["apiVersion"].rpartition("/")
        if (kind := BUILTIN.by_kind(group, version, tree["kind"])) is None:
            raise KeyError(f"no kind {tree['kind']} in {tree['apiVersion']}")
        where = of_kind(kind, kind.type)
        name = tree["metadata"].get("name", "")
        space = tree["metadata"].get("namespace", "") or namespace
        body = encode(tree)
        try:
            await self.api.raw("POST", where.path(space), body=body, headers={"content-type": JSON})
        except AlreadyExists:
            headers = {"content-type": PATCH_TYPES["merge"]}
            await self.api.raw("PATCH", where.path(space, name), body=body, headers=headers)


def _trees(manifest: Any) -> list[dict[str, Any]]:
    """The objects of a manifest; what only the server sets is left out of an object that a builder made."""
    if not isinstance(manifest, str):
        tree = msgspec.to_builtins(manifest)
        for field in ("uid", "resourceVersion", "creationTimestamp"):
            tree["metadata"].pop(field, None)
        return [tree]
    import yaml

    return [tree for tree in yaml.safe_load_all(manifest) if tree]
