"""A node's taints keep out pods that do not tolerate them: so also a node that is not ready."""

from collections.abc import Sequence

from knarr.kinds.placement import tolerates
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round

EFFECTS = ("NoSchedule", "NoExecute")


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    for taint in place.node.spec.taints:
        if taint.effect in EFFECTS and not tolerates(round_.pod.spec.tolerations, taint):
            return (Complaint("node(s) had untolerated taint(s)"),)
    return ()
