"""What a running simulated container goes through: its stages one after the other, each when its time has come."""

import asyncio
from collections.abc import Callable

from knarr.meta import clock
from knarr.node.simulation.stages import Exit, PodStage, Point, Stages, Subject, usage


class Life:
    """One container while it runs. `ends` is called when a stage ends it; `stop` when something else did."""

    def __init__(self, stages: Stages, subject: Subject, ends: Callable[[Exit], None]) -> None:
        self._stages, self._subject, self._ends = stages, subject, ends
        self._timer: asyncio.TimerHandle | None = None
        self._used: tuple[Point, ...] = ()
        self._since = 0.0
        self.healthy = True  #: probes pass

    def begin(self, first: PodStage | None, used: tuple[Point, ...] = ()) -> None:
        """Begin with a stage that is set, or with the one that is chosen."""
        self._use(used)
        self._expect(first or self._stages.pod("running", self._subject, clock.rng()))

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def uses(self) -> Point | None:
        """What it uses now; None when nothing says."""
        return usage(self._used, clock.unix() - self._since) if self._used else None

    def _use(self, points: tuple[Point, ...]) -> None:
        if points:
            self._used, self._since = points, clock.unix()

    def _expect(self, stage: PodStage | None) -> None:
        if stage is not None:
            delay = stage.seconds(clock.rng())
            self._timer = asyncio.get_running_loop().call_later(delay, self._take_effect, stage)

    def _take_effect(self, stage: PodStage) -> None:
        effect = stage.effect
        self._use(effect.usage)
        if effect.probes:
            self.healthy = effect.probes == "pass"
        if effect.exit is not None:
            self._ends(effect.exit)
        else:
            self._expect(self._stages.pod("running", self._subject, clock.rng(), follows=stage.name))
