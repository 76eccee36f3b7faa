"""Pods that must be near others, or must not: the pod's own terms, and what pods already placed will not have near."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from knarr.kinds.types.core_v1 import Pod, PodAffinityTerm
from knarr.kinds.types.meta_v1 import LabelSelector
from knarr.meta import labels
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round

Domain = tuple[str, str]  #: topology key and value
Counts = Mapping[Domain, int]

NOT_NEAR = Complaint("node(s) didn't match pod affinity rules")
TOO_NEAR = Complaint("node(s) didn't match pod anti-affinity rules", final=False)
UNWELCOME = Complaint("node(s) didn't satisfy existing pods anti-affinity rules", final=False)


def concerns(round_: Round) -> bool:
    """A pod without terms still may be unwelcome: to pods that are there, or that are nominated."""
    return round_.pod.spec.affinity is not None or bool(round_.watched()) or bool(round_.nominated)


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    labels_there = place.node.metadata.labels.items()
    wanted = near(round_.pod)
    if wanted and not _is_near(round_, place, wanted):
        return (NOT_NEAR,)
    if guards(round_.pod):
        taken = round_.tally("apart", partial(_disliked, round_))
        if any(taken.get(domain, 0) > 0 for domain in labels_there):
            return (TOO_NEAR,)
    closed = round_.tally("closed", partial(_closed, round_), round_.watched())
    if closed and any(closed.get(domain, 0) > 0 for domain in labels_there):
        return (UNWELCOME,)
    return ()


def _is_near(round_: Round, place: Place, wanted: Sequence[PodAffinityTerm]) -> bool:
    """Whether the place is near pods that all the terms mean; the first of a kind has nobody to be near to."""
    has, found = place.node.metadata.labels, round_.tally("near", partial(_liked, round_, wanted))
    if not all(term.topologyKey in has for term in wanted):
        return False
    if all(found.get((term.topologyKey, has[term.topologyKey]), 0) > 0 for term in wanted):
        return True
    return not any(found.values()) and all(matches(term, round_.pod, round_.pod, round_) for term in wanted)


def matches(term: PodAffinityTerm, owner: Pod, other: Pod, round_: Round) -> bool:
    """Whether a term of `owner` means `other`."""
    namespace = other.metadata.namespace
    named = namespace in term.namespaces
    if term.namespaceSelector is not None:
        spaces = _selector(round_, term.namespaceSelector)
        named = named or spaces.matches(round_.namespaces.get(namespace, {}))
    elif not term.namespaces:
        named = namespace == owner.metadata.namespace
    return (
        named
        and _selector(round_, term.labelSelector).matches(other.metadata.labels)
        and _same_keys(term, owner, other)
    )


def _selector(round_: Round, of: LabelSelector | None) -> labels.Selector:
    found: labels.Selector = round_.remember(("selector", id(of)), partial(labels.of_object, of))
    return found


def _same_keys(term: PodAffinityTerm, owner: Pod, other: Pod) -> bool:
    mine, theirs = owner.metadata.labels, other.metadata.labels
    return all(mine[key] == theirs.get(key) for key in term.matchLabelKeys if key in mine) and all(
        mine[key] != theirs.get(key) for key in term.mismatchLabelKeys if key in mine
    )


def _liked(round_: Round, wanted: Sequence[PodAffinityTerm], place: Place) -> Counts:
    """Where the pods of a place are, as far as all terms of the round's pod mean them."""
    number = sum(all(matches(term, round_.pod, pod, round_) for term in wanted) for pod in place.pods.values())
    return _counted(place, [(term, number) for term in wanted])


def _disliked(round_: Round, place: Place) -> Counts:
    """Where the pods of a place are that a term of the round's pod will not have near."""
    terms = guards(round_.pod)
    return _counted(
        place, [(t, sum(matches(t, round_.pod, pod, round_) for pod in place.pods.values())) for t in terms]
    )


def _closed(round_: Round, place: Place) -> Counts:
    """Where the pods of a place are that will not have the round's pod near."""
    if not place.lookouts:
        return {}
    terms = [(t, pod) for pod in place.lookouts.values() for t in guards(pod)]
    return _counted(place, [(t, int(matches(t, pod, round_.pod, round_))) for t, pod in terms])


def _counted(place: Place, found: Iterable[tuple[PodAffinityTerm, int]]) -> Counts:
    has, counts = place.node.metadata.labels, dict[Domain, int]()
    for term, number in found:
        if number and term.topologyKey in has:
            domain = term.topologyKey, has[term.topologyKey]
            counts[domain] = counts.get(domain, 0) + number
    return counts


def near(pod: Pod) -> Sequence[PodAffinityTerm]:
    """The required affinity terms of a pod."""
    affinity = pod.spec.affinity.podAffinity if pod.spec.affinity else None
    return affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else ()


def guards(pod: Pod) -> Sequence[PodAffinityTerm]:
    """The required anti-affinity terms of a pod."""
    apart = pod.spec.affinity.podAntiAffinity if pod.spec.affinity else None
    return apart.requiredDuringSchedulingIgnoredDuringExecution if apart else ()
