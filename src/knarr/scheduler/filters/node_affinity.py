"""A pod goes only to nodes that its node selector and its required node affinity mean."""

from collections.abc import Sequence

from knarr.kinds.placement import selects
from knarr.kinds.types.core_v1 import Pod
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round

NAME, CONFLICT = "metadata.name", "pod affinity terms conflict"
ELSEWHERE = Complaint("node(s) didn't satisfy plugin(s) [NodeAffinity]")


def named(pod: Pod) -> frozenset[str] | None:
    """The names of the nodes that the pod's affinity leaves it, as a daemon's does; None when it names none."""
    affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    found: set[str] = set()
    for term in required.nodeSelectorTerms if required else ():
        fields = [set(field.values) for field in term.matchFields if field.key == NAME and field.operator == "In"]
        if not fields:
            return None
        found |= set.intersection(*fields)
    return frozenset(found) if required and required.nodeSelectorTerms else None


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    spec, node = round_.pod.spec, place.node
    if not spec.nodeSelector and spec.affinity is None:
        return ()
    affinity = spec.affinity.nodeAffinity if spec.affinity else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    selected = all(node.metadata.labels.get(key) == value for key, value in spec.nodeSelector.items())
    if selected and (required is None or selects(required, node)):
        return ()
    return (Complaint("node(s) didn't match Pod's node affinity/selector"),)
