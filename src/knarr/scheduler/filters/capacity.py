"""What a node's pods request together never exceeds what the node can give, nor their number what it can take."""

from collections.abc import Sequence
from functools import lru_cache

from knarr.meta.quantity import NANO
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round
from knarr.scheduler.resources import Amounts

TOO_MANY = Complaint("Too many pods", final=False)


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    return lacking(round_, place.allocatable, place.requested, len(place.pods))


def lacking(round_: Round, allocatable: Amounts, requested: Amounts, pods: int) -> Sequence[Complaint]:
    """What a node lacks on which so many pods request so much."""
    found: list[Complaint] = []
    most = allocatable.get("pods")
    if most is not None and (pods + 1) * NANO > most:
        found.append(TOO_MANY)
    for name, amount in round_.requested.items():
        there = allocatable.get(name, 0)
        if amount and amount > there - requested.get(name, 0):
            found.append(insufficient(name, amount > there))
    return found


@lru_cache(maxsize=256)
def insufficient(name: str, final: bool) -> Complaint:
    return Complaint(f"Insufficient {name}", final)
