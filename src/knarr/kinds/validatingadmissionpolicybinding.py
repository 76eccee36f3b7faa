"""ValidatingAdmissionPolicyBinding: where a policy holds, and what breaking it means."""

from collections.abc import Iterator

from knarr.kinds import policies, rules
from knarr.kinds.kind import Kind
from knarr.kinds.types.admissionregistration_v1 import ValidatingAdmissionPolicyBinding
from knarr.meta import field
from knarr.meta.field import FieldError

DENIED_AND_WARNED = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and "
    "headers serves no purpose)"
)


def validate(binding: ValidatingAdmissionPolicyBinding) -> Iterator[FieldError]:
    yield from policies.binding_rules(binding)
    actions, path = binding.spec.validationActions, "spec.validationActions"
    for index, action in enumerate(actions):
        yield from rules.one_of(action, ("Audit", "Deny", "Warn"), field.at(path, index))
        if action in actions[:index]:
            yield field.duplicate(field.at(path, index), action)
    if {"Deny", "Warn"} <= set(actions):
        yield field.wrong(path, actions, DENIED_AND_WARNED)
    if not actions:
        yield field.required(path, "at least one validation action is required")


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
    columns=policies.BINDING_COLUMNS,
    row=policies.binding_row,
)
