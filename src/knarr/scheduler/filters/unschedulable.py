"""A node that was cordoned takes only pods that tolerate it."""

from collections.abc import Sequence

from knarr.kinds.placement import tolerates
from knarr.kinds.types.core_v1 import Taint
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round

TAINT = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    if place.node.spec.unschedulable and not tolerates(round_.pod.spec.tolerations, TAINT):
        return (Complaint("node(s) were unschedulable"),)
    return ()
