"""Hard topology spread constraints: no domain gets more than `maxSkew` matching pods above the emptiest one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from knarr.kinds.types.core_v1 import Pod, TopologySpreadConstraint
from knarr.meta import labels
from knarr.scheduler.board import Place
from knarr.scheduler.filters import node_affinity, taints
from knarr.scheduler.filters.complaint import Complaint, Round

UNEVEN = Complaint("node(s) didn't match pod topology spread constraints", final=False)
UNLABELED = Complaint("node(s) didn't match pod topology spread constraints (missing required label)")


@dataclass(frozen=True, slots=True)
class Rule:
    """A constraint, the selector of the pods it counts, and the keys that a node has to have to be counted."""

    constraint: TopologySpreadConstraint
    selector: labels.Selector
    keys: tuple[str, ...]


def concerns(round_: Round) -> bool:
    return bool(round_.pod.spec.topologySpreadConstraints)


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    has = place.node.metadata.labels
    hard: Sequence[Rule] = round_.remember("hard rules", lambda: rules(round_.pod, "DoNotSchedule"))
    for index, rule in enumerate(hard):
        constraint = rule.constraint
        if constraint.topologyKey not in has:
            return (UNLABELED,)
        counts = round_.tally(f"spread {index}", partial(count, round_, rule))
        least = round_.reckon(f"least {index}", partial(_least, counts, constraint.minDomains or 1))
        itself = rule.selector.matches(round_.pod.metadata.labels)
        if counts.get(has[constraint.topologyKey], 0) + itself - least > constraint.maxSkew:
            return (UNEVEN,)
    return ()


def rules(pod: Pod, when: str) -> Sequence[Rule]:
    """The constraints of a pod that say this of what is to happen when they cannot be met."""
    chosen = [c for c in pod.spec.topologySpreadConstraints if c.whenUnsatisfiable == when]
    keys = tuple(c.topologyKey for c in chosen)
    return [Rule(c, _selector(pod, c), keys) for c in chosen]


def _selector(pod: Pod, constraint: TopologySpreadConstraint) -> labels.Selector:
    chosen = labels.of_object(constraint.labelSelector)
    same = [
        labels.Requirement(key, "=", (pod.metadata.labels[key],))
        for key in constraint.matchLabelKeys
        if key in pod.metadata.labels
    ]
    return labels.Selector((*chosen.requirements, *same), chosen.nothing)


def _least(counts: Mapping[str, int], domains: int) -> int:
    """How many the emptiest domain has; none when there are fewer domains than there should be."""
    return min(counts.values(), default=0) if len(counts) >= domains else 0


def count(round_: Round, rule: Rule, place: Place) -> Mapping[str, int]:
    """How many matching pods a place adds to its domain; only places that could be used make a domain."""
    constraint, has = rule.constraint, place.node.metadata.labels
    if not all(key in has for key in rule.keys):
        return {}
    if constraint.nodeAffinityPolicy != "Ignore" and node_affinity.complaints(round_, place):
        return {}
    if constraint.nodeTaintsPolicy == "Honor" and taints.complaints(round_, place):
        return {}
    return {has[constraint.topologyKey]: alike(round_.pod, rule.selector, place)}


def alike(pod: Pod, selector: labels.Selector, place: Place) -> int:
    """How many pods of a place a selector of the pod's constraint means; one that means all pods counts none."""
    if selector.empty:
        return 0
    space = pod.metadata.namespace
    return sum(
        other.metadata.namespace == space
        and not other.metadata.deletionTimestamp
        and selector.matches(other.metadata.labels)
        for other in place.pods.values()
    )
