"""Processors and memory should be used up at the same pace."""

from collections.abc import Callable

from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Round


def score(round_: Round) -> Callable[[Place], float]:
    cpu, memory = round_.requested.get("cpu", 0), round_.requested.get("memory", 0)

    def judge(place: Place) -> float:
        there, taken = place.allocatable, place.requested
        if not (there.get("cpu") and there.get("memory")):
            return 100.0
        used = min(1.0, (taken.get("cpu", 0) + cpu) / there["cpu"])
        filled = min(1.0, (taken.get("memory", 0) + memory) / there["memory"])
        return 100.0 * (1 - abs(used - filled) / 2)

    return judge
