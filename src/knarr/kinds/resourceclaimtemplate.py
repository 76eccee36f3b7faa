"""ResourceClaimTemplate: the claim each pod of a workload gets. Kept and shown; knarr has no devices to allocate."""

from knarr.kinds.kind import Kind
from knarr.kinds.types.resource_v1 import ResourceClaimTemplate

KIND = Kind(
    type=ResourceClaimTemplate,
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaimTemplate",
    plural="resourceclaimtemplates",
    singular="resourceclaimtemplate",
)
