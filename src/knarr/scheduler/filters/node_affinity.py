"""A pod goes only to nodes that its node selector and its required node affinity mean."""

from collections.abc import Sequence

from knarr.kinds.placement import selects
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    spec, node = round_.pod.spec, place.node
    affinity = spec.affinity.nodeAffinity if spec.affinity else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    selected = all(node.metadata.labels.get(key) == value for key, value in spec.nodeSelector.items())
    if selected and (required is None or selects(required, node)):
        return ()
    return (Complaint("node(s) didn't match Pod's node affinity/selector"),)
