"""The fewer pods of the same controller a node has, the better."""

from knarr.scheduler.board import Place, owner_of
from knarr.scheduler.filters.complaint import Round


def score(round_: Round, place: Place) -> float:
    owner = owner_of(round_.pod)
    if not owner:
        return 100.0
    most = round_.remember("most siblings", lambda: max((p.owners[owner] for p in round_.places), default=0))
    return 100.0 * (most - place.owners[owner]) / most if most else 100.0
