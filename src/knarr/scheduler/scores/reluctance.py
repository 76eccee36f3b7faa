"""Nodes that would rather not have the pod are worse: the fewer PreferNoSchedule taints it meets, the better."""

from knarr.kinds.placement import tolerates
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Round


def score(round_: Round, place: Place) -> float:
    most = round_.remember("most reluctance", lambda: max((_met(round_, p) for p in round_.compared), default=0))
    return 100.0 * (most - _met(round_, place)) / most if most else 100.0


def _met(round_: Round, place: Place) -> int:
    return sum(
        taint.effect == "PreferNoSchedule" and not tolerates(round_.pod.spec.tolerations, taint)
        for taint in place.node.spec.taints
    )
