"""A pod that names its node goes there or nowhere."""

from collections.abc import Sequence

from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round


def concerns(round_: Round) -> bool:
    return bool(round_.pod.spec.nodeName)


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    if round_.pod.spec.nodeName != place.name:
        return (Complaint("node(s) didn't match the requested node name"),)
    return ()
