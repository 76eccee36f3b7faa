"""Nodes that the pod's preferred node affinity means are better, by its weights."""

from collections.abc import Callable

from knarr.kinds.placement import holds
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Round


def score(round_: Round) -> Callable[[Place], float] | None:
    affinity = round_.pod.spec.affinity.nodeAffinity if round_.pod.spec.affinity else None
    terms = affinity.preferredDuringSchedulingIgnoredDuringExecution if affinity else []
    if not (total := sum(abs(term.weight) for term in terms)):
        return None

    def judge(place: Place) -> float:
        return 100.0 * sum(t.weight for t in terms if holds(t.preference, place.node)) / total

    return judge
