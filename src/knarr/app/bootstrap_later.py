"""Objects of every cluster that nobody waits for: made beside the server once it answers.

What is missing is created all at once, so that the writes share a commit; what is there is left as it is.
"""

import asyncio
from collections.abc import Iterator, Sequence

from knarr.app import bootstrap_flows
from knarr.client.api import Api, metadata
from knarr.controllers import legacy_token_cleaning
from knarr.kinds.secret import DAY
from knarr.kinds.types import core_v1, flowcontrol_v1, meta_v1, networking_v1
from knarr.kinds.types.base import Type
from knarr.meta import clock
from knarr.meta.errors import AlreadyExists

TYPES = (flowcontrol_v1.PriorityLevelConfiguration, flowcontrol_v1.FlowSchema, networking_v1.ServiceCIDR)
SYSTEM = "kube-system"
#: how servers of further APIs read who asks, when it is the front proxy that says so: lists in JSON
FRONT_PROXY = {
    "requestheader-allowed-names": '["front-proxy-client"]',
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
    "requestheader-group-headers": '["X-Remote-Group"]',
    "requestheader-uid-headers": '["X-Remote-Uid"]',
    "requestheader-username-headers": '["X-Remote-User"]',
}
AUTHENTICATION = "extension-apiserver-authentication"


async def ensure(api: Api, authority: str, front_proxy: str, services: Sequence[str]) -> None:
    """Create what is missing. `authority` is the PEM of who signs the clients' certificates, `front_proxy` of who signs
    what the API server shows to servers of further APIs; `services` are ranges.
    """
    present = {(type_, metadata(found).name) for type_ in TYPES for found in (await api.list(type_)).items}
    wanted = objects(authority, front_proxy, services)
    missing = [found for found in wanted if (type(found), metadata(found).name) not in present]
    async with asyncio.TaskGroup() as tasks:
        for found in missing:
            tasks.create_task(_create(api, found))


async def _create(api: Api, wanted: Type) -> None:
    try:
        await api.create(wanted)
    except AlreadyExists:
        if isinstance(wanted, core_v1.ConfigMap) and wanted.metadata.name == AUTHENTICATION:
            # whom to trust is this server's to say, at each start
            await api.patch(core_v1.ConfigMap, AUTHENTICATION, SYSTEM, {"data": wanted.data})
        return
    if (condition := state_of(wanted)) is not None:
        status = {"status": {"conditions": [condition]}}
        await api.patch(type(wanted), metadata(wanted).name, "", status, subresource="status")


def objects(authority: str, front_proxy: str, services: Sequence[str]) -> Iterator[Type]:
    yield from bootstrap_flows.objects()
    yield networking_v1.ServiceCIDR(
        metadata=meta_v1.ObjectMeta(name="kubernetes"), spec=networking_v1.ServiceCIDRSpec(cidrs=list(services))
    )
    yield core_v1.ConfigMap(
        metadata=meta_v1.ObjectMeta(name=AUTHENTICATION, namespace=SYSTEM),
        data={"client-ca-file": authority, "requestheader-client-ca-file": front_proxy} | FRONT_PROXY,
    )
    yield core_v1.ConfigMap(
        metadata=meta_v1.ObjectMeta(name=legacy_token_cleaning.TRACKING, namespace=SYSTEM),
        data={legacy_token_cleaning.SINCE: f"{clock.now():{DAY}}"},
    )


def state_of(found: Type) -> dict[str, str] | None:
    """The condition that such an object has."""
    now = {"lastTransitionTime": clock.timestamp()}
    if isinstance(found, networking_v1.ServiceCIDR):
        return now | {"type": "Ready", "status": "True", "message": "Kubernetes Service CIDR is ready"}
    if isinstance(found, flowcontrol_v1.FlowSchema):
        return now | {"type": "Dangling", "status": "False", "reason": "Found"}
    return None
