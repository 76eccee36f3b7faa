"""All simulated nodes of a process: registers them, routes pods to them, keeps them alive; stops, cuts and scales them.

One pod informer serves them all, routed by the name of the node; so do one queue of events and one heartbeat. A node
that is cut off hears nothing of its pods until it is healed, and then of everything that it has missed.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

import msgspec

from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.client.transport import Transport, TransportError
from knarr.kinds.types.coordination_v1 import Lease
from knarr.kinds.types.core_v1 import Node, Pod, Service
from knarr.loop.events import AT_ONCE, Recorder, Writer
from knarr.loop.pods_by_node import node_of
from knarr.meta import clock
from knarr.meta.errors import ApiError, NotFound
from knarr.node.config import NodeConfig
from knarr.node.registration import LEASES
from knarr.node.simulation.heartbeat import Heartbeat, scatter
from knarr.node.simulation.kubelet_api import SharedKubeletApi
from knarr.node.simulation.load import Loads
from knarr.node.simulation.machine import Machine, SimulatedNode
from knarr.node.simulation.stages import NO_STAGES, NodeStage, Stages, Subject

TOGETHER = 256  #: nodes that register at the same time
ANNOUNCED = 100  #: nodes, the first ones, whose start is told by events: more would only push others out
EVENTS = 100_000  #: that may wait to be written
INDEX = "node"
HEARTBEAT = 10.0  #: seconds, where the first nodes' configurations do not say otherwise

log = logging.getLogger(__name__)

Connect = Callable[[str], Transport]  #: a node's own way to the API server, with no more rights than it needs


class SimulatedNodes:
    """`run` keeps them alive until it is cancelled. What the nodes share goes through `informers` and its client."""

    def __init__(
        self, configs: Iterable[NodeConfig], connect: Connect, informers: Informers, stages: Stages = NO_STAGES
    ) -> None:
        self._connect, self._informers, self._stages = connect, informers, stages
        self._loads = Loads(informers)
        self._writer = Writer(informers.api, EVENTS, together=AT_ONCE)
        self._recorder = Recorder(informers.api, "kubelet", writer=self._writer)
        self._kubelet: SharedKubeletApi | None = None
        self.machines: dict[str, Machine] = {}
        self.begun = asyncio.Event()  #: the first nodes are registered
        self.heartbeat = Heartbeat(self.machines.values, self.begun, HEARTBEAT)
        self._addresses: dict[str, Machine] = {}
        self._port = 0
        self._group: asyncio.TaskGroup | None = None
        self.started = asyncio.Event()  #: the nodes that there were at first have registered
        for config in configs:
            self.heartbeat.period = self._add(config).config.heartbeat

    def _add(self, config: NodeConfig) -> Machine:
        machine = self.machines[config.name] = Machine(config, self._connect(config.name), self._stages)
        self._addresses[config.node_ip] = machine
        return machine

    async def run(self) -> None:
        """Be all the nodes."""
        pods = self._informers.of(Pod)
        pods.cache.add_index(INDEX, node_of)
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(self._writer.run(), name="events")
                if (some := next(iter(self.machines.values()), None)) and some.config.serving_cert is not None:
                    self._kubelet = SharedKubeletApi(some.config, self._at, self._of_pod)
                    self._port = await self._kubelet.start()
                self._informers.of(Node).on_change(self._node_changed)
                self._group.create_task(self._start_first(), name="registration")
                await pods.wait_synced()
                pods.on_change(self._pod_changed)
                await self.heartbeat.run()
        finally:
            for machine in self.machines.values():
                if machine.timer is not None:
                    machine.timer.cancel()
            if self._kubelet is not None:
                await self._kubelet.stop()

    # ---------------------------------------------------------------- one node

    async def start(self, name: str) -> bool:
        """Start a node's agent; False when it runs. KeyError when there is no such node."""
        machine = self.machines[name]
        if machine.agent is not None or self._group is None:
            return False
        services = self._informers.of(Service)
        agent = machine.agent = SimulatedNode(
            machine.config, machine.api, machine.runtime, machine.wire, services, self._loads
        )
        agent.registration.port = self._port or machine.config.port
        agent.registration.said = machine.said
        agent.begin(self._group, self._recorder.named("kubelet", name))
        agent.joining = agent.crew.create_task(self._register(agent), name=f"node {name}")
        return True

    async def stop(self, name: str) -> bool:
        """End a node's agent as a crash would; False when it does not run. KeyError when there is no such node."""
        machine = self.machines[name]
        agent, machine.agent = machine.agent, None
        if agent is None:
            return False
        await agent.leave()
        return True

    def states(self) -> dict[str, tuple[bool, bool]]:
        """Of each node whether its agent runs, and whether it is cut off."""
        return {name: (machine.agent is not None, machine.wire.cut) for name, machine in self.machines.items()}

    async def summary(self, name: str) -> bytes | None:
        """What a node and its pods use, as its agent tells it; None when it has none or cannot be reached."""
        machine = self.machines.get(name)
        if machine is None or machine.agent is None or machine.wire.cut:
            return None
        return msgspec.json.encode(await machine.agent.stats.summary())

    async def partition(self, name: str) -> bool:
        """Cut a node off from the API server; its pods go on. False when it is cut off already."""
        wire = self.machines[name].wire
        was, wire.cut = wire.cut, True
        return not was

    async def heal(self, name: str) -> bool:
        """Reconnect a node; False when it was not cut off."""
        machine = self.machines[name]
        was, machine.wire.cut = machine.wire.cut, False
        if was and machine.agent is not None and machine.agent.caught_up.is_set():
            machine.agent.stale = True
            machine.agent.tell_late()
            self._catch_up(machine.agent)
        return was

    async def set_nodes(self, configs: Iterable[NodeConfig]) -> None:
        """Have exactly these nodes: start those that are new, delete those that are left over, from the API too."""
        wanted = {config.name: config for config in configs}
        if self._kubelet is not None:
            await self._kubelet.reload()
        surplus = [machine for name, machine in self.machines.items() if name not in wanted]
        for machine in surplus:
            del self.machines[machine.name]
            if machine.timer is not None:
                machine.timer.cancel()
            self._addresses.pop(machine.config.node_ip, None)
        for part in parts(surplus):
            await asyncio.gather(*(remove(machine, self._informers.api) for machine in part))
        await self._start_all([self._add(config) for name, config in wanted.items() if name not in self.machines])

    # --------------------------------------------------------------- beginning

    async def _start_first(self) -> None:
        await self._start_all(self.machines.values())
        self.begun.set()

    async def _start_all(self, machines: Iterable[Machine]) -> None:
        assert self._group is not None
        for part in parts(list(machines)):
            agents = [machine.agent for machine in part if not machine.off and await self.start(machine.name)]
            await asyncio.gather(*(agent.joining for agent in agents if agent is not None), return_exceptions=True)
            for machine in part:
                self._expect(machine)
        self.started.set()

    # ------------------------------------------------------------------ stages

    def _expect(self, machine: Machine, follows: str = "") -> None:
        """Have the node's next stage take effect in its time."""
        if self._stages.nodes and self.machines.get(machine.name) is machine:
            meta = machine.agent.registration.node.metadata if machine.agent is not None else None
            subject = Subject(machine.name, labels=meta.labels if meta is not None else {})
            if (stage := self._stages.node(subject, clock.rng(), follows)) is not None:
                delay = stage.seconds(clock.rng())
                machine.timer = asyncio.get_running_loop().call_later(delay, self._take_effect, machine, stage)

    def _take_effect(self, machine: Machine, stage: NodeStage) -> None:
        assert self._group is not None
        self._group.create_task(self._go_through(machine, stage), name=f"stage {stage.name} of {machine.name}")

    async def _go_through(self, machine: Machine, stage: NodeStage) -> None:
        effect, name = stage.effect, machine.name
        for said in effect.conditions:
            machine.said[said.type] = (said.type, said.status, said.reason, said.message)
        if effect.conditions and machine.agent is not None:
            machine.agent.stale = True
        acts = {"stop": self.stop, "start": self.start, "partition": self.partition, "heal": self.heal}
        for wanted in (effect.network, effect.agent):
            if wanted and name in self.machines:
                await acts[wanted](name)
        self._expect(machine, follows=stage.name)

    async def _register(self, agent: SimulatedNode) -> None:
        fresh = await agent.registration.register()
        if len(self.machines) <= ANNOUNCED:
            agent.announce(fresh)
        scatter(agent)
        await self._informers.of(Pod).wait_synced()
        await agent.services.wait_synced()
        if not self._deaf(agent):
            self._catch_up(agent)
        agent.caught_up.set()

    def _catch_up(self, agent: SimulatedNode) -> None:
        """Tell an agent what has become of its pods while it could not hear."""
        pods = {pod.metadata.uid: pod for pod in self._informers.of(Pod).cache.by_index(INDEX, agent.config.name)}
        for uid, worker in list(agent.workers.items()):
            if uid not in pods:
                agent.pod_changed(worker.pod, None)
        for pod in pods.values():
            agent.pod_changed(None, pod)
        agent.adopt_orphans()

    # ----------------------------------------------------------------- routing

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        if pod is None or (machine := self.machines.get(pod.spec.nodeName)) is None:
            return
        agent = machine.agent
        if agent is not None and agent.caught_up.is_set() and not machine.wire.cut:
            agent.pod_changed(old, new)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """Notice that somebody else wrote a node's object, or deleted it: the next heartbeat looks at it."""
        about = new or old
        machine = self.machines.get(about.metadata.name) if about is not None else None
        if machine is None or machine.agent is None:
            return
        if new is None:
            machine.agent.stale = True
        elif old is not None and new.metadata.resourceVersion != machine.agent.registration.written:
            machine.agent.stale = machine.agent.stale or new.status != old.status

    def _deaf(self, agent: SimulatedNode) -> bool:
        machine = self.machines.get(agent.config.name)
        return machine is None or machine.wire.cut or machine.agent is not agent

    def _at(self, address: str) -> SimulatedNode | None:
        machine = self._addresses.get(address)
        return machine.agent if machine is not None and not machine.wire.cut else None

    def _of_pod(self, namespace: str, name: str) -> SimulatedNode | None:
        pod = self._informers.of(Pod).cache.get(name, namespace)
        machine = self.machines.get(pod.spec.nodeName) if pod is not None else None
        return machine.agent if machine is not None and not machine.wire.cut else None


def parts(machines: list[Machine]) -> list[list[Machine]]:
    """The machines in groups that register or go at the same time."""
    return [machines[first : first + TOGETHER] for first in range(0, len(machines), TOGETHER)]


async def remove(machine: Machine, api: Api) -> None:
    """End a machine for good: agent, Node and Lease."""
    if machine.agent is not None:
        await machine.agent.leave()
    for kind, space in ((Node, ""), (Lease, LEASES)):
        try:
            await api.delete(kind, machine.name, space)
        except NotFound:
            continue
        except (ApiError, TransportError) as error:
            log.warning("node %s not removed: %s", machine.name, error)
