"""What the pods of a node use: the kubelet's `/stats/summary`, for the metrics API.

Runtimes count CPU seconds since a container's start. What it uses now is the difference of two counts, of which the
older is kept from the last time somebody asked; if that is too long ago, the newer is taken a moment later.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from knarr.meta import clock
from knarr.node.pod import newest
from knarr.node.runtimes.runtime import ContainerState, PodSandbox, Used

if TYPE_CHECKING:
    from knarr.node.pod_workers import PodWorkers

Tree = dict[str, Any]
FRESH = 5.0  #: seconds for which an answer stays true
STALE = 60.0  #: seconds after which an older count says nothing about now
MOMENT = 1.0  #: seconds between two counts when there is no older one
WINDOW = 15.0  #: seconds over which a runtime's own figures are told to be
NANO = 10**9


@dataclass(frozen=True)
class Count:
    """What the containers had used at a time."""

    when: float
    used: Mapping[str, Used]


@dataclass(frozen=True)
class Rate:
    """What a container uses: cores over the last `window` seconds, and bytes."""

    cpu: float
    memory: float
    window: float


@dataclass
class Stats:
    """Of one node; asks its runtime when it is asked."""

    agent: "PodWorkers"
    _last: Count | None = None
    _rates: Mapping[str, Rate] = field(default_factory=dict)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def summary(self) -> Tree:
        """The kubelet's Summary: of the node, its pods and their containers."""
        async with self._asking:
            now = clock.unix()
            if self._last is None or now - self._last.when > FRESH or self.agent.runtime.name == "simulated":
                await self._measure()
            assert self._last is not None
            return summary(self.agent.config.name, self.agent.sandboxes, self._rates, self._last.when)

    async def _measure(self) -> None:
        count = await self._count()
        before = self._last
        if any(used.cpu is None for used in count.used.values()) and (
            before is None or count.when - before.when > STALE
        ):
            before = count
            await asyncio.sleep(MOMENT)
            count = await self._count()
        self._rates = rates(before, count, started(self.agent.sandboxes))
        self._last = count

    async def _count(self) -> Count:
        used = await self.agent.used()
        return Count(clock.unix(), used)


def rates(before: Count | None, now: Count, started: Mapping[str, float]) -> dict[str, Rate]:
    """What the containers use, from two counts; those that began after the first are counted from their start."""
    found = {}
    for container, used in now.used.items():
        if used.cpu is not None:
            found[container] = Rate(used.cpu, used.memory, WINDOW)
            continue
        old = before.used.get(container) if before is not None else None
        since = before.when if before is not None and old is not None else started.get(container, now.when)
        window = now.when - since
        if window > 0:
            spent = used.cpu_seconds - (old.cpu_seconds if old is not None else 0.0)
            found[container] = Rate(max(0.0, spent) / window, used.memory, window)
    return found


def started(sandboxes: Mapping[str, PodSandbox]) -> dict[str, float]:
    """When each container began, by its id."""
    return {state.id: state.started for sandbox in sandboxes.values() for state in sandbox.containers}


def summary(node: str, sandboxes: Mapping[str, PodSandbox], rates: Mapping[str, Rate], when: float) -> Tree:
    pods = [pod_summary(sandbox, rates, when) for sandbox in sandboxes.values()]
    known = [rates[state.id] for sandbox in sandboxes.values() for state in running(sandbox) if state.id in rates]
    whole = Rate(
        sum(rate.cpu for rate in known),
        sum(rate.memory for rate in known),
        max((rate.window for rate in known), default=WINDOW),
    )
    return {"node": {"nodeName": node, **figures(whole, when)}, "pods": pods}


def pod_summary(sandbox: PodSandbox, rates: Mapping[str, Rate], when: float) -> Tree:
    containers = [
        {
            "name": state.name,
            "startTime": stamp(state.started),
            **(figures(rates[state.id], when) if state.id in rates else {}),
        }
        for state in running(sandbox)
    ]
    reference = {"name": sandbox.name, "namespace": sandbox.namespace, "uid": sandbox.uid}
    return {"podRef": reference, "startTime": stamp(sandbox.created), "containers": containers}


def running(sandbox: PodSandbox) -> list[ContainerState]:
    return [state for state in newest(sandbox).values() if state.state == "running"]


def figures(rate: Rate, when: float) -> Tree:
    """CPU and memory as the kubelet tells them; the window is knarr's own, for the metrics API."""
    time = stamp(when)
    return {
        "cpu": {"time": time, "usageNanoCores": round(rate.cpu * NANO), "windowSeconds": round(rate.window, 3)},
        "memory": {"time": time, "workingSetBytes": round(rate.memory), "usageBytes": round(rate.memory)},
    }


def stamp(seconds: float) -> str:
    return clock.timestamp(datetime.fromtimestamp(seconds, UTC))
