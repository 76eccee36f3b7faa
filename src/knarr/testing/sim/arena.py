"""A cluster whose every part can fail: the server, each controller, the scheduler and each node, on virtual time.

    async with Arena(seed=7, parts=("statefulset", "volumes")) as arena:
        await arena.do(act)

Every stored write is held to the invariants, every change on a machine to "at most one". The first breach sets
`arena.failed`.
"""

import asyncio
import logging
import random
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from knarr.client.api import Api
from knarr.client.transport import Request, Response, TransportError
from knarr.kinds.first_objects import NAMESPACES, local_path_class
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.core_v1 import Namespace, ServiceAccount
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta.errors import AlreadyExists
from knarr.store.store import Closed, Event
from knarr.testing.invariants.machines import Running, at_most_one
from knarr.testing.invariants.table import RULES
from knarr.testing.invariants.world import Rule, World, Write, controller_kind, decoded
from knarr.testing.sim.component import PARTS, SCHEDULER, Component, Machine, controllers, schedule
from knarr.testing.sim.link import WRITER
from knarr.testing.sim.schedule import FAULTS, Act
from knarr.testing.sim.server import Server, ToldStore
from knarr.testing.virtual_time import wait_until
from knarr.testing.workloads.operations import operate

#: what is written for ever, and events, which are told later than what they tell of
RESTLESS = ("/registry/coordination.k8s.io/leases/", "/registry/core/nodes/", "/registry/core/events/")
LONGEST_DOWN = 86400.0  #: seconds
MOST_WRITES = 10_000  #: of a life: many times what the longest needs
TOLD = 400  #: writes that a report may show


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken invariant: which, how, and at which write."""

    rule: str
    said: str
    write: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.said}\n    at {self.write}"


class Direct:
    """A user's transport: it meets no faults but a server that is down, and waits until it is up again."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def send(self, request: Request) -> Response:
        while True:
            token = WRITER.set("user")
            try:
                return await self._server.answer(request, "system:admin", ())
            except TransportError:
                if request.method != "GET":
                    raise
            finally:
                WRITER.reset(token)
            await asyncio.sleep(1)

    async def close(self) -> None:
        return None


class Alarm(logging.Handler):
    """Hears of the exceptions that a part of the cluster logs because it did not expect them."""

    def __init__(self, arena: "Arena") -> None:
        super().__init__(logging.ERROR)
        self._arena = arena

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            if isinstance(error, Closed):
                return  # a request outlives its server: nobody hears of it any more
            self._arena.fail("no part fails unexpectedly", f"{record.getMessage()}: {error!r}")


