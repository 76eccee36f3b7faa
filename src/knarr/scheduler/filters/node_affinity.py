"""A pod goes only to nodes that its node selector and its required node affinity mean."""

from collections.abc import Sequence

from knarr.kinds.placement import is_selected, required_terms
from knarr.kinds.types.core_v1 import Pod
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round

NAME, CONFLICT = "metadata.name", "pod affinity terms conflict"
ELSEWHERE = Complaint("node(s) didn't satisfy plugin(s) [NodeAffinity]")


def named(pod: Pod) -> frozenset[str] | None:
    """The names of the nodes that the pod's affinity leaves it, as a daemon's does; None when it names none."""
    terms, found = required_terms(pod.spec), set[str]()
    for term in terms:
        fields = [set(field.values) for field in term.matchFields if field.key == NAME and field.operator == "In"]
        if not fields:
            return None
        found |= set.intersection(*fields)
    return frozenset(found) if terms else None


def concerns(round_: Round) -> bool:
    return bool(round_.pod.spec.nodeSelector) or round_.pod.spec.affinity is not None


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    if is_selected(round_.pod.spec, place.node):
        return ()
    return (Complaint("node(s) didn't match Pod's node affinity/selector"),)
