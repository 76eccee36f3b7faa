"""The simulated nodes of a cluster: agents inside the server process, one runtime for each node.

A runtime stands for its machine: it outlives its agent, so a stopped and restarted agent finds its pods running.
"""

import asyncio
import contextlib
from collections.abc import Mapping

from knarr.app.config import Cluster
from knarr.app.pki import Pki
from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.node.agent import Agent
from knarr.node.config import NodeConfig
from knarr.node.runtimes.simulated import SimulatedRuntime


class SimulatedNodes:
    """The cluster's simulated nodes; `run` keeps their agents alive until it is cancelled."""

    def __init__(self, cluster: Cluster, pki: Pki, apis: Mapping[str, Api]) -> None:
        self._cluster, self._pki, self._apis = cluster, pki, apis
        self._runtimes = {
            name: SimulatedRuntime(cluster.network.node(number).pods) for number, name in enumerate(cluster.node_names)
        }
        self._agents: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as self._group:
            for name in self._runtimes:
                await self.start(name)
            await asyncio.Event().wait()

    async def start(self, name: str) -> bool:
        """Start a node's agent; False when it runs. KeyError when there is no such node."""
        runtime = self._runtimes[name]
        running = self._agents.get(name)
        if self._group is None or (running is not None and not running.done()):
            return False
        self._agents[name] = self._group.create_task(self._be(name, runtime), name=f"node {name}")
        return True

    async def stop(self, name: str) -> bool:
        """End a node's agent as a crash would; False when it does not run. KeyError when there is no such node."""
        if name not in self._runtimes:
            raise KeyError(name)
        agent = self._agents.pop(name, None)
        if agent is None:
            return False
        agent.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await agent
        return True

    async def _be(self, name: str, runtime: SimulatedRuntime) -> None:
        api = self._apis[name]
        settings = NodeConfig(
            name=name,
            cluster=self._cluster.name,
            node_ip="127.0.0.1",
            folder=self._cluster.node_folder(name),
            pod_cidr=str(runtime.network),
            dns_ip=self._cluster.network.dns,
            runtime="simulated",
            ca=self._pki.ca,
            serving_cert=self._pki.node(name).certificate,
            serving_key=self._pki.node(name).key,
            port=0,
        )
        async with Informers(api) as informers:
            await Agent(settings, api, informers, runtime).run()
