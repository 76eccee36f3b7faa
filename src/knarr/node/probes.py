"""When to probe, and what a row of results means. One task per probe and container attempt.

The worker starts `watch` when a container runs and cancels it when it ends; results go through a callback, and only
changes of the verdict do.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from knarr.kinds.types.core_v1 import Container, Probe
from knarr.meta import clock
from knarr.node.probe import Result, Target, ask
from knarr.node.runtimes.runtime import Runtime

FIRST_RETRY = 1.0  #: seconds; a container that was not ready at once is asked again early, as its start stirs the pod

KINDS = ("Startup", "Readiness", "Liveness")


def probe_of(container: Container, kind: str) -> Probe | None:
    probes = {
        "Startup": container.startupProbe,
        "Readiness": container.readinessProbe,
        "Liveness": container.livenessProbe,
    }
    return probes[kind]


@dataclass(slots=True)
class Row:
    """How many equal results came in a row, and the verdict they led to."""

    success_threshold: int
    failure_threshold: int
    verdict: bool | None = None
    last: bool | None = None
    count: int = 0

    def add(self, success: bool) -> bool:
        """Take a result; whether the verdict changed."""
        self.count = self.count + 1 if self.last is success else 1
        self.last = success
        needed = self.success_threshold if success else self.failure_threshold
        if self.count < needed or self.verdict is success:
            return False
        self.verdict = success
        return True


def row(probe: Probe) -> Row:
    return Row(probe.successThreshold or 1, probe.failureThreshold or 3)


Tell = Callable[[str, Result], Awaitable[None]]  #: an event: its reason and what the probe said
Decide = Callable[[bool], bool]  #: the new verdict; returns whether to go on probing


async def watch(
    runtime: Runtime, target: Target, kind: str, probe: Probe, started: float, tell: Tell, decide: Decide
) -> None:
    """Probe until `decide` has heard enough."""
    results = row(probe)
    period = float(probe.periodSeconds or 10)
    delay = started + (probe.initialDelaySeconds or 0) - clock.unix()
    await asyncio.sleep(max(0.0, delay))
    early = kind == "Readiness" and period > FIRST_RETRY
    while True:
        begun = asyncio.get_running_loop().time()
        result = await ask(runtime, target, probe, float(probe.timeoutSeconds or 1))
        if result.outcome != "success":
            await tell(kind, result)
        if result.outcome != "unknown" and results.add(result.outcome == "success"):
            assert results.verdict is not None
            if not decide(results.verdict):
                return
        pause = FIRST_RETRY if early and results.verdict is None else period
        early = False
        await asyncio.sleep(max(0.0, begun + pause - asyncio.get_running_loop().time()))


def wording(kind: str, result: Result) -> tuple[str, str]:
    """Reason and message of the event about a probe that did not succeed."""
    if result.outcome == "unknown":
        return "Unhealthy", f"{kind} probe errored and resulted in unknown state: {result.output}"
    return "Unhealthy", f"{kind} probe failed: {result.output}"
