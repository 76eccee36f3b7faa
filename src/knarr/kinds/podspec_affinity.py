"""Rules of where a pod may go: affinities, spread constraints, tolerations and the gates before scheduling."""

from collections.abc import Iterator, Sequence

from knarr.kinds import rules
from knarr.kinds.types.core_v1 import (
    Affinity,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodSchedulingGate,
    Toleration,
    TopologySpreadConstraint,
)
from knarr.kinds.types.meta_v1 import LabelSelector
from knarr.meta import field, names
from knarr.meta.field import FieldError, at
from knarr.meta.label_rules import validate_operator, validate_selector

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
BOTH_KEYS = "exists in both matchLabelKeys and labelSelector"


def affinity(given: Affinity | None, path: str) -> Iterator[FieldError]:
    if given is None:
        return
    if given.nodeAffinity is not None:
        yield from node_affinity(given.nodeAffinity, f"{path}.nodeAffinity")
    if given.podAffinity is not None:
        yield from pod_affinity(given.podAffinity, f"{path}.podAffinity")
    if given.podAntiAffinity is not None:
        yield from pod_affinity(given.podAntiAffinity, f"{path}.podAntiAffinity")


def node_affinity(given: NodeAffinity, path: str) -> Iterator[FieldError]:
    if given.requiredDuringSchedulingIgnoredDuringExecution is not None:
        yield from node_selector(given.requiredDuringSchedulingIgnoredDuringExecution, at(path, REQUIRED))
    for index, term in enumerate(given.preferredDuringSchedulingIgnoredDuringExecution):
        where = at(path, PREFERRED, index)
        yield from weight(term.weight, where)
        yield from node_term(term.preference, f"{where}.preference", values=False)


def weight(value: int, path: str) -> Iterator[FieldError]:
    if not 1 <= value <= 100:
        yield field.wrong(f"{path}.weight", value, "must be in the range 1-100")


def node_selector(selector: NodeSelector, path: str) -> Iterator[FieldError]:
    """A selector of nodes, as pods and volumes have it."""
    path = f"{path}.nodeSelectorTerms"
    if not selector.nodeSelectorTerms:
        yield field.required(path, "must have at least one node selector term")
    for index, term in enumerate(selector.nodeSelectorTerms):
        yield from node_term(term, f"{path}[{index}]")


def node_term(term: NodeSelectorTerm, path: str, *, values: bool = True) -> Iterator[FieldError]:
    """A term's requirements; `values` says whether the labels' values must be possible ones."""
    for index, requirement in enumerate(term.matchExpressions):
        yield from node_requirement(requirement, f"{path}.matchExpressions[{index}]", values=values)
    for index, requirement in enumerate(term.matchFields):
        yield from node_field(requirement, f"{path}.matchFields[{index}]")


def node_requirement(given: NodeSelectorRequirement, path: str, *, values: bool) -> Iterator[FieldError]:
    if given.operator in ("Gt", "Lt"):
        if len(given.values) != 1:
            message = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            yield field.required(f"{path}.values", message)
    else:
        yield from validate_operator(given.operator, given.values, path)
    yield from rules.qualified_name(given.key, f"{path}.key")
    if values:
        for index, value in enumerate(given.values):
            yield from rules.wrong(f"{path}.values[{index}]", value, names.label_value_errors(value))


def node_field(given: NodeSelectorRequirement, path: str) -> Iterator[FieldError]:
    if given.operator not in ("In", "NotIn"):
        yield field.wrong(f"{path}.operator", given.operator, "not a valid selector operator")
    elif len(given.values) != 1:
        message = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield field.required(f"{path}.values", message)
    if given.key != "metadata.name":
        yield field.wrong(f"{path}.key", given.key, "not a valid field selector key")
        return
    for index, value in enumerate(given.values):
        yield from rules.dns_subdomain(value, f"{path}.values[{index}]")


def pod_affinity(given: PodAffinity | PodAntiAffinity, path: str) -> Iterator[FieldError]:
    for index, term in enumerate(given.requiredDuringSchedulingIgnoredDuringExecution):
        yield from pod_term(term, at(path, REQUIRED, index))
    for index, weighted in enumerate(given.preferredDuringSchedulingIgnoredDuringExecution):
        where = at(path, PREFERRED, index)
        yield from weight(weighted.weight, where)
        yield from pod_term(weighted.podAffinityTerm, f"{where}.podAffinityTerm")


def pod_term(term: PodAffinityTerm, path: str) -> Iterator[FieldError]:
    yield from validate_selector(term.labelSelector, f"{path}.labelSelector")
    yield from validate_selector(term.namespaceSelector, f"{path}.namespaceSelector")
    for name in term.namespaces:
        yield from rules.dns_label(name, f"{path}.namespace")
    yield from label_keys(term, path)
    if not term.topologyKey:
        yield field.required(f"{path}.topologyKey", "can not be empty")
    yield from rules.qualified_name(term.topologyKey, f"{path}.topologyKey")


