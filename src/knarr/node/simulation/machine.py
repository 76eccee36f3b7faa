"""One simulated node: a machine, which lasts, and the agent on it, which may crash and come back.

The agent is `PodWorkers`, as on real nodes; what costs too much a thousand times over it shares with the others: the
pod informer, the recorder's queue, the heartbeat. Its pods' workers are told of the runtime's changes by the runtime.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Coroutine
from typing import Any

from knarr.client.api import Api
from knarr.client.informer import Informer
from knarr.client.transport import Request, Response, Transport, TransportError
from knarr.kinds.types.core_v1 import Container, Pod, Service
from knarr.loop.events import Recorder
from knarr.node.config import NodeConfig
from knarr.node.pod_workers import PodWorkers
from knarr.node.registration import Registration
from knarr.node.runtimes.runtime import PodSandbox, Used
from knarr.node.runtimes.simulated import SimulatedRuntime
from knarr.node.simulation.load import Loads, spread
from knarr.node.simulation.stages import NO_STAGES, Stages
from knarr.node.volumes.folder import NoFolders

UNTOLD = 100  #: events that a node keeps while it is cut off


class Wire:
    """A node's way to the API server, which can be cut."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.cut = False

    async def send(self, request: Request) -> Response:
        if self.cut:
            raise TransportError("the node is cut off from the API server")
        answer = await self._transport.send(request)
        if self.cut:
            raise TransportError("the node was cut off before the answer came")
        return answer

    async def close(self) -> None:
        await self._transport.close()


class SimulatedNode(PodWorkers):
    """The agent of one simulated node. `leave` ends it as a crash would."""

    patience = 0.5
    looks = math.inf  # its runtime tells of each change
    steps_logged = logging.DEBUG

    def __init__(
        self,
        config: NodeConfig,
        api: Api,
        runtime: SimulatedRuntime,
        wire: Wire,
        services: Informer[Service],
        loads: Loads,
    ) -> None:
        super().__init__(config, api, runtime, NoFolders(), Registration(api, config, runtime))
        self.services = services
        self.stale = False  #: somebody changed the node's object, or its images changed
        self.joining: asyncio.Task[None]  #: ends when the node is registered and knows its pods
        self._wire, self._loads = wire, loads
        self._untold: deque[tuple[Pod, str, str, str, Container | None]] = deque(maxlen=UNTOLD)

    def begin(self, group: asyncio.TaskGroup, recorder: Recorder) -> None:
        """Take over what runs on the machine."""
        self.recorder = recorder
        self._group = self.crew = Crew(group)
        assert isinstance(self.runtime, SimulatedRuntime)
        self.sandboxes.update(self.runtime.sandboxes)
        self.runtime.follower = self._runtime_changed

    async def leave(self) -> None:
        """End every worker; the pods run on."""
        self._leaving = True
        assert isinstance(self.runtime, SimulatedRuntime)
        self.runtime.follower = None
        await self.crew.end()

    def _runtime_changed(self, uid: str, sandbox: PodSandbox | None) -> None:
        if sandbox is None:
            self.sandboxes.pop(uid, None)
        else:
            self.sandboxes[uid] = sandbox
        if worker := self.workers.get(uid):
            worker.wake()

    async def refresh(self) -> None:
        """The runtime tells each change at once: there is nothing to ask for."""

    async def used(self) -> dict[str, Used]:
        """What the runtime says, but for pods that share a load."""
        found = dict(await self.runtime.usage())
        await self._loads.follow()
        sharers: dict[str, int] = {}
        for uid, worker in self.workers.items():
            sandbox, load = self.sandboxes.get(uid), self._loads.of(worker.pod, sharers)
            if sandbox is None or load is None:
                continue
            parts = spread(load, worker.pod.spec.containers)
            for state in sandbox.containers:
                if state.id in found and state.name in parts:
                    found[state.id] = Used(found[state.id].memory, cpu=parts[state.name])
        return found

    def tell(self, pod: Pod, type_: str, reason: str, message: str, container: Container | None) -> None:
        if self._wire.cut:
            self._untold.append((pod, type_, reason, message, container))
        else:
            super().tell(pod, type_, reason, message, container)

    def tell_late(self) -> None:
        """Record what could not be while the node was cut off."""
        while self._untold and not self._wire.cut:
            super().tell(*self._untold.popleft())


class Crew:
    """The workers' tasks of one node, in a group that all nodes share."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: dict[asyncio.Task[None], None] = {}  # in their order: they end in it

    def create_task(self, coro: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        task = self._group.create_task(coro, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    async def end(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class Machine:
    """One simulated machine: what stays when its agent is stopped."""

    def __init__(self, config: NodeConfig, transport: Transport, stages: Stages = NO_STAGES) -> None:
        self.config = config
        self.wire = Wire(transport)
        self.api = Api(self.wire, user_agent="kubelet")
        self.runtime = SimulatedRuntime(*config.pod_cidrs, stages=stages)
        self.said: dict[str, tuple[str, str, str, str]] = {}  #: conditions of the node that stages have set, by type
        self.timer: asyncio.TimerHandle | None = None  #: of the stage that is to come
        self.agent: SimulatedNode | None = None
        self.off = False  #: not to be started with the others

    @property
    def name(self) -> str:
        return self.config.name
