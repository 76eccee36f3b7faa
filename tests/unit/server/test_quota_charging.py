"""Requests that wait for a quota together, while some of them leave."""

import asyncio

from knarr.client.transport import User
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.core_v1 import ResourceQuota, ResourceQuotaStatus
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.server.admission import Admission
from knarr.server.admission.quota import ResourceQuotas

COUNT = "count/configmaps"


class World:
    """One quota, whose use is as `charge` left it. A charge waits until it is let through."""

    def __init__(self):
        self.used, self.charges = "0", 0
        self.begun, self.let_through = asyncio.Event(), asyncio.Semaphore(0)

    async def list(self, type_, namespace=""):
        status = ResourceQuotaStatus(hard={COUNT: "9"}, used={COUNT: self.used})
        return [ResourceQuota(metadata=ObjectMeta(name="q", namespace="a"), status=status)]

    async def charge(self, quota, used):
        self.charges += 1
        self.begun.set()
        await self.let_through.acquire()
        self.used = used[COUNT]


def create(name):
    tree = {"metadata": {"name": name, "namespace": "a"}}
    return Admission("create", BUILTIN.by_resource("", "v1", "configmaps"), "a", name, User("u"), tree=tree)


async def test_a_request_that_leaves_while_it_is_charged_does_not_disturb_the_others():
    world = World()
    quotas = ResourceQuotas(world.charge)
    first = asyncio.create_task(quotas.admit(create("0"), world))
    await world.begun.wait()
    others = [asyncio.create_task(quotas.admit(create(str(n)), world)) for n in (1, 2, 3)]
    await asyncio.sleep(0)
    world.begun.clear()
    world.let_through.release()
    await first
    await world.begun.wait()  # the three that waited are charged together
    others[1].cancel()
    await asyncio.sleep(0)
    world.let_through.release()
    world.let_through.release()  # one more than it takes
    outcome = await asyncio.gather(*others, return_exceptions=True)
    assert [type(each) for each in outcome] == [type(None), asyncio.CancelledError, type(None)]
    assert (world.used, world.charges) == ("4", 2)
