"""What simulated users do to nodes, and to the pods there: the part of `operations` whose subject is a node."""

import asyncio
from contextlib import suppress

from knarr.client.api import Api
from knarr.client.codec import encode
from knarr.kinds.types.core_v1 import Node, Pod, Taint
from knarr.meta.errors import AlreadyExists, ApiError
from knarr.testing.invariants.world import World, controller_kind
from knarr.testing.sim.schedule import Act
from knarr.testing.workloads import crowds
from knarr.testing.workloads.objects import SPACE

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


async def evicted(pod: Pod, api: Api, world: World) -> None:
    """Ask once that a pod goes; who is told to wait does not."""
    meta = pod.metadata
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": meta.name, "namespace": SPACE}}
    world.evicting.add(meta.uid)
    try:
        async with asyncio.timeout(1):
            await api.raw("POST", api.resource(Pod).path(SPACE, meta.name, "eviction"), body=encode(body))
    except TimeoutError:
        return
    finally:
        world.evicting.discard(meta.uid)


async def drain(act: Act, api: Api, world: World) -> None:
    await cordon(act, api, world)
    for pod in sorted(world.all(Pod), key=lambda pod: pod.metadata.name):
        if pod.spec.nodeName == act.subject and controller_kind(pod) != "DaemonSet":
            with suppress(ApiError):
                await evicted(pod, api, world)


async def cordon(act: Act, api: Api, world: World) -> None:
    await api.patch(Node, act.subject, "", {"spec": {"unschedulable": True}})


async def uncordon(act: Act, api: Api, world: World) -> None:
    await api.patch(Node, act.subject, "", {"spec": {"unschedulable": False}})
    node = world.get(Node, "", act.subject)
    if node is not None and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints):
        left = [taint for taint in node.spec.taints if taint.key != OUT_OF_SERVICE]
        await api.patch(Node, act.subject, "", {"spec": {"taints": left or None}})


async def out_of_service(act: Act, api: Api, world: World) -> None:
    world.forced |= {pod.metadata.uid for pod in world.all(Pod) if pod.spec.nodeName == act.subject}
    node = await api.get(Node, act.subject)
    taints = [*node.spec.taints, Taint(key=OUT_OF_SERVICE, value="nodeshutdown", effect="NoExecute")]
    await api.patch(Node, act.subject, "", {"spec": {"taints": taints}})


async def remove_node(act: Act, api: Api, world: World) -> None:
    world.forced |= {pod.metadata.uid for pod in world.all(Pod) if pod.spec.nodeName == act.subject}
    await api.delete(Node, act.subject)


async def label(act: Act, api: Api, world: World) -> None:
    await api.patch(Node, act.subject, "", {"metadata": {"labels": {"tier": act.get("value")}}})


async def crowd(act: Act, api: Api, world: World) -> None:
    if (node := world.get(Node, "", act.subject)) is None:
        return
    with suppress(AlreadyExists):
        await api.create(crowds.class_of(act.get("rank")))
    await api.raw("POST", api.resource(Pod).path(SPACE), body=encode(crowds.pod(node, act.get("rank"))))
