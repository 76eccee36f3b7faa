"""ValidatingAdmissionPolicy: what requests must satisfy, in CEL. Kept, not evaluated; its author is warned of that."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import policies
from knarr.kinds.kind import Kind, Tree
from knarr.kinds.trees import keep_spec, keep_status
from knarr.kinds.types.admissionregistration_v1 import ValidatingAdmissionPolicy
from knarr.meta import field
from knarr.meta.field import FieldError


def prepare_create(tree: Tree) -> None:
    tree["status"] = {}


def validate(policy: ValidatingAdmissionPolicy) -> Iterator[FieldError]:
    yield from policies.policy_rules(policy)
    if not policy.spec.validations and not policy.spec.auditAnnotations:
        message = "validations or auditAnnotations must be specified"
        yield field.required("spec.validations", f"{message}, or both")
        yield field.required("spec.auditAnnotations", f"{message}, or both")


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
    warnings=policies.not_evaluated,
    columns=policies.columns("Validations"),
    row=row,
)
