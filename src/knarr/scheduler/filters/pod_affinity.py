"""Pods that must be near others, or must not: the pod's own terms, and what pods already placed will not have near."""

from collections.abc import Iterable, Sequence
from functools import partial

from knarr.kinds.types.core_v1 import Pod, PodAffinityTerm
from knarr.meta import labels
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round

Domains = frozenset[tuple[str, str]]  #: topology key and value

NOT_NEAR = Complaint("node(s) didn't match pod affinity rules")
TOO_NEAR = Complaint("node(s) didn't match pod anti-affinity rules", final=False)
UNWELCOME = Complaint("node(s) didn't satisfy existing pods anti-affinity rules", final=False)


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    affinity = round_.pod.spec.affinity
    near = affinity.podAffinity if affinity else None
    for index, term in enumerate(near.requiredDuringSchedulingIgnoredDuringExecution if near else ()):
        domains = round_.remember(f"near {index}", partial(_domains, round_, term))
        value = place.node.metadata.labels.get(term.topologyKey)
        first = not domains and matches(term, round_.pod, round_.pod, round_)
        if value is None or (not first and (term.topologyKey, value) not in domains):
            return (NOT_NEAR,)
    apart = affinity.podAntiAffinity if affinity else None
    for index, term in enumerate(apart.requiredDuringSchedulingIgnoredDuringExecution if apart else ()):
        domains = round_.remember(f"apart {index}", partial(_domains, round_, term))
        if (term.topologyKey, place.node.metadata.labels.get(term.topologyKey)) in domains:
            return (TOO_NEAR,)
    closed: Domains = round_.remember("closed", lambda: _closed(round_))
    if any((key, place.node.metadata.labels.get(key)) in closed for key in {key for key, _ in closed}):
        return (UNWELCOME,)
    return ()


def matches(term: PodAffinityTerm, owner: Pod, other: Pod, round_: Round) -> bool:
    """Whether a term of `owner` means `other`."""
    namespace = other.metadata.namespace
    named = namespace in term.namespaces
    if term.namespaceSelector is not None:
        selector = labels.of_object(term.namespaceSelector)
        named = named or selector.matches(round_.namespaces.get(namespace, {}))
    elif not term.namespaces:
        named = namespace == owner.metadata.namespace
    return (
        named and labels.of_object(term.labelSelector).matches(other.metadata.labels) and _same_keys(term, owner, other)
    )


def _same_keys(term: PodAffinityTerm, owner: Pod, other: Pod) -> bool:
    mine, theirs = owner.metadata.labels, other.metadata.labels
    return all(mine[key] == theirs.get(key) for key in term.matchLabelKeys if key in mine) and all(
        mine[key] != theirs.get(key) for key in term.mismatchLabelKeys if key in mine
    )


def _domains(round_: Round, term: PodAffinityTerm) -> Domains:
    """Where the pods are that a term of the round's pod means."""
    return _where(
        (place, term)
        for place in round_.places
        if any(matches(term, round_.pod, p, round_) for p in place.pods.values())
    )


def _closed(round_: Round) -> Domains:
    """Where pods are that will not have the round's pod near."""
    return _where(
        (place, term)
        for place in round_.places
        for pod in place.guards.values()
        for term in guards(pod)
        if matches(term, pod, round_.pod, round_)
    )


def guards(pod: Pod) -> Sequence[PodAffinityTerm]:
    """The required anti-affinity terms of a pod."""
    apart = pod.spec.affinity.podAntiAffinity if pod.spec.affinity else None
    return apart.requiredDuringSchedulingIgnoredDuringExecution if apart else ()


def _where(found: Iterable[tuple[Place, PodAffinityTerm]]) -> Domains:
    return frozenset(
        (term.topologyKey, place.node.metadata.labels[term.topologyKey])
        for place, term in found
        if term.topologyKey in place.node.metadata.labels
    )
