"""Writes what is used into a quota's status, for the ResourceQuota plugin."""

from collections.abc import Mapping

from knarr.kinds.types.core_v1 import ResourceQuota
from knarr.registry.registry import Registry
from knarr.server.admission.quota import Charge


def charging(registry: Registry) -> Charge:
    """The write of a quota's use that conflicts when the quota has changed since it was read."""
    kind = registry.kinds.by_type(ResourceQuota)

    async def charge(quota: ResourceQuota, used: Mapping[str, str]) -> None:
        about = quota.metadata
        patch = {"metadata": {"resourceVersion": about.resourceVersion}, "status": {"used": dict(used)}}
        await registry.patch(kind, about.namespace, about.name, "merge", patch, subresource="status")

    return charge
