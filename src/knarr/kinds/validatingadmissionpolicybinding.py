"""ValidatingAdmissionPolicyBinding: where a policy holds. Kept, not evaluated; its author is warned of that."""

from collections.abc import Iterator

from knarr.kinds import policies, rules
from knarr.kinds.kind import Kind
from knarr.kinds.types.admissionregistration_v1 import ValidatingAdmissionPolicyBinding
from knarr.meta import field
from knarr.meta.field import FieldError


def validate(binding: ValidatingAdmissionPolicyBinding) -> Iterator[FieldError]:
    yield from policies.binding_rules(binding)
    if not binding.spec.validationActions:
        yield field.required("spec.validationActions", "at least one validation action is required")
    for index, action in enumerate(binding.spec.validationActions):
        yield from rules.one_of(action, ("Audit", "Deny", "Warn"), field.at("spec", "validationActions", index))


KIND = Kind(
    type=ValidatingAdmissionPolicyBinding,
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingAdmissionPolicyBinding",
    plural="validatingadmissionpolicybindings",
    singular="validatingadmissionpolicybinding",
    namespaced=False,
    categories=("api-extensions",),
    generation=True,
    defaults=policies.binding_defaults,
    validate=validate,
    warnings=policies.not_evaluated,
    columns=policies.BINDING_COLUMNS,
    row=policies.binding_row,
)
