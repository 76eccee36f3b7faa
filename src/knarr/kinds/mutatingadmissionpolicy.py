"""MutatingAdmissionPolicy: how requests are changed, in CEL. Kept, not evaluated; its author is warned of that."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import policies, rules
from knarr.kinds.admission_rules import REINVOCATION_POLICIES
from knarr.kinds.kind import Kind
from knarr.kinds.types.admissionregistration_v1 import MutatingAdmissionPolicy
from knarr.meta import field
from knarr.meta.field import FieldError


def validate(policy: MutatingAdmissionPolicy) -> Iterator[FieldError]:
    yield from policies.policy_rules(policy)
    if not policy.spec.mutations:
        yield field.required("spec.mutations", "mutations must contain at least one item")
    again = policy.spec.reinvocationPolicy
    yield from rules.required_one_of(again, REINVOCATION_POLICIES, "spec.reinvocationPolicy")


def row(policy: MutatingAdmissionPolicy, now: datetime) -> Sequence[object]:
    return policies.policy_row(policy, len(policy.spec.mutations), now)


KIND = Kind(
    type=MutatingAdmissionPolicy,
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicy",
    plural="mutatingadmissionpolicies",
    singular="mutatingadmissionpolicy",
    namespaced=False,
    categories=("api-extensions",),
    generation=True,
    defaults=policies.policy_defaults,
    validate=validate,
    warnings=policies.not_evaluated,
    columns=policies.columns("Mutations"),
    row=row,
)
