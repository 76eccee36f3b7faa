"""The scores, one file each: how good a place is for a pod, from 0 to 100, and what each weighs (as upstream).

A score looks at the pod and all places that are compared once, and gives the function that judges each of them; None
when they are all alike to it.
"""

from collections.abc import Callable

from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Round
from knarr.scheduler.scores import balance, company, least_allocated, preference, reluctance, spread

Judge = Callable[[Place], float]

SCORES: tuple[tuple[Callable[[Round], Judge | None], int], ...] = (
    (least_allocated.score, 1),
    (balance.score, 1),
    (spread.score, 2),
    (preference.score, 2),
    (company.score, 2),
    (reluctance.score, 3),
)


def best(round_: Round) -> Place:
    """The best of the places that are compared; the first one of those that are equally good."""
    judges = [(judge, weight) for score, weight in SCORES if (judge := score(round_)) is not None]

    def points(place: Place) -> float:
        total = 0.0
        for judge, weight in judges:
            total += weight * judge(place)
        return total

    return max(round_.compared, key=points)
