"""A node takes only so many volumes of a CSI driver: what its CSINode says, each volume counted once."""

from collections import Counter
from collections.abc import Sequence

from knarr.kinds.pod_claims import claims_of
from knarr.scheduler import storage
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round

EXCEEDED = Complaint("node(s) exceed max volume count", final=False)


def concerns(round_: Round) -> bool:
    return any(claims_of(round_.pod))


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    there = round_.storage
    wanted: frozenset[storage.Driven] = round_.remember("driven", lambda: frozenset(storage.driven(round_.pod, there)))
    if not wanted or not (limits := there.limits(place.name)):
        return ()
    attached = {volume for pod in place.pods.values() for volume in storage.driven(pod, there)}
    new = Counter(driver for driver, _ in wanted - attached)
    old = Counter(driver for driver, _ in attached)
    exceeded = any(driver in limits and old[driver] + more > limits[driver] for driver, more in new.items())
    return (EXCEEDED,) if exceeded else ()
