"""The roles and bindings that every cluster has: made in a new cluster, and again where they are missing.

`ensure` runs beside the server once it answers, creates what is missing all at once and leaves the rest as it is.
What these roles grant to everybody is also built into the server, so nobody waits for them.
"""

import asyncio

from knarr.client.api import Api, metadata
from knarr.kinds.first_roles import objects
from knarr.kinds.types import rbac_v1
from knarr.kinds.types.base import Type
from knarr.meta.errors import AlreadyExists


async def ensure(api: Api) -> None:
    """Create each role and binding that is missing; the writes share one commit."""
    present = set()
    for type_ in (rbac_v1.ClusterRole, rbac_v1.ClusterRoleBinding, rbac_v1.Role):
        present |= {(type_, metadata(found).name) for found in (await api.list(type_)).items}
    missing = [object_ for object_ in objects() if (type(object_), object_.metadata.name) not in present]
    async with asyncio.TaskGroup() as tasks:
        for object_ in missing:
            tasks.create_task(_create(api, object_))


async def _create(api: Api, object_: Type) -> None:
    try:
        await api.create(object_)
    except AlreadyExists:
        return  # somebody else was quicker
