"""What a node's pods request together never exceeds what the node can give, nor their number what it can take."""

from collections.abc import Sequence

from knarr.meta.quantity import NANO
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    found: list[Complaint] = []
    most = place.allocatable.get("pods")
    if most is not None and (len(place.pods) + 1) * NANO > most:
        found.append(Complaint("Too many pods", final=False))
    for name, amount in sorted(round_.requested.items()):
        there = place.allocatable.get(name, 0)
        if amount and amount > there - place.requested.get(name, 0):
            found.append(Complaint(f"Insufficient {name}", final=amount > there))
    return found
