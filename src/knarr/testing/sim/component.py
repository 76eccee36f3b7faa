"""A component of the simulated cluster: a controller, the scheduler or a node's agent, as a process of its own.

It has its own link, informers and memory. It can be killed at any write, or at once, and started again with nothing but
what the server, and for a node the machine, tells it.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.controllers import (
    cronjob,
    daemonset,
    deployment,
    disruption,
    disruption_target,
    endpoint_slice,
    endpoints,
    garbage_collector,
    horizontalpodautoscaler,
    job,
    job_orphans,
    local_path,
    node_lifecycle,
    persistentvolume,
    pod_gc,
    replicaset,
    replicationcontroller,
    resourcequota,
    statefulset,
    taint_eviction,
    ttl_after_finished,
    volume_protection,
)
from knarr.kinds.table import BUILTIN
from knarr.loop.events import Recorder
from knarr.loop.runner import Context, Controller, run
from knarr.node.config import NodeConfig
from knarr.node.runtimes.runtime import PodSandbox
from knarr.node.runtimes.simulated import SimulatedRuntime
from knarr.node.simulation.nodes import SimulatedNodes
from knarr.scheduler import scheduler
from knarr.testing.sim.link import Link, Weather
from knarr.testing.sim.server import Server
from knarr.testing.virtual_time import SKEW, Skew

WORKERS = 2  #: keys that a controller reconciles beside each other

Work = Callable[[Link, Informers], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Part:
    """What runs in one process: the controllers, made anew at each start."""

    controllers: Callable[[], Sequence[Controller]]


PARTS: dict[str, Part] = {
    "statefulset": Part(lambda: [statefulset.controller()]),
    "replicaset": Part(lambda: [replicaset.controller()]),
    "replicationcontroller": Part(lambda: [replicationcontroller.controller()]),
    "deployment": Part(lambda: [deployment.CONTROLLER]),
    "daemonset": Part(lambda: [daemonset.controller()]),
    "job": Part(lambda: [job.controller(), job_orphans.CONTROLLER, ttl_after_finished.CONTROLLER]),
    "cronjob": Part(lambda: [cronjob.controller()]),
    "autoscaler": Part(lambda: [horizontalpodautoscaler.controller()]),
    "disruption": Part(lambda: [disruption.controller(), disruption_target.CONTROLLER]),
    "quota": Part(lambda: [resourcequota.controller()]),
    "endpoints": Part(lambda: [endpoints.CONTROLLER, endpoint_slice.controller()]),
    "collector": Part(lambda: [garbage_collector.controller()]),
    "nodes": Part(lambda: [node_lifecycle.controller(), taint_eviction.controller(), pod_gc.controller()]),
    "volumes": Part(lambda: [persistentvolume.controller(), local_path.controller(), volume_protection.controller()]),
}
SCHEDULER = "scheduler"


def controllers(part: Part) -> Work:
    async def work(link: Link, informers: Informers) -> None:
        context = Context(informers.api, informers, Recorder(informers.api, "knarr"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(context.recorder.run(), name="events")
            for controller in part.controllers():
                tasks.create_task(run(controller, context, WORKERS), name=controller.name)

    return work


async def schedule(link: Link, informers: Informers) -> None:
    context = Context(informers.api, informers, Recorder(informers.api, "knarr"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(context.recorder.run(), name="events")
        tasks.create_task(scheduler.run(context), name=SCHEDULER)


class Machine:
    """What a simulated node's agent runs on: it, and its pods, outlive the agent, and end when it loses power."""

    def __init__(self, number: int, changed: Callable[[], None]) -> None:
        self.name = f"node-{number}"
        self.config = NodeConfig(
            name=self.name,
            node_ip=f"172.30.0.{number + 10}",
            folder=Path("/nonexistent"),
            pod_cidr=f"10.244.{number}.0/24",
            runtime="simulated",
        )
        self._changed = changed
        self._nodes: SimulatedNodes | None = None
        self.runtime = self._boot()

    def power_off(self) -> None:
        """End all processes; what boots next finds nothing."""
        self.runtime.follower = None
        self.runtime = self._boot()
        self._changed()

    async def be_node(self, link: Link, informers: Informers) -> None:
        """Run the agent; what it shares with no others goes to the server in the node's own name."""
        groups = ("system:nodes", "system:authenticated")
        nodes = SimulatedNodes([self.config], lambda name: link.named(f"system:node:{name}", groups), informers)
        nodes.machines[self.name].runtime = runtime = self.runtime
        self._nodes = nodes
        try:
            await nodes.run()
        finally:
            self._nodes = None
            runtime.follower = None

    def beat_every(self, seconds: float) -> None:
        """Have the agent that runs send heartbeats that often from now on."""
        if self._nodes is not None:
            self._nodes.heartbeat.period = seconds

    async def summary(self) -> bytes | None:
        """What its pods use, as its agent tells; None when none runs."""
        return await self._nodes.summary(self.name) if self._nodes is not None else None

    def _boot(self) -> "WatchedRuntime":
        return WatchedRuntime(self.config.pod_cidr, self._changed)


class WatchedRuntime(SimulatedRuntime):
    """A runtime that tells of each change whoever runs its machine."""

    def __init__(self, pod_cidr: str, told: Callable[[], None]) -> None:
        super().__init__(pod_cidr)
        self._told = told

    def _tell(self, uid: str, pod: PodSandbox | None) -> None:
        super()._tell(uid, pod)
        self._told()


class Component:
    """One of them. `broken` is told what it fails with when it should not."""

    def __init__(
        self,
        name: str,
        work: Work,
        server: Server,
        rng: random.Random,
        broken: Callable[[str], None],
        *,
        agent: str = "knarr",
    ) -> None:
        self.name = name
        self.weather = Weather(rng)
        self.skew = Skew()
        self.killed = False  #: its machine loses power with it
        self._work, self._server, self._broken = work, server, broken
        self._agent = agent
        self._task: asyncio.Task[None] | None = None
        self._end = asyncio.Event()
        self._down = 0.0
        self.link = self._new_link()

    @property
    def running(self) -> bool:
        return self._task is not None and not self.link.dead

    def start(self, group: asyncio.TaskGroup) -> None:
        self.link = self._new_link()
        self.killed = False
        self._task = group.create_task(self._live(), name=self.name)

    def die(self, down: float, *, killed: bool = False) -> None:
        """Nothing of it reaches the server from now on; who waits for it learns for how many seconds it is down."""
        self.link.kill()
        self.killed = self.killed or killed
        self._down = max(self._down, down) if self._end.is_set() else down
        self._end.set()

    async def wait_down(self) -> float:
        """Return when it has died, with the seconds until it is to start again."""
        await self._end.wait()
        self._end.clear()
        return self._down

    async def stop(self) -> None:
        """End what is left of it; return when nothing is."""
        self.link.kill()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _live(self) -> None:
        SKEW.set(self.skew)
        link = self.link
        api = Api(link, BUILTIN, user_agent=self._agent)
        try:
            async with Informers(api) as informers:
                await self._work(link, informers)
        except* Exception as errors:
            if not link.dead:
                self._broken(f"{self.name} ended: {errors.exceptions!r}")

    def _new_link(self) -> Link:
        return Link(self.name, self._server, self.weather, self.die)
