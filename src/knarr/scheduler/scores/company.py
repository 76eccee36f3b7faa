"""Nodes near pods that the pod likes are better, nodes near pods that it would rather avoid worse, by their weights.

What the pods that are there would like or avoid counts as much, and that some of them must be near such a pod a little.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from knarr.kinds.types.core_v1 import Pod, PodAffinityTerm
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Round
from knarr.scheduler.filters.pod_affinity import Domain, matches, near

MUST = 1  #: the weight of what a pod that is there must have near, as upstream


def score(round_: Round) -> Callable[[Place], float] | None:
    mine = list(preferred(round_.pod))
    places = None if mine else round_.watched()
    if places is not None and not places:
        return None
    if not (found := round_.tally("company", partial(_liking, round_, mine), places)):
        return None
    sums = [_of(found, place) for place in round_.compared]
    least, most = min(sums), max(sums)
    if most == least:
        return None
    return lambda place: 100.0 * (_of(found, place) - least) / (most - least)


def preferred(pod: Pod) -> Iterator[tuple[PodAffinityTerm, int]]:
    """What the pod would like near, and would like to avoid, with weights above and below zero."""
    affinity = pod.spec.affinity
    if affinity is None:
        return
    for sign, terms in ((1, affinity.podAffinity), (-1, affinity.podAntiAffinity)):
        for weighted in terms.preferredDuringSchedulingIgnoredDuringExecution if terms is not None else ():
            yield weighted.podAffinityTerm, sign * weighted.weight


def _liking(round_: Round, mine: list[tuple[PodAffinityTerm, int]], place: Place) -> Mapping[Domain, int]:
    """How much is liked in what a node's labels say, for the pods that are on it."""
    has, found = place.node.metadata.labels, dict[Domain, int]()

    def add(term: PodAffinityTerm, weight: int, owner: Pod, other: Pod) -> None:
        if term.topologyKey in has and matches(term, owner, other, round_):
            domain = term.topologyKey, has[term.topologyKey]
            found[domain] = found.get(domain, 0) + weight

    for pod in place.pods.values() if mine else ():
        for term, weight in mine:
            add(term, weight, round_.pod, pod)
    for pod in place.lookouts.values():
        for term, weight in (*preferred(pod), *((term, MUST) for term in near(pod))):
            add(term, weight, pod, round_.pod)
    return found


def _of(found: Mapping[Domain, int], place: Place) -> int:
    return sum(found.get(domain, 0) for domain in place.node.metadata.labels.items())