def label_keys(term: PodAffinityTerm, path: str) -> Iterator[FieldError]:
    """Keys whose values come from the pod itself; the selector they make stands in the selector already."""
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        keys: list[str] = getattr(term, name)
        if keys and term.labelSelector is None:
            yield field.forbidden(f"{path}.{name}", "must not be specified when labelSelector is not set")
            continue
        for index, key in enumerate(keys):
            yield from rules.qualified_name(key, f"{path}.{name}[{index}]")
    if term.labelSelector is not None:
        for key in repeated(term.labelSelector, term.matchLabelKeys):
            yield field.wrong(at(path, term.matchLabelKeys.index(key)), key, BOTH_KEYS)
    for index, key in enumerate(term.matchLabelKeys):
        if key in term.mismatchLabelKeys:
            message = "exists in both matchLabelKeys and mismatchLabelKeys"
            yield field.wrong(f"{path}.matchLabelKeys[{index}]", key, message)


def repeated(selector: LabelSelector, keys: Sequence[str]) -> Iterator[str]:
    """The keys that a selector holds beside the one that was merged in for them."""
    seen = set(selector.matchLabels)
    for requirement in selector.matchExpressions:
        if requirement.key in keys and requirement.key in seen:
            yield requirement.key
        seen.add(requirement.key)


def spread(constraints: Sequence[TopologySpreadConstraint], path: str, *, is_pod: bool) -> Iterator[FieldError]:
    """What spread constraints break; a pod's selectors have the values of their label keys merged in."""
    for index, given in enumerate(constraints):
        where = f"{path}[{index}]"
        if given.maxSkew <= 0:
            yield field.wrong(f"{where}.maxSkew", given.maxSkew, rules.POSITIVE)
        if not given.topologyKey:
            yield field.required(f"{where}.topologyKey", "can not be empty")
        action = given.whenUnsatisfiable
        yield from rules.one_of(action, ("DoNotSchedule", "ScheduleAnyway"), f"{where}.whenUnsatisfiable")
        pair = (given.topologyKey, action)
        if any((c.topologyKey, c.whenUnsatisfiable) == pair for c in constraints[index + 1 :]):
            name = "{topologyKey, whenUnsatisfiable}"
            yield field.duplicate(f"{where}.{name}", "{" + ", ".join(pair) + "}")
        yield from domains(given, f"{where}.minDomains")
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if policy := getattr(given, name):
                yield from rules.one_of(policy, ("Honor", "Ignore"), f"{where}.{name}")
        yield from spread_keys(given, f"{where}.matchLabelKeys", is_pod=is_pod)
        yield from validate_selector(given.labelSelector, f"{where}.labelSelector")


def domains(given: TopologySpreadConstraint, path: str) -> Iterator[FieldError]:
    if given.minDomains is None:
        return
    if given.minDomains <= 0:
        yield field.wrong(path, given.minDomains, rules.POSITIVE)
    if given.whenUnsatisfiable != "DoNotSchedule":
        message = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {given.whenUnsatisfiable}"
        yield field.wrong(path, given.minDomains, message)


def spread_keys(given: TopologySpreadConstraint, path: str, *, is_pod: bool) -> Iterator[FieldError]:
    keys, selector = given.matchLabelKeys, given.labelSelector
    if not keys:
        return
    taken: set[str] = set()
    if selector is None:
        yield field.forbidden(path, "must not be specified when labelSelector is not set")
    elif is_pod:
        taken = set(repeated(selector, keys))
    else:
        taken = {*selector.matchLabels, *(requirement.key for requirement in selector.matchExpressions)}
    for index, key in enumerate(keys):
        yield from rules.qualified_name(key, f"{path}[{index}]")
        if key in taken:
            yield field.wrong(f"{path}[{index}]", key, BOTH_KEYS)


def tolerations(given: Sequence[Toleration], path: str) -> Iterator[FieldError]:
    for index, toleration in enumerate(given):
        where = f"{path}[{index}]"
        if toleration.key:
            yield from rules.qualified_name(toleration.key, f"{where}.key")
        elif toleration.operator != "Exists":
            message = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield field.wrong(f"{where}.operator", toleration.operator, message)
        if toleration.tolerationSeconds is not None and toleration.effect != "NoExecute":
            message = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            yield field.wrong(f"{where}.effect", toleration.effect, message)
        yield from toleration_operator(toleration, f"{where}.operator")
        if toleration.effect:
            yield from rules.one_of(toleration.effect, EFFECTS, f"{where}.effect")


def toleration_operator(toleration: Toleration, path: str) -> Iterator[FieldError]:
    value = toleration.value
    if toleration.operator in ("", "Equal"):
        if faults := names.label_value_errors(value):
            yield field.wrong(path, value, ";".join(faults))
    elif toleration.operator == "Exists":
        if value:
            yield field.wrong(path, value, "value must be empty when `operator` is 'Exists'")
    else:
        yield field.unsupported(path, toleration.operator, ("Equal", "Exists"))


def gates(given: Sequence[PodSchedulingGate], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, gate in enumerate(given):
        yield from rules.qualified_name(gate.name, f"{path}[{index}]")
        if gate.name in seen:
            yield field.duplicate(f"{path}[{index}]", gate.name)
        seen.add(gate.name)
