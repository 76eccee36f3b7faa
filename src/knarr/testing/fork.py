"""A cluster's state at a moment of virtual time, and clusters that go on from it, each for itself.

What is copied is what would survive if every process died at once: the store, the simulated machines with their pods,
the clock, and where chance stands. The parts begin anew on both sides (`Cluster.checkpoint`), so both are the same.
"""

import asyncio
import copy
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from knarr.meta import clock
from knarr.net.plan import NetworkPlan
from knarr.node.config import NodeConfig
from knarr.node.runtimes.simulated import SimulatedRuntime
from knarr.store.memory import MemoryStore
from knarr.store.store import Store
from knarr.testing.virtual_time import Moment, VirtualClock

PLAN = NetworkPlan("node")  # names its nodes node-0, node-1, ...


@dataclass
class Machine:
    """A simulated machine: the agent on it comes and goes, its pods stay."""

    config: NodeConfig
    runtime: SimulatedRuntime
    stopped: bool = False  #: no agent is to run on it
    cut: bool = False  #: its agent cannot reach the API server


def machine(number: int) -> Machine:
    """A new one."""
    place = PLAN.simulated(number, alone=True)
    config = NodeConfig(
        name=place.name,
        node_ip=place.address,
        folder=Path("/nonexistent"),
        pod_cidr=place.pods,
        runtime="simulated",
    )
    return Machine(config, SimulatedRuntime(place.pods))


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
            halt(each.runtime)
        taken = cls(own.moment(), store.copy(), _machines(machines))
        for each in machines.values():
            go_on(each.runtime)
        return taken

    def copied_machines(self) -> dict[str, Machine]:
        """Machines of one's own, like those at the moment, going on on the running loop."""
        copies = _machines(self.machines)
        for each in copies.values():
            go_on(each.runtime)
        return copies


def _machines(machines: Mapping[str, Machine]) -> dict[str, Machine]:
    return {name: replace(each, runtime=copied(each.runtime)) for name, each in machines.items()}


@dataclass(frozen=True)
class Due:
    """A timer that does not run: which of its owner's methods is to be called, when on the loop's clock, with what."""

    when: float
    method: str
    arguments: tuple[Any, ...]


def halt(runtime: SimulatedRuntime) -> None:
    """Stop a machine's timers, to be copied or to go on: those of one moment then begin in the same order anywhere."""
    for timers in _tables(runtime):
        for key, timer in timers.items():
            if isinstance(timer, asyncio.TimerHandle):
                callback, arguments = timer._callback, timer._args  # type: ignore[attr-defined]  # nothing else tells
                timers[key] = Due(timer.when(), callback.__name__, tuple(arguments))
                timer.cancel()


def go_on(runtime: SimulatedRuntime) -> None:
    """Have a halted machine's timers run on the running loop, each at its moment."""
    loop = asyncio.get_running_loop()
    for timers in _tables(runtime):
        for key, due in timers.items():
            if isinstance(due, Due):
                timers[key] = loop.call_at(due.when, getattr(runtime, due.method), *due.arguments)


def copied(runtime: SimulatedRuntime) -> SimulatedRuntime:
    """A halted machine with the same pods. What it holds of them is immutable and shared."""
    twin = copy.copy(runtime)
    for name, value in vars(runtime).items():
        if isinstance(value, dict | list | set | deque):
            setattr(twin, name, copy.copy(value))
        elif isinstance(value, asyncio.Event):
            setattr(twin, name, _like(value))
    twin.follower = None
    return twin


def _tables(runtime: SimulatedRuntime) -> list[dict[Any, Any]]:
    return [value for value in vars(runtime).values() if isinstance(value, dict)]


def _like(event: asyncio.Event) -> asyncio.Event:
    twin = asyncio.Event()
    if event.is_set():
        twin.set()
    return twin
