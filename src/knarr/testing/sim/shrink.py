"""The shortest history of a breach: acts are left out, and their values made plain, for as long as it still happens."""

from collections.abc import Callable, Iterator, Sequence

from knarr.testing.sim.schedule import Act

Breaks = Callable[[Sequence[Act]], bool]


def shrunk(acts: Sequence[Act], breaks: Breaks, tries: int = 60) -> list[Act]:
    """A part of the schedule that still breaks the same rule, found with at most so many lives."""
    left = list(acts)
    for candidate in _halves(left):
        if tries and breaks(candidate):
            left, tries = candidate, tries - 1
            break
        tries -= bool(tries)
    changed = True
    while changed and tries:
        changed = False
        for candidate in _without_one(left):
            if not tries:
                break
            tries -= 1
            if breaks(candidate):
                left, changed = candidate, True
                break
    return left


def _halves(acts: Sequence[Act]) -> Iterator[list[Act]]:
    """What happened until some act, the shorter first: what broke things often came just before."""
    for part in (4, 2):
        if len(acts) > part:
            yield list(acts[: len(acts) // part])


def _without_one(acts: Sequence[Act]) -> Iterator[list[Act]]:
    """The acts without one of them; a workload's creation only together with all that is done to it."""
    for number in reversed(range(len(acts))):
        act = acts[number]
        if act.verb == "create":
            rest = [other for other in acts if other.subject != act.subject]
        else:
            rest = [*acts[:number], *acts[number + 1 :]]
        if rest and len(rest) < len(acts):
            yield rest
