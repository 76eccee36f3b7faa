"""A pod goes to the zone and region that the labels of its bound volumes name."""

from collections.abc import Sequence

from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round

ELSEWHERE = Complaint("node(s) had no available volume zone")
#: a volume's label -> the labels of a node that may answer it
LABELS = {
    f"{prefix}/{what}": (f"{prefix}/{what}", f"{other}/{what}")
    for what in ("zone", "region")
    for prefix, other in (
        ("topology.kubernetes.io", "failure-domain.beta.kubernetes.io"),
        ("failure-domain.beta.kubernetes.io", "topology.kubernetes.io"),
    )
}
SEPARATOR = "__"  #: between the zones of a volume that is in several


def concerns(round_: Round) -> bool:
    return bool(round_.needs.bound)


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    has = place.node.metadata.labels
    if not any(key in has for key in LABELS):
        return ()  # a node that knows no zones is not held to them
    for claim in round_.needs.bound:
        volume = round_.storage.volume(claim.spec.volumeName)
        for key, value in volume.metadata.labels.items() if volume is not None else ():
            if key in LABELS and not any(has.get(name) in value.split(SEPARATOR) for name in LABELS[key]):
                return (ELSEWHERE,)
    return ()
