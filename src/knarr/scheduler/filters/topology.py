"""Hard topology spread constraints: no domain gets more than `maxSkew` matching pods above the emptiest one."""

from collections.abc import Mapping, Sequence
from functools import partial

from knarr.kinds.types.core_v1 import Pod, TopologySpreadConstraint
from knarr.meta import labels
from knarr.scheduler.board import Place
from knarr.scheduler.filters import node_affinity, taints
from knarr.scheduler.filters.complaint import Complaint, Round

UNEVEN = Complaint("node(s) didn't match pod topology spread constraints", final=False)
UNLABELED = Complaint("node(s) didn't match pod topology spread constraints (missing required label)")


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    hard = [c for c in round_.pod.spec.topologySpreadConstraints if c.whenUnsatisfiable == "DoNotSchedule"]
    for index, constraint in enumerate(hard):
        domain = place.node.metadata.labels.get(constraint.topologyKey)
        if domain is None:
            return (UNLABELED,)
        counts = round_.remember(f"spread {index}", partial(_counts, round_, constraint, hard))
        least = min(counts.values(), default=0)
        if constraint.minDomains and len(counts) < constraint.minDomains:
            least = 0
        itself = _selector(round_.pod, constraint).matches(round_.pod.metadata.labels)
        if counts.get(domain, 0) + itself - least > constraint.maxSkew:
            return (UNEVEN,)
    return ()


def _selector(pod: Pod, constraint: TopologySpreadConstraint) -> labels.Selector:
    chosen = labels.of_object(constraint.labelSelector)
    same = [
        labels.Requirement(key, "=", (pod.metadata.labels[key],))
        for key in constraint.matchLabelKeys
        if key in pod.metadata.labels
    ]
    return labels.Selector((*chosen.requirements, *same), chosen.nothing)


def _counts(
    round_: Round, constraint: TopologySpreadConstraint, hard: Sequence[TopologySpreadConstraint]
) -> Mapping[str, int]:
    """How many matching pods each domain has; only places that could be used make a domain."""
    selector = _selector(round_.pod, constraint)
    counts: dict[str, int] = {}
    for place in round_.places:
        found = place.node.metadata.labels
        if not all(c.topologyKey in found for c in hard):
            continue
        if constraint.nodeAffinityPolicy != "Ignore" and node_affinity.complaints(round_, place):
            continue
        if constraint.nodeTaintsPolicy == "Honor" and taints.complaints(round_, place):
            continue
        number = sum(
            pod.metadata.namespace == round_.pod.metadata.namespace
            and not pod.metadata.deletionTimestamp
            and selector.matches(pod.metadata.labels)
            for pod in place.pods.values()
        )
        domain = found[constraint.topologyKey]
        counts[domain] = counts.get(domain, 0) + number
    return counts