class Arena:
    def __init__(
        self, seed: int, nodes: int = 3, parts: Iterable[str] = tuple(PARTS), rules: Mapping[str, Rule] = RULES
    ) -> None:
        self.world = World()
        self.breach: Breach | None = None
        self.failed = asyncio.Event()
        self.writes: list[str] = []  #: the last ones, for the report
        self.last_write = 0.0
        self.server = Server(ToldStore(self._written), self._summary)
        self.api = Api(Direct(self.server), BUILTIN, user_agent="kubectl")
        self.machines = {f"node-{n}": Machine(n, self._machine_changed) for n in range(nodes)}
        self.world.running = lambda: {pod.uid for pod in self.machines_run()}
        self.components: dict[str, Component] = {}
        self._rules, self._seed = rules, seed
        self._stateful: set[str] = set()  # uids of pods that a StatefulSet made
        self._last = ""
        self._alarm = Alarm(self)
        for name in parts:
            self._add(name, Component(name, controllers(PARTS[name]), self.server, self._rng(name), self._broken))
        self._add(SCHEDULER, Component(SCHEDULER, schedule, self.server, self._rng(SCHEDULER), self._broken))
        for name, machine in self.machines.items():
            work = machine.be_node
            node = Component(name, work, self.server, self._rng(name), self._broken, agent="kubelet")
            self._add(name, node)

    async def __aenter__(self) -> "Arena":
        logging.getLogger("knarr").addHandler(self._alarm)
        await self.server.start()
        for namespace in NAMESPACES:
            await self.api.create(Namespace(metadata=ObjectMeta(name=namespace)))
            with suppress(AlreadyExists):
                await self.api.create(ServiceAccount(metadata=ObjectMeta(name="default", namespace=namespace)))
        await self.api.create(local_path_class())
        self._group = await asyncio.TaskGroup().__aenter__()
        self._tasks = [self._group.create_task(self._revive_server(), name="reviving the server")]
        for component in self.components.values():
            component.start(self._group)
            self._tasks.append(self._group.create_task(self._revive(component), name=f"reviving {component.name}"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for component in self.components.values():
            await component.stop()
        await self._group.__aexit__(None, None, None)
        await self.server.stop()
        await self.server.store.close()
        logging.getLogger("knarr").removeHandler(self._alarm)

    # ------------------------------------------------------------------- acts

    async def do(self, act: Act) -> None:
        """Have an act happen now."""
        if act.verb not in FAULTS:
            with suppress(TransportError):  # the server is down: the user did not get through
                await operate(act, self.api, self.world)
        elif act.subject == "server":
            self._fault_server(act)
        elif (component := self.components.get(act.subject)) is not None:
            self._fault(component, act)

    async def heal(self) -> None:
        """End every fault; return when all parts run."""
        self.server.crash = None
        for component in self.components.values():
            component.weather.acts.clear()
            component.weather.crash = None
            component.skew.seconds = 0.0
        await wait_until(
            lambda: self.server.up and all(component.running for component in self.components.values()),
            timeout=LONGEST_DOWN,
            every=1,
        )

    def beat_every(self, seconds: float) -> None:
        """Have the nodes send their heartbeats that often from now on."""
        for machine in self.machines.values():
            machine.beat_every(seconds)

    async def quiet(self, seconds: float, within: float) -> bool:
        """Wait until nothing was written for so long, heartbeats and events aside; False when it never is."""
        loop = asyncio.get_running_loop()
        deadline, self.last_write = loop.time() + within, loop.time()
        while (left := self.last_write + seconds - loop.time()) > 0 and not self.failed.is_set():
            if loop.time() > deadline:
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self.failed.wait()
        return True

    def fail(self, rule: str, said: str, write: str = "") -> None:
        """Note a breach; the first one counts."""
        if self.breach is None:
            self.breach = Breach(rule, said, write or self._last)
            self.failed.set()

    def _fault_server(self, act: Act) -> None:
        if act.verb == "crash":
            self.server.arm(act)

    def _fault(self, component: Component, act: Act) -> None:
        now = asyncio.get_running_loop().time()
        match act.verb:
            case "cut":
                component.weather.cut += 1
            case "expire":
                component.weather.expired += 1
            case "crash" if act.get("write"):
                component.weather.arm(act)
            case "crash":
                component.die(act.number("down"))
            case "kill":
                component.die(act.number("for"), killed=True)
            case "skew":
                component.skew.seconds = act.number("seconds")
                asyncio.get_running_loop().call_later(act.number("for"), component.skew.reset)
            case _:
                component.weather.begin(act, now + act.number("for"))

    async def _revive(self, component: Component) -> None:
        """Clear away a component that died, and start it again after its time."""
        while True:
            down = await component.wait_down()
            await component.stop()
            if component.killed and (machine := self.machines.get(component.name)):
                machine.power_off()
            await asyncio.sleep(down)
            component.start(self._group)

    async def _revive_server(self) -> None:
        while True:
            await self.server.crashed.wait()
            self.server.crashed.clear()
            await self.server.stop()
            await asyncio.sleep(self.server.down)
            await self.server.start()

    # --------------------------------------------------------------- watching

    def _written(self, event: Event) -> None:
        """Hold a write to the rules, before its writer goes on."""
        time, writer = asyncio.get_running_loop().time(), WRITER.get()
        if not event.key.startswith(RESTLESS):
            self.last_write = time
        old, new = decoded(event.key, event.previous), decoded(event.key, event.value)
        component = self.components.get(writer)
        since = component.link.since(time) if component is not None else time
        doubts = sum(when >= since for when in component.link.doubts) if component is not None else 0
        write = Write(
            time, event.revision, event.key, old, new, writer, since=since, previous=event.previous_revision,
            doubts=doubts,
        )  # fmt: skip
        self._note(write)
        if event.revision > MOST_WRITES:
            self.fail("the cluster comes to rest", f"{MOST_WRITES} writes and no end")
        if old is not None or new is not None:
            for name, rule in self._rules.items():
                for said in rule(write, self.world):
                    self.fail(name, said, str(write))
            self.world.apply(write)
            if "/pods/" in event.key and new is not None and controller_kind(new) == "StatefulSet":
                self._stateful.add(new.metadata.uid)
        self.world.revision = event.revision
        self.world.revisions[event.key] = event.revision if event.type == "put" else 0

    def _note(self, write: Write) -> None:
        self._last = str(write)
        if write.old is not None or write.new is not None:
            self.writes.append(self._last)
            del self.writes[:-TOLD]

    def _machine_changed(self) -> None:
        for said in at_most_one(self.machines_run(), self._stateful, self.world):
            self.fail("at most one", said)

    def machines_run(self) -> Iterable[Running]:
        for machine in self.machines.values():
            for pod in machine.runtime.sandboxes.values():
                if any(container.state == "running" for container in pod.containers):
                    yield Running(machine.name, pod.namespace, pod.name, pod.uid)

    async def _summary(self, node: str) -> bytes | None:
        """What a node's pods use, unless its agent cannot be reached."""
        component = self.components.get(node)
        cut = component is None or not component.running or component.weather.now("partition") is not None
        return None if cut else await self.machines[node].summary()

    def _broken(self, said: str) -> None:
        self.fail("no part fails unexpectedly", said)

    def _add(self, name: str, component: Component) -> None:
        self.components[name] = component

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self._seed} {name}")
