"""MutatingAdmissionPolicyBinding: where a policy holds, and with which parameters."""

from knarr.kinds import policies
from knarr.kinds.kind import Kind
from knarr.kinds.types.admissionregistration_v1 import MutatingAdmissionPolicyBinding

KIND = Kind(
    type=MutatingAdmissionPolicyBinding,
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicyBinding",
    plural="mutatingadmissionpolicybindings",
    singular="mutatingadmissionpolicybinding",
    namespaced=False,
    categories=("api-extensions",),
    generation=True,
    defaults=policies.binding_defaults,
    validate=policies.binding_rules,
    columns=policies.BINDING_COLUMNS,
    row=policies.binding_row,
)
