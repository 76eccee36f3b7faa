"""The more of a node's processors and memory stays free, the better."""

from knarr.scheduler import resources
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Round

COUNTED = ("cpu", "memory")


def score(round_: Round, place: Place) -> float:
    asked = round_.remember("assumed", lambda: resources.assumed(round_.pod))
    there = [name for name in COUNTED if place.allocatable.get(name)]
    free = (place.allocatable[n] - place.assumed.get(n, 0) - asked.get(n, 0) for n in there)
    parts = [max(0, left) * 100 / place.allocatable[n] for n, left in zip(there, free, strict=True)]
    return sum(parts) / len(parts) if parts else 0.0
