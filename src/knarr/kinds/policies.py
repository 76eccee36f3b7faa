"""What the four kinds of admission policies share. They are kept and shown; knarr has no CEL and evaluates none."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Tree
from knarr.kinds.trees import child, fill, items
from knarr.kinds.types.admissionregistration_v1 import (
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    ParamKind,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)
from knarr.meta import field
from knarr.meta.field import FieldError

Policy = MutatingAdmissionPolicy | ValidatingAdmissionPolicy
Binding = MutatingAdmissionPolicyBinding | ValidatingAdmissionPolicyBinding
BINDING_COLUMNS = (NAME_COLUMN, Column("PolicyName"), Column("ParamRef"), AGE_COLUMN)


def columns(counted: str) -> tuple[Column, ...]:
    return (NAME_COLUMN, Column(counted, "integer"), Column("ParamKind"), AGE_COLUMN)


def match_defaults(match: Tree) -> None:
    fill(match, matchPolicy="Equivalent", namespaceSelector={}, objectSelector={})
    for rule in items(match, "resourceRules", "excludeResourceRules"):
        fill(rule, scope="*")


def policy_defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    fill(spec, failurePolicy="Fail")
    if (match := spec.get("matchConstraints")) is not None:
        match_defaults(match)


def binding_defaults(tree: Tree) -> None:
    if (match := child(tree, "spec").get("matchResources")) is not None:
        match_defaults(match)


def policy_rules(policy: Policy) -> Iterator[FieldError]:
    match = policy.spec.matchConstraints
    if match is None:
        yield field.required("spec.matchConstraints")
    elif not match.resourceRules:
        yield field.required("spec.matchConstraints.resourceRules")
    kind = policy.spec.paramKind
    if kind is not None:
        for name in ("apiVersion", "kind"):
            if not getattr(kind, name):
                yield field.required(f"spec.paramKind.{name}")


def binding_rules(binding: Binding) -> Iterator[FieldError]:
    if not binding.spec.policyName:
        yield field.required("spec.policyName")
    reference = binding.spec.paramRef
    if reference is not None and bool(reference.name) is (reference.selector is not None):
        yield field.required("spec.paramRef.name", "one of name or selector must be specified")


def not_evaluated(policy: Policy | Binding) -> Iterator[str]:
    yield f"knarr keeps {policy.kind} objects but does not evaluate them: requests pass as if it were not there"


def shown_kind(kind: ParamKind | None) -> str:
    return f"{kind.apiVersion}/{kind.kind}" if kind else cells.UNSET


def policy_row(policy: Policy, parts: int, now: datetime) -> Sequence[object]:
    return policy.metadata.name, parts, shown_kind(policy.spec.paramKind), cells.age(policy, now)


def binding_row(binding: Binding, now: datetime) -> Sequence[object]:
    reference = binding.spec.paramRef
    shown = cells.UNSET
    if reference is not None:
        shown = f"{reference.namespace or '*'}/{reference.name}" if reference.name else "*"
    return binding.metadata.name, binding.spec.policyName, shown, cells.age(binding, now)
