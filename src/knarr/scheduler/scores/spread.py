"""The more evenly alike pods are spread the better: by the pod's own constraints, else over nodes and zones.

Alike are the pods that a soft constraint selects; without constraints those of the same controller.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from msgspec import Struct

from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Round
from knarr.scheduler.filters.topology import count, rules

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
DEFAULT = ((HOST, 3), (ZONE, 5))  #: topology key and skew of who says nothing


class Wish(Struct, frozen=True):
    """To be spread over the values of a label; `of` gives how many alike pods a place adds to its value."""

    key: str
    skew: int
    needed: tuple[str, ...]  #: the labels without which a node is no good
    of: Callable[[Place], Mapping[str, int]]


def score(round_: Round) -> Callable[[Place], float] | None:
    found = evenness(round_)
    return (lambda place: found.get(place.name, 0.0)) if found else None


def evenness(round_: Round) -> Mapping[str, float]:
    """By name, how even it would be to choose each of the places that will do, 100 at best; none if all are alike."""
    found = unevenness(round_)
    most, least = max(found.values(), default=0), min(found.values(), default=0)
    return {name: 100.0 * (most + least - here) / most for name, here in found.items()} if most else {}


def unevenness(round_: Round) -> Mapping[str, int]:
    """By name, how many alike pods the places that are compared have near; none when nothing is wished."""
    if not (wanted := list(wishes(round_))):
        return {}
    needed = {key for wish in wanted for key in wish.needed}
    fit = [place for place in round_.compared if needed <= place.node.metadata.labels.keys()]
    sums = [0.0] * len(fit)
    for number, wish in enumerate(wanted):
        values = [place.node.metadata.labels.get(wish.key) for place in fit]
        if not (kinds := {*values} - {None}):
            continue
        weight = math.log((len(fit) if wish.key == HOST else len(kinds)) + 2)
        for index, (place, value) in enumerate(zip(fit, values, strict=True)):
            if value is not None:
                near = wish.of(place) if wish.key == HOST else round_.tally(f"wish {number}", wish.of)
                sums[index] += near.get(value, 0) * weight + wish.skew - 1
    return {place.name: round(total) for place, total in zip(fit, sums, strict=True)}


def wishes(round_: Round) -> Iterator[Wish]:
    pod = round_.pod
    if pod.spec.topologySpreadConstraints:
        for rule in rules(pod, "ScheduleAnyway"):
            constraint = rule.constraint
            yield Wish(constraint.topologyKey, constraint.maxSkew or 1, rule.keys, partial(count, round_, rule))
    elif owner := round_.load.owner:
        for key, skew in DEFAULT:
            yield Wish(key, skew, (), partial(_siblings, owner, key))


def _siblings(owner: str, key: str, place: Place) -> Mapping[str, int]:
    if not (count := place.owners.get(owner)) or (value := place.node.metadata.labels.get(key)) is None:
        return {}
    return {value: count}
