"""The cluster's own namespaces and services, kept: what somebody deletes of them, or of where they lead, comes back.

As upstream's API server does for the service `kubernetes`; here the DNS answers in the same process, so its own is
kept too.
"""

import asyncio

from knarr.app import bootstrap
from knarr.app.config import Cluster
from knarr.client.api import Api, metadata
from knarr.kinds.first_objects import NAMESPACES
from knarr.kinds.types import core_v1, discovery_v1, meta_v1
from knarr.kinds.types.base import Type
from knarr.meta.errors import NotFound

SECONDS = 10.0  #: between two looks; upstream's


async def keep(api: Api, cluster: Cluster) -> None:
    """Look again and again, until cancelled."""
    while True:
        await asyncio.sleep(SECONDS)
        await restore(api, cluster)


async def restore(api: Api, cluster: Cluster) -> None:
    """Bring back what is gone, and what leads elsewhere than to this server."""
    namespaces = (core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name)) for name in NAMESPACES)
    for wanted in (*namespaces, bootstrap.kubernetes_service(cluster), bootstrap.dns_service(cluster)):
        if await _found(api, wanted) is None:
            await bootstrap.create(api, wanted)
    for leads in bootstrap.endpoints(cluster):
        found = await _found(api, leads)
        if found is None or where(found) != where(leads):
            await bootstrap.put(api, leads)


def where(object_: Type) -> object:
    """Where a service leads, by its Endpoints or a slice of it."""
    match object_:
        case core_v1.Endpoints():
            return object_.subsets
        case discovery_v1.EndpointSlice():
            return [each.addresses for each in object_.endpoints], object_.ports
    raise TypeError(type(object_))


async def _found(api: Api, wanted: Type) -> Type | None:
    about = metadata(wanted)
    try:
        return await api.get(type(wanted), about.name, about.namespace)
    except NotFound:
        return None
