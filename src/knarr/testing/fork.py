"""A cluster's state at a moment of virtual time, and clusters that go on from it, each for itself.

What is copied is what would survive if every process died at once: the store, the simulated machines with their pods,
the clock, and where chance stands. The parts begin anew on both sides (`Cluster.checkpoint`), so both are the same.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from knarr.meta import clock
from knarr.net.plan import NetworkPlan
from knarr.net.ranges import usual
from knarr.node.config import NodeConfig
from knarr.node.runtimes.simulated import SimulatedRuntime
from knarr.store.memory import MemoryStore
from knarr.store.store import Store
from knarr.testing.virtual_time import Moment, Timer, VirtualClock, virtual_loop

PLAN = NetworkPlan("node")  # names its nodes node-0, node-1, ...
DUAL = NetworkPlan("node", service_cidr=",".join(usual(0, (4, 6)).services))


@dataclass
class Machine:
    """A simulated machine: the agent on it comes and goes, its pods stay."""

    config: NodeConfig
    runtime: SimulatedRuntime
    stopped: bool = False  #: no agent is to run on it
    cut: bool = False  #: its agent cannot reach the API server


def plan_of(*, dual_stack: bool) -> NetworkPlan:
    """Which addresses the cluster has."""
    return DUAL if dual_stack else PLAN


def machine(number: int, heartbeat: float, *, dual_stack: bool = False) -> Machine:
    """A new one, whose agent renews its lease every so many seconds."""
    place = plan_of(dual_stack=dual_stack).simulated(number, alone=True)
    config = NodeConfig(
        name=place.name,
        node_ip=place.address,
        folder=Path("/nonexistent"),
        pod_cidr=place.pods,
        second_pod_cidr=place.more_pods,
        runtime="simulated",
        heartbeat=heartbeat,
    )
    return Machine(config, SimulatedRuntime(*config.pod_cidrs))


@dataclass(frozen=True)
class Checkpoint:
    """What a cluster was like at a moment. Any number of clusters can go on from it."""

    moment: Moment
    store: MemoryStore
    machines: Mapping[str, Machine]

    @classmethod
    def take(cls, store: Store, machines: Mapping[str, Machine]) -> "Checkpoint":
        """Copy it all, on the loop whose time it is, while no part of the cluster runs."""
        own = clock.current()
        if not isinstance(own, VirtualClock) or not isinstance(store, MemoryStore):
            raise RuntimeError("only a cluster on virtual time, with its store in memory, can be copied")
        for each in machines.values():
            each.runtime.follower = None  # the agent, which has ended
        return cls(own.moment(), store.copy(), _copied(machines, {}))

    def copied_machines(self) -> dict[str, Machine]:
        """Machines of one's own, like those at the moment, going on on the running loop."""
        memo: dict[int, Any] = {}
        copies = _copied(self.machines, memo)
        if (loop := virtual_loop()) is not None:
            loop.adopt(twin for twin in memo.values() if isinstance(twin, Timer))
        return copies


def _copied(machines: Mapping[str, Machine], memo: dict[int, Any]) -> dict[str, Machine]:
    """Machines whose agents have ended, with all that they hold; their timers are in the memo."""
    return {name: replace(each, runtime=copy.deepcopy(each.runtime, memo)) for name, each in machines.items()}
