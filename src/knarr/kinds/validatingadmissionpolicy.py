"""ValidatingAdmissionPolicy: what requests must satisfy, in CEL."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import policies, rules
from knarr.kinds.kind import Kind, Tree
from knarr.kinds.trees import keep_spec, keep_status
from knarr.kinds.types.admissionregistration_v1 import ValidatingAdmissionPolicy, Validation
from knarr.meta import field
from knarr.meta.field import FieldError, at

MOST_ANNOTATIONS = 20
REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def validate(policy: ValidatingAdmissionPolicy) -> Iterator[FieldError]:
    yield from policies.policy_rules(policy)
    spec = policy.spec
    if not spec.validations and not spec.auditAnnotations:
        for key in ("validations", "auditAnnotations"):
            yield field.required(at("spec", key), "validations or auditAnnotations must contain at least one item")
    for index, validation in enumerate(spec.validations):
        yield from judgement(validation, at("spec", "validations", index))
    if len(spec.auditAnnotations) > MOST_ANNOTATIONS:
        message = f"must not have more than {MOST_ANNOTATIONS} auditAnnotations"
        yield field.wrong("spec.auditAnnotations", spec.auditAnnotations, message)
    keys = [annotation.key for annotation in spec.auditAnnotations]
    for index, annotation in enumerate(spec.auditAnnotations):
        where = at("spec", "auditAnnotations", index)
        if not annotation.valueExpression.strip():
            yield field.required(at(where, "valueExpression"), "valueExpression is not specified")
        if annotation.key in keys[:index]:
            yield field.duplicate(at(where, "key"), annotation.key)
    yield from policies.expression_rules(policy)


def judgement(given: Validation, path: str) -> Iterator[FieldError]:
    if not given.expression.strip():
        yield field.required(at(path, "expression"), "expression is not specified")
    if given.messageExpression and not given.messageExpression.strip():
        yield field.wrong(at(path, "messageExpression"), given.messageExpression, "must be non-empty if specified")
    message = given.message.strip()
    if given.message and not message:
        yield field.wrong(at(path, "message"), given.message, "message must be non-empty if specified")
    elif "\n" in message or "\r" in message:
        yield field.wrong(at(path, "message"), given.message, "message must not contain line breaks")
    if given.reason:
        yield from rules.one_of(given.reason, REASONS, at(path, "reason"))


def row(policy: ValidatingAdmissionPolicy, now: datetime) -> Sequence[object]:
    return policies.policy_row(policy, len(policy.spec.validations), now)


KIND = Kind(
    type=ValidatingAdmissionPolicy,
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingAdmissionPolicy",
    plural="validatingadmissionpolicies",
    singular="validatingadmissionpolicy",
    namespaced=False,
    categories=("api-extensions",),
    subresources={"status": ("get", "patch", "update")},
    generation=True,
    defaults=policies.policy_defaults,
    prepare_create=prepare_create,
    prepare_update=keep_status,
    prepare_status=keep_spec,
    validate=validate,
    columns=policies.columns("Validations"),
    row=row,
)
