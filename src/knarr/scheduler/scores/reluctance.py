"""Nodes that would rather not have the pod are worse: the fewer PreferNoSchedule taints it meets, the better."""

from collections.abc import Callable

from knarr.kinds.placement import tolerates
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Round


def score(round_: Round) -> Callable[[Place], float] | None:
    met = {place.name: _met(round_, place) for place in round_.compared if place.node.spec.taints}
    if not (most := max(met.values(), default=0)):
        return None
    return lambda place: 100.0 * (most - met.get(place.name, 0)) / most


def _met(round_: Round, place: Place) -> int:
    return sum(
        taint.effect == "PreferNoSchedule" and not tolerates(round_.pod.spec.tolerations, taint)
        for taint in place.node.spec.taints
    )
