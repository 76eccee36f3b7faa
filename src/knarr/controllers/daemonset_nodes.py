"""Which nodes a DaemonSet wants a pod on, and the pod that it wants there. Pure.

Keeps true: a pod is bound for its node from the start, by an affinity to the node's name that the scheduler follows,
and it tolerates what makes a node unfit for other pods.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from knarr.kinds.daemonset import TEMPLATE_GENERATION
from knarr.kinds.placement import is_selected, required_terms, tolerates
from knarr.kinds.types.apps_v1 import DaemonSet
from knarr.kinds.types.core_v1 import (
    Affinity,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodSpec,
    Toleration,
)
from knarr.loop.pod_templates import pod_of

HASH = "controller-revision-hash"
GENERATION = "pod-template-generation"
NAME_FIELD = "metadata.name"

TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
TOLERATED_ON_HOST_NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a node should get a pod, and whether one that is there may stay."""

    wants: bool
    keeps: bool


def fit(spec: PodSpec, node: Node) -> Fit:
    """What a set whose pods have this spec, as `spec_of` gives it, wants of a node."""
    if spec.nodeName not in ("", node.metadata.name) or not is_selected(spec, node):
        return Fit(False, False)
    taints = [taint for taint in node.spec.taints if not tolerates(spec.tolerations, taint)]
    if any(taint.effect == "NoExecute" for taint in taints):
        return Fit(False, False)
    return Fit(not any(taint.effect == "NoSchedule" for taint in taints), True)


def wish(set_: DaemonSet, node: Node | None) -> Fit:
    """What a set wants of one node, which may not be there."""
    if node is None or not is_selected(set_.spec.template.spec or PodSpec(), node):
        return Fit(False, False)  # as most sets do of most nodes: told without the spec of their pods
    return fit(spec_of(set_), node)


def spec_of(set_: DaemonSet) -> PodSpec:
    """The spec of the set's pods but for their node: the template's, with what such pods tolerate."""
    spec = set_.spec.template.spec or PodSpec()
    pairs = (*TOLERATED, TOLERATED_ON_HOST_NETWORK) if spec.hostNetwork else TOLERATED
    tolerations = list(spec.tolerations)
    for key, effect in pairs:
        toleration = Toleration(key=key, operator="Exists", effect=effect)
        if toleration not in tolerations:
            tolerations.append(toleration)
    return replace(spec, tolerations=tolerations)


def new_pod(set_: DaemonSet, node: str, hash_: str) -> Pod:
    """The set's pod for a node, at the revision of that hash."""
    spec = spec_of(set_)
    labels = {HASH: hash_}
    if generation := set_.metadata.annotations.get(TEMPLATE_GENERATION):
        labels[GENERATION] = generation
    return pod_of(set_, set_.spec.template, labels=labels, spec=replace(spec, affinity=bound_for(spec.affinity, node)))


def bound_for(affinity: Affinity | None, node: str) -> Affinity:
    """An affinity that also means this very node."""
    by_name = NodeSelectorTerm(matchFields=[NodeSelectorRequirement(key=NAME_FIELD, operator="In", values=[node])])
    affinity = affinity or Affinity()
    there = affinity.nodeAffinity or NodeAffinity()
    wanted = replace(there, requiredDuringSchedulingIgnoredDuringExecution=NodeSelector(nodeSelectorTerms=[by_name]))
    return replace(affinity, nodeAffinity=wanted)


def target(pod: Pod) -> str:
    """The node that a pod is on or bound for; "" when nothing says."""
    if pod.spec.nodeName:
        return pod.spec.nodeName
    for term in required_terms(pod.spec):
        for requirement in term.matchFields:
            if requirement.key == NAME_FIELD and requirement.operator == "In" and requirement.values:
                return requirement.values[0]
    return ""
