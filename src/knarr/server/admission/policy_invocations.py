"""Which policies are about a request, by which bindings, with which parameters. Shared by both kinds of policies."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knarr.kinds.kind import Kind
from knarr.kinds.types.admissionregistration_v1 import (
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    ParamKind,
    ParamRef,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)
from knarr.meta.labels import of_object
from knarr.server.admission import Admission, State, Tree, webhook_rules
from knarr.server.admission.concern import Versions
from knarr.server.admission.webhooks import namespace_labels

Policy = MutatingAdmissionPolicy | ValidatingAdmissionPolicy
Binding = MutatingAdmissionPolicyBinding | ValidatingAdmissionPolicyBinding
Candidate = tuple[Policy, Sequence[Binding], Kind | None]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One policy to be asked about a request, with the object in the form of `kind`."""

    policy: Policy
    binding: Binding
    kind: Kind
    params: Tree | None = None

    @property
    def key(self) -> str:
        metadata = (self.params or {}).get("metadata", {})
        names = (self.policy.metadata.name, self.binding.metadata.name)
        return "/".join((*names, metadata.get("namespace", ""), metadata.get("name", "")))


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """A policy that means the request and cannot be asked."""

    policy: Policy
    binding: Binding | None
    why: str


class Unusable(Exception):
    """Parameters cannot be found as a binding wants them."""


Found = AsyncIterator[Invocation | Misconfigured]


async def invocations(candidates: Sequence[Candidate], admission: Admission, state: State, versions: Versions) -> Found:
    """In the order of the policies' names, and of their bindings'; `candidates` are those of `policies_for`."""
    forms = versions(admission.kind)
    for policy, bound, kind in candidates:
        match = policy.spec.matchConstraints
        if kind is None and match is not None:
            kind = webhook_rules.resources_kind(match, admission, forms)
        if kind is None or not await _selected(policy, admission, state):
            continue
        for found in await _bound(policy, bound, kind, admission, state, forms):
            yield found


def policies_for(admission: Admission, forms: Sequence[Kind], lists: Sequence[Sequence[Any]]) -> list[Candidate]:
    """The policies whose rules mean such a request, with their bindings, from the lists of both. With the version that
    the policy is shown; without one if its rules name objects, so that each request has to be looked at."""
    policies, bindings = lists
    if webhook_rules.exempt(admission.kind):
        return []
    by_policy: dict[str, list[Binding]] = {}
    for binding in bindings:
        by_policy.setdefault(binding.spec.policyName, []).append(binding)
    found: list[Candidate] = []
    for policy in policies:
        bound, match = by_policy.get(policy.metadata.name), policy.spec.matchConstraints
        if not bound or match is None:
            continue
        if any(rule.resourceNames for rule in (*match.resourceRules, *match.excludeResourceRules)):
            found.append((policy, bound, None))
        elif (kind := webhook_rules.resources_kind(match, admission, forms)) is not None:
            found.append((policy, bound, kind))
    return found


async def _bound(
    policy: Policy, bindings: Sequence[Binding], kind: Kind, admission: Admission, state: State, forms: Sequence[Kind]
) -> list[Invocation | Misconfigured]:
    wanted = policy.spec.paramKind
    of = None if wanted is None else _kind(wanted, state)
    if wanted is not None and of is None:
        group_version = wanted.apiVersion
        why = f"failed to find resource referenced by paramKind: '{group_version}, Kind={wanted.kind}'"
        return [Misconfigured(policy, None, f"failed to configure policy: {why}")]
    found: list[Invocation | Misconfigured] = []
    for binding in bindings:
        match = binding.spec.matchResources
        if match is not None:
            if webhook_rules.resources_kind(match, admission, forms) is None:
                continue
            if not await _selected(binding, admission, state):
                continue
        try:
            params = parameters(of, binding.spec.paramRef, admission, state)
        except Unusable as unusable:
            found.append(Misconfigured(policy, binding, f"failed to configure binding: {unusable}"))
            continue
        found += (Invocation(policy, binding, kind, one) for one in params)
    return found


async def _selected(of: Policy | Binding, admission: Admission, state: State) -> bool:
    """Whether the selectors of a policy or binding take the request in."""
    match = of.spec.matchConstraints if isinstance(of, Policy) else of.spec.matchResources
    if match is None:
        return True
    if not webhook_rules.on_objects(match, admission):
        return False
    selector = match.namespaceSelector
    if selector is None or of_object(selector).empty:
        return True
    return webhook_rules.in_namespaces(match, await namespace_labels(admission, state))


def _kind(wanted: ParamKind, state: State) -> Kind | None:
    group, _, version = wanted.apiVersion.rpartition("/")
    return state.kind(group, version, wanted.kind)


def parameters(kind: Kind | None, ref: ParamRef | None, admission: Admission, state: State) -> Sequence[Tree | None]:
    """The objects that a binding hands to its policy, one invocation each; raises Unusable."""
    if kind is None or ref is None:
        return [None]
    namespace = ""
    if kind.namespaced:
        namespace = ref.namespace or namespace_of(admission)
        if not namespace:
            raise Unusable("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
    elif ref.namespace:
        raise Unusable("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    found: list[Tree | None]
    if ref.name:
        one = state.tree(kind, namespace, ref.name)
        found = [] if one is None else [one]
    else:
        selector = of_object(ref.selector)
        found = [tree for tree in state.trees(kind, namespace) if selector.matches(_labels(tree))]
    if not found and ref.parameterNotFoundAction == "Deny":
        raise Unusable("no params found for policy binding with `Deny` parameterNotFoundAction")
    return found


def namespace_of(admission: Admission) -> str:
    """The namespace of a request; of one about a Namespace, that."""
    about_namespace = admission.kind.kind == "Namespace" and not admission.kind.group
    return admission.name if about_namespace else admission.namespace


def _labels(tree: Tree) -> Mapping[str, str]:
    found: Mapping[str, str] = tree["metadata"].get("labels") or {}
    return found
