"""The scores, one file each: how good a place is for a pod, from 0 to 100, and what each weighs (as upstream)."""

from collections.abc import Callable

from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Round
from knarr.scheduler.scores import balance, company, least_allocated, preference, reluctance, spread

Score = Callable[[Round, Place], float]

SCORES: tuple[tuple[Score, int], ...] = (
    (least_allocated.score, 1),
    (balance.score, 1),
    (spread.score, 2),
    (preference.score, 2),
    (company.score, 2),
    (reluctance.score, 3),
)
