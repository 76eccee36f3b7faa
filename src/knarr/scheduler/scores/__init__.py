"""The scores, one file each: how good a place is for a pod, from 0 to 100, and what each weighs (as upstream).

A score looks at the pod and all places that are compared once, and gives the function that judges each of them; None
when they are all alike to it.
"""

from collections.abc import Callable

from knarr.scheduler.board import Asked, Place
from knarr.scheduler.filters.complaint import Round
from knarr.scheduler.scores import balance, company, least_allocated, preference, reluctance, spread
from knarr.scheduler.scores.least_allocated import COUNTED

Judge = Callable[[Place], float]

#: those that look at nothing but what a place has left and what the pod asks for
OF_ROOM: tuple[tuple[Callable[[Round], Judge], int], ...] = ((least_allocated.score, 1), (balance.score, 1))
OTHERS: tuple[tuple[Callable[[Round], Judge | None], int], ...] = (
    (spread.score, 2),
    (preference.score, 2),
    (company.score, 2),
    (reluctance.score, 3),
)


def best(round_: Round) -> Place:
    """The best of the places that are compared; the first one of those that are equally good."""
    room = room_of(round_)
    judges = [(judge, weight) for score, weight in OTHERS if (judge := score(round_)) is not None]

    def points(place: Place) -> float:
        total = room(place)
        for judge, weight in judges:
            total += weight * judge(place)
        return total

    return max(round_.compared, key=points)


def room_of(round_: Round) -> Judge:
    """What the room of a place is worth to the pod: the same as to the one before that asked for as much, unless
    something has come or gone since."""
    asked: Asked = tuple(
        amounts.get(name, 0) for amounts in (round_.requested, round_.load.assumed) for name in COUNTED
    )
    judges = [(score(round_), weight) for score, weight in OF_ROOM]

    def judge(place: Place) -> float:
        if place.judged is None or place.judged[0] != asked:
            place.judged = asked, sum(weight * judge(place) for judge, weight in judges)
        return place.judged[1]

    return judge
