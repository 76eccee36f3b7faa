"""MutatingWebhookConfiguration: who may change an object on its way in."""

from knarr.kinds import webhooks
from knarr.kinds.kind import Kind, Tree
from knarr.kinds.trees import fill, items
from knarr.kinds.types.admissionregistration_v1 import MutatingWebhookConfiguration


def defaults(tree: Tree) -> None:
    webhooks.defaults(tree)
    for hook in items(tree, "webhooks"):
        fill(hook, reinvocationPolicy="Never")


KIND = Kind(
    type=MutatingWebhookConfiguration,
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingWebhookConfiguration",
    plural="mutatingwebhookconfigurations",
    singular="mutatingwebhookconfiguration",
    namespaced=False,
    categories=("api-extensions",),
    generation=True,
    defaults=defaults,
    validate=webhooks.validate,
    columns=webhooks.COLUMNS,
    row=webhooks.row,
)
