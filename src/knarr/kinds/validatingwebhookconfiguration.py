"""ValidatingWebhookConfiguration: who is asked whether a request may pass."""

from knarr.kinds import webhooks
from knarr.kinds.kind import Kind
from knarr.kinds.types.admissionregistration_v1 import ValidatingWebhookConfiguration

KIND = Kind(
    type=ValidatingWebhookConfiguration,
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    singular="validatingwebhookconfiguration",
    namespaced=False,
    categories=("api-extensions",),
    generation=True,
    defaults=webhooks.defaults,
    validate=webhooks.validate,
    columns=webhooks.COLUMNS,
    row=webhooks.row,
)
