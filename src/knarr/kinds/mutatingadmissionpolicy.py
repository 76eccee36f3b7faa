"""MutatingAdmissionPolicy: how requests are changed, in CEL."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import policies, rules
from knarr.kinds.admission_rules import REINVOCATION_POLICIES
from knarr.kinds.kind import Kind
from knarr.kinds.types.admissionregistration_v1 import MutatingAdmissionPolicy, Mutation
from knarr.meta import field
from knarr.meta.field import FieldError, at

#: the part of a mutation by its type
PARTS = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}


def validate(policy: MutatingAdmissionPolicy) -> Iterator[FieldError]:
    yield from policies.policy_rules(policy)
    if not policy.spec.mutations:
        yield field.required("spec.mutations", "mutations must contain at least one item")
    again = policy.spec.reinvocationPolicy
    yield from rules.required_one_of(again, REINVOCATION_POLICIES, "spec.reinvocationPolicy")
    for index, mutation in enumerate(policy.spec.mutations):
        yield from change(mutation, at("spec", "mutations", index))
    yield from policies.expression_rules(policy)


def change(given: Mutation, path: str) -> Iterator[FieldError]:
    """A mutation has the one part that its type names."""
    yield from rules.required_one_of(given.patchType, tuple(PARTS), at(path, "patchType"))
    if given.patchType not in PARTS:
        return
    for type_, key in PARTS.items():
        part = getattr(given, key)
        if type_ != given.patchType:
            if part is not None:
                why = f"must not be specified when patchType is {given.patchType}"
                yield field.wrong(at(path, key), f"{{{key}}}", why)
        elif part is None:
            yield field.required(at(path, key), f"must be specified when patchType is {type_}")
        elif not part.expression.strip():
            yield field.required(at(path, key, "expression"))


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
    columns=policies.columns("Mutations"),
    row=row,
)
