"""What the four kinds of admission policies share. Their expressions are compiled when one is written."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import admission_rules, cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Tree
from knarr.kinds.trees import child, fill, items
from knarr.kinds.types.admissionregistration_v1 import (
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    ParamKind,
    ParamRef,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)
from knarr.meta import field, names
from knarr.meta.field import FieldError, at
from knarr.meta.label_rules import validate_selector

EXCLUSIVE = "name and selector are mutually exclusive"

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
    """The rules of both kinds of policies; what they do is each kind's own."""
    spec = policy.spec
    yield from admission_rules.chosen("spec", [("failurePolicy", spec.failurePolicy, admission_rules.FAILURE_POLICIES)])
    if spec.paramKind is not None:
        yield from parameter_kind(spec.paramKind, "spec.paramKind")
    if spec.matchConstraints is None:
        yield field.required("spec.matchConstraints")
    else:
        yield from admission_rules.match_resources(spec.matchConstraints, "spec.matchConstraints")
        if not spec.matchConstraints.resourceRules:
            yield field.required("spec.matchConstraints.resourceRules")
    yield from admission_rules.conditions(spec.matchConditions, "spec.matchConditions")
    for index, variable in enumerate(spec.variables):
        for key in ("name", "expression"):
            if not getattr(variable, key).strip():
                yield field.required(at("spec", "variables", index, key), f"{key} is not specified")


def expression_rules(policy: Policy) -> Iterator[FieldError]:
    """What is wrong with the text of expressions."""
    from knarr.kinds.policy_expressions import compile_policy  # loads the evaluator

    yield from compile_policy(policy).errors


def parameter_kind(kind: ParamKind, path: str) -> Iterator[FieldError]:
    where = at(path, "apiVersion")
    group, _, version = kind.apiVersion.rpartition("/")
    if not kind.apiVersion:
        yield field.required(where)
    elif "/" in group:
        yield field.wrong(where, kind.apiVersion, f"unexpected GroupVersion string: {kind.apiVersion}")
    else:
        if group and (complaints := names.subdomain_errors(group)):
            yield field.wrong(where, group, ",".join(complaints))
        if not version:
            yield field.wrong(where, kind.apiVersion, "version must be specified")
        elif complaints := names.label_1035_errors(version):
            yield field.wrong(where, version, ",".join(complaints))
    if not kind.kind:
        yield field.required(at(path, "kind"))
    elif complaints := names.label_1035_errors(kind.kind.lower()):
        message = f"may have mixed case, but should otherwise match: {','.join(complaints)}"
        yield field.wrong(at(path, "kind"), kind.kind, message)


def binding_rules(binding: Binding) -> Iterator[FieldError]:
    spec = binding.spec
    if not spec.policyName:
        yield field.required("spec.policyName")
    else:
        yield from rules.dns_subdomain(spec.policyName, "spec.policyName")
    if spec.paramRef is not None:
        yield from parameters(spec.paramRef, "spec.paramRef")
    if spec.matchResources is not None:
        yield from admission_rules.match_resources(spec.matchResources, "spec.matchResources")


def parameters(given: ParamRef, path: str) -> Iterator[FieldError]:
    both = bool(given.name) and given.selector is not None
    if given.name:
        yield from rules.wrong(at(path, "name"), given.name, names.path_segment_errors(given.name))
    if both:
        yield field.forbidden(at(path, "name"), EXCLUSIVE)
    yield from validate_selector(given.selector, at(path, "selector"))
    if both:
        yield field.forbidden(at(path, "selector"), EXCLUSIVE)
    if not given.name and given.selector is None:
        yield field.required(path, "one of name or selector must be specified")
    where = at(path, "parameterNotFoundAction")
    yield from rules.required_one_of(given.parameterNotFoundAction, ("Allow", "Deny"), where)


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
