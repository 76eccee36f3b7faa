"""A pod goes where its bound volumes can be used, and where those still to be bound can be had."""

from collections.abc import Sequence

from knarr.scheduler import storage
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round

GONE = Complaint("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)")
ELSEWHERE = Complaint("node(s) didn't match PersistentVolume's node affinity")
NONE_FREE = Complaint("node(s) didn't find available persistent volumes to bind")


def concerns(round_: Round) -> bool:
    return bool(round_.needs.bound or round_.needs.waiting)


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    for claim in round_.needs.bound:
        volume = round_.storage.volume(claim.spec.volumeName)
        if volume is None:
            return (GONE,)
        if not storage.fits(volume, place.node):
            return (ELSEWHERE,)
    if round_.needs.waiting and storage.match(round_.needs.waiting, place.node, round_.storage) is None:
        return (NONE_FREE,)
    return ()
