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
        yield from node_affinity(given.nodeAffinity, at(path, "nodeAffinity"))
    if given.podAffinity is not None:
        yield from pod_affinity(given.podAffinity, at(path, "podAffinity"))
    if given.podAntiAffinity is not None:
        yield from pod_affinity(given.podAntiAffinity, at(path, "podAntiAffinity"))


def node_affinity(given: NodeAffinity, path: str) -> Iterator[FieldError]:
    if given.requiredDuringSchedulingIgnoredDuringExecution is not None:
        yield from node_selector(given.requiredDuringSchedulingIgnoredDuringExecution, at(path, REQUIRED))
    for index, term in enumerate(given.preferredDuringSchedulingIgnoredDuringExecution):
        where = at(path, PREFERRED, index)
        yield from weight(term.weight, where)
        yield from node_term(term.preference, at(where, "preference"), values=False)


def weight(value: int, path: str) -> Iterator[FieldError]:
    if not 1 <= value <= 100:
        yield field.wrong(at(path, "weight"), value, "must be in the range 1-100")


def node_selector(selector: NodeSelector, path: str) -> Iterator[FieldError]:
    """A selector of nodes, as pods and volumes have it."""
    path = at(path, "nodeSelectorTerms")
    if not selector.nodeSelectorTerms:
        yield field.required(path, "must have at least one node selector term")
    for index, term in enumerate(selector.nodeSelectorTerms):
        yield from node_term(term, at(path, index))


def node_term(term: NodeSelectorTerm, path: str, *, values: bool = True) -> Iterator[FieldError]:
    """A term's requirements; `values` says whether the labels' values must be possible ones."""
    for index, requirement in enumerate(term.matchExpressions):
        yield from node_requirement(requirement, at(path, "matchExpressions", index), values=values)
    for index, requirement in enumerate(term.matchFields):
        yield from node_field(requirement, at(path, "matchFields", index))


def node_requirement(given: NodeSelectorRequirement, path: str, *, values: bool) -> Iterator[FieldError]:
    if given.operator in ("Gt", "Lt"):
        if len(given.values) != 1:
            message = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            yield field.required(at(path, "values"), message)
    else:
        yield from validate_operator(given.operator, given.values, path)
    yield from rules.qualified_name(given.key, at(path, "key"))
    if values:
        for index, value in enumerate(given.values):
            yield from rules.wrong(at(path, "values", index), value, names.label_value_errors(value))


def node_field(given: NodeSelectorRequirement, path: str) -> Iterator[FieldError]:
    if given.operator not in ("In", "NotIn"):
        yield field.wrong(at(path, "operator"), given.operator, "not a valid selector operator")
    elif len(given.values) != 1:
        message = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield field.required(at(path, "values"), message)
    if given.key != "metadata.name":
        yield field.wrong(at(path, "key"), given.key, "not a valid field selector key")
        return
    for index, value in enumerate(given.values):
        yield from rules.dns_subdomain(value, at(path, "values", index))


def pod_affinity(given: PodAffinity | PodAntiAffinity, path: str) -> Iterator[FieldError]:
    for index, term in enumerate(given.requiredDuringSchedulingIgnoredDuringExecution):
        yield from pod_term(term, at(path, REQUIRED, index))
    for index, weighted in enumerate(given.preferredDuringSchedulingIgnoredDuringExecution):
        where = at(path, PREFERRED, index)
        yield from weight(weighted.weight, where)
        yield from pod_term(weighted.podAffinityTerm, at(where, "podAffinityTerm"))


def pod_term(term: PodAffinityTerm, path: str) -> Iterator[FieldError]:
    yield from validate_selector(term.labelSelector, at(path, "labelSelector"))
    yield from validate_selector(term.namespaceSelector, at(path, "namespaceSelector"))
    for name in term.namespaces:
        yield from rules.dns_label(name, at(path, "namespace"))
    yield from label_keys(term, path)
    if not term.topologyKey:
        yield field.required(at(path, "topologyKey"), "can not be empty")
    yield from rules.qualified_name(term.topologyKey, at(path, "topologyKey"))


def label_keys(term: PodAffinityTerm, path: str) -> Iterator[FieldError]:
    """Keys whose values come from the pod itself; the selector they make stands in the selector already."""
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        keys: list[str] = getattr(term, name)
        if keys and term.labelSelector is None:
            yield field.forbidden(at(path, name), "must not be specified when labelSelector is not set")
            continue
        for index, key in enumerate(keys):
            yield from rules.qualified_name(key, at(path, name, index))
    if term.labelSelector is not None:
        for key in repeated(term.labelSelector, term.matchLabelKeys):
            yield field.wrong(at(path, term.matchLabelKeys.index(key)), key, BOTH_KEYS)
    for index, key in enumerate(term.matchLabelKeys):
        if key in term.mismatchLabelKeys:
            message = "exists in both matchLabelKeys and mismatchLabelKeys"
            yield field.wrong(at(path, "matchLabelKeys", index), key, message)


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
        where = at(path, index)
        if given.maxSkew <= 0:
            yield field.wrong(at(where, "maxSkew"), given.maxSkew, rules.POSITIVE)
        if not given.topologyKey:
            yield field.required(at(where, "topologyKey"), "can not be empty")
        action = given.whenUnsatisfiable
        yield from rules.one_of(action, ("DoNotSchedule", "ScheduleAnyway"), at(where, "whenUnsatisfiable"))
        pair = (given.topologyKey, action)
        if any((c.topologyKey, c.whenUnsatisfiable) == pair for c in constraints[index + 1 :]):
            name = "{topologyKey, whenUnsatisfiable}"
            yield field.duplicate(at(where, name), "{" + ", ".join(pair) + "}")
        yield from domains(given, at(where, "minDomains"))
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if policy := getattr(given, name):
                yield from rules.one_of(policy, ("Honor", "Ignore"), at(where, name))
        yield from spread_keys(given, at(where, "matchLabelKeys"), is_pod=is_pod)
        yield from validate_selector(given.labelSelector, at(where, "labelSelector"))


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
        yield from rules.qualified_name(key, at(path, index))
        if key in taken:
            yield field.wrong(at(path, index), key, BOTH_KEYS)


def tolerations(given: Sequence[Toleration], path: str) -> Iterator[FieldError]:
    for index, toleration in enumerate(given):
        where = at(path, index)
        if toleration.key:
            yield from rules.qualified_name(toleration.key, at(where, "key"))
        elif toleration.operator != "Exists":
            message = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield field.wrong(at(where, "operator"), toleration.operator, message)
        if toleration.tolerationSeconds is not None and toleration.effect != "NoExecute":
            message = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            yield field.wrong(at(where, "effect"), toleration.effect, message)
        yield from toleration_operator(toleration, at(where, "operator"))
        if toleration.effect:
            yield from rules.one_of(toleration.effect, EFFECTS, at(where, "effect"))


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
        yield from rules.qualified_name(gate.name, at(path, index))
        if gate.name in seen:
            yield field.duplicate(at(path, index), gate.name)
        seen.add(gate.name)
