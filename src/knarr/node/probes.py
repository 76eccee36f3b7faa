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

FIRST_RETRY = 1.0  #: seconds; a container that was not up at once is asked again early, not a period later

SLACK = 0.05  #: seconds a timer may be early


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


def row(probe: Probe, verdict: bool | None = None) -> Row:
    """An empty row; `verdict` is what was known before."""
    return Row(probe.successThreshold or 1, probe.failureThreshold or 3, verdict)


Tell = Callable[[str, Result], Awaitable[None]]  #: an event: its reason and what the probe said
Decide = Callable[[bool], bool]  #: the new verdict; returns whether to go on probing


async def watch(
    runtime: Runtime, target: Target, kind: str, probe: Probe, started: float, results: Row, tell: Tell, decide: Decide
) -> None:
    """Probe until `decide` has heard enough."""
    loop = asyncio.get_running_loop()
    period = float(probe.periodSeconds or 10)
    begin = loop.time() + started + (probe.initialDelaySeconds or 0) - clock.unix()
    strict_from = begin + period  # what fails before is a start, no failure
    await sleep_until(begin if kind != "Liveness" else strict_from)
    early = kind != "Liveness" and period > FIRST_RETRY
    while True:
        begun = loop.time()
        result = await ask(runtime, target, probe, float(probe.timeoutSeconds or 1))
        if result.outcome != "success":
            await tell(kind, result)
        counts = result.outcome == "success" or (result.outcome == "failure" and begun >= strict_from - SLACK)
        if counts and results.add(result.outcome == "success"):
            assert results.verdict is not None
            if not decide(results.verdict):
                return
        await sleep_until(begun + (FIRST_RETRY if early and results.verdict is None else period))
        early = False


async def sleep_until(moment: float) -> None:
    """Until the running loop's clock shows `moment`."""
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))


def wording(kind: str, result: Result) -> tuple[str, str]:
    """Reason and message of the event about a probe that did not succeed."""
    if result.outcome == "unknown":
        return "Unhealthy", f"{kind} probe errored and resulted in unknown state: {result.output}"
    return "Unhealthy", f"{kind} probe failed: {result.output}"
