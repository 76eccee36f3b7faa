"""Which nodes a pod or a volume is for: selectors of nodes, taints and tolerations. Pure.

The scheduler, the DaemonSet and the node life cycle controllers judge nodes with it.
"""

from collections.abc import Sequence

from knarr.kinds.types.core_v1 import (
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PersistentVolumeSpec,
    PodSpec,
    Taint,
    Toleration,
)


def is_selected(spec: PodSpec, node: Node) -> bool:
    """Whether a pod's node selector and its required node affinity mean the node."""
    wanted = required(spec)
    labels = node.metadata.labels
    selected = all(labels.get(key) == value for key, value in spec.nodeSelector.items())
    return selected and (wanted is None or selects(wanted, node))


def required(spec: PodSpec) -> NodeSelector | None:
    """The node affinity that a pod insists on."""
    affinity = spec.affinity.nodeAffinity if spec.affinity else None
    return affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None


def required_terms(spec: PodSpec) -> Sequence[NodeSelectorTerm]:
    """Its terms, of which one has to hold."""
    wanted = required(spec)
    return wanted.nodeSelectorTerms if wanted is not None else ()


def volume_terms(spec: PersistentVolumeSpec) -> Sequence[NodeSelectorTerm]:
    """The terms by which a volume says where it can be used, of which one has to hold."""
    affinity = spec.nodeAffinity
    return affinity.required.nodeSelectorTerms if affinity and affinity.required else ()


def selects(selector: NodeSelector, node: Node) -> bool:
    """Whether any of the selector's terms holds for the node."""
    return any(holds(term, node) for term in selector.nodeSelectorTerms)


def holds(term: NodeSelectorTerm, node: Node) -> bool:
    """Whether all of a term holds; one that says nothing never does."""
    if not term.matchExpressions and not term.matchFields:
        return False
    fields = {"metadata.name": node.metadata.name}
    return all(_matches(r, node.metadata.labels.get(r.key)) for r in term.matchExpressions) and all(
        _matches(r, fields.get(r.key)) for r in term.matchFields
    )


def _matches(requirement: NodeSelectorRequirement, value: str | None) -> bool:
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return value is not None and _compares(requirement, value)
    return False


def _compares(requirement: NodeSelectorRequirement, value: str) -> bool:
    try:
        number, bound = int(value), int(requirement.values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if requirement.operator == "Gt" else number < bound


def tolerates(tolerations: Sequence[Toleration], taint: Taint) -> bool:
    """Whether one of the tolerations is for the taint."""
    return any(is_for(toleration, taint) for toleration in tolerations)


def is_for(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    match toleration.operator:
        case "" | "Equal":
            return toleration.key != "" and toleration.value == taint.value
        case "Exists":
            return True
        case "Gt" | "Lt":
            return _exceeds(toleration, taint)
    return False


def _exceeds(toleration: Toleration, taint: Taint) -> bool:
    try:
        have, bound = int(taint.value), int(toleration.value)
    except ValueError:
        return False
    return have > bound if toleration.operator == "Gt" else have < bound
