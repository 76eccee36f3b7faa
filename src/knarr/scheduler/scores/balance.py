"""Processors and memory should be used up at the same pace."""

from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Round

COUNTED = ("cpu", "memory")


def score(round_: Round, place: Place) -> float:
    used = [
        min(1.0, (place.requested.get(n, 0) + round_.requested.get(n, 0)) / place.allocatable[n])
        for n in COUNTED
        if place.allocatable.get(n)
    ]
    return 100.0 * (1 - abs(used[0] - used[1]) / 2) if len(used) == len(COUNTED) else 100.0
