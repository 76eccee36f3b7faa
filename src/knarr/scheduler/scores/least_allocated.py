"""The more of a node's processors and memory stays free, the better."""

from collections.abc import Callable

from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Round

COUNTED = ("cpu", "memory")


def score(round_: Round) -> Callable[[Place], float]:
    asked = round_.load.assumed
    each = [(name, asked.get(name, 0)) for name in COUNTED]

    def judge(place: Place) -> float:
        total, counted = 0.0, 0
        for name, amount in each:
            if there := place.allocatable.get(name):
                total += max(0, there - place.assumed.get(name, 0) - amount) * 100 / there
                counted += 1
        return total / counted if counted else 0.0

    return judge
