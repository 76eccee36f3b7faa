"""The simulated nodes of a cluster, inside the server process; none of it is loaded before there is one.

Here a cluster's configuration becomes the nodes'; what they do is in `knarr.node.simulation`.
"""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from knarr.app import config
from knarr.app.config import Cluster
from knarr.client.informer import Informers
from knarr.client.transport import InProcess, User
from knarr.net.plan import SIMULATED_NODES, SimulatedPlan
from knarr.node.config import NodeConfig
from knarr.node.simulation.stages import NO_STAGES
from knarr.server.handler import Handler
from knarr.server.pki import Pki

if TYPE_CHECKING:
    from knarr.node.simulation.nodes import SimulatedNodes


class Simulation:
    """`run` keeps the cluster's simulated nodes alive until it is cancelled; the rest the control socket asks for."""

    def __init__(self, cluster: Cluster, pki: Pki, informers: Informers, handler: Handler) -> None:
        self._cluster, self._pki, self._informers, self._handler = cluster, pki, informers, handler
        self._nodes: SimulatedNodes | None = None
        self._stages = NO_STAGES
        self._wanted = asyncio.Event()
        self._changing = asyncio.Lock()
        if cluster.simulated_nodes:
            self._wanted.set()

    async def run(self) -> None:
        if (file := self._cluster.simulation) is not None:
            from knarr.node.simulation.parse import parse_file

            self._stages = await asyncio.to_thread(parse_file, file)
        await self._wanted.wait()
        await self._load().run()

    def _load(self) -> "SimulatedNodes":
        if self._nodes is None:
            from knarr.node.simulation.nodes import SimulatedNodes

            self._nodes = SimulatedNodes(self._configs(), self._connect, self._informers, self._stages)
            self._handler.metrics_api.local = self._nodes.summary
        return self._nodes

    async def start(self, name: str) -> bool:
        """Start a node's agent; False when it runs. KeyError when there is no such node."""
        return await self._load().start(name)

    async def stop(self, name: str) -> bool:
        """End a node's agent as a crash would; False when it does not run. KeyError when there is no such node."""
        return await self._load().stop(name)

    async def partition(self, name: str) -> bool:
        """Cut a node off from the API; False when it is. KeyError when there is no such node."""
        return await self._load().partition(name)

    async def heal(self, name: str) -> bool:
        """Reconnect a node; False when it was not cut off. KeyError when there is no such node."""
        return await self._load().heal(name)

    async def states(self, _: str) -> dict[str, tuple[bool, bool]]:
        """Of each simulated node whether its agent runs, and whether it is cut off."""
        return {} if self._nodes is None else self._nodes.states()

    async def scale(self, count: str) -> int:
        """Have that many simulated nodes, now and after the next start; give how many there were."""
        number = int(count)
        if not 0 <= number <= SIMULATED_NODES:
            raise ValueError(f"{number} simulated nodes: must be 0 to {SIMULATED_NODES}")
        async with self._changing:
            before = len(self._cluster.simulated_nodes)
            self._cluster = self._cluster.with_simulated(number)
            await asyncio.to_thread(self._prepare)
            if self._wanted.is_set():
                await self._load().set_nodes(self._configs())
            elif number:
                self._wanted.set()
                await self._load().begun.wait()
            return before

    def _prepare(self) -> None:
        """Write down how many there are to be, and have a certificate that names them."""
        from knarr.app import certificates

        config.save(self._cluster)
        certificates.ensure_all(self._cluster)

    def _configs(self) -> list[NodeConfig]:
        from knarr.node.simulation.kubelet_api import SHARED, own_addresses

        common = NodeConfig(
            name="",
            node_ip=SHARED,
            cluster=self._cluster.name,
            folder=self._cluster.data_dir / "nodes",
            dns_ip=self._cluster.network.dns,
            runtime="simulated",
            ca=self._pki.ca,
            serving_cert=self._pki.simulated.certificate,
            serving_key=self._pki.simulated.key,
        )

        def one(plan: SimulatedPlan) -> NodeConfig:
            address = plan.address if own_addresses() else SHARED
            return replace(common, name=plan.name, node_ip=address, pod_cidr=plan.pods, second_pod_cidr=plan.more_pods)

        return [one(plan) for plan in self._cluster.simulated_nodes]

    def _connect(self, name: str) -> InProcess:
        """A node's way to the API, with no more rights than a node's agent has."""
        user = User(name=f"system:node:{name}", groups=("system:nodes", "system:authenticated"))
        return InProcess(self._handler.handle, user)
