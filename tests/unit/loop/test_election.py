import asyncio

from knarr.client.api import Api
from knarr.client.transport import InProcess, TransportError
from knarr.kinds.types.coordination_v1 import Lease
from knarr.loop.election import Election
from knarr.testing.cluster import Cluster
from knarr.testing.faults import Faulty
from knarr.testing.virtual_time import run, wait_until


class Silent(Faulty):
    """A transport whose answers stay away once it is told so."""

    silent = False

    async def send(self, request):
        if self.silent:
            await asyncio.Event().wait()
        return await super().send(request)


class Candidate:
    """Somebody who would lead, through a faulty transport of their own."""

    def __init__(self, cluster, name, stage):
        self.name, self.stage = name, stage
        self.faults = Silent(InProcess(cluster.handler.handle))
        self.election = Election(Api(self.faults), "leader", name)
        self.task = asyncio.create_task(self.election.lead(self.work))

    async def work(self):
        assert not self.stage, f"{self.name} works beside {self.stage}"
        self.stage.append(self.name)
        try:
            await asyncio.Event().wait()
        finally:
            self.stage.remove(self.name)

    async def stop(self):
        self.task.cancel()
        await asyncio.wait([self.task])


def elected(story):
    async def main():
        async with Cluster([]) as cluster:
            stage = []
            candidates = [Candidate(cluster, name, stage) for name in ("one", "two")]
            await wait_until(lambda: bool(stage))
            await story(cluster, stage, candidates)
            for candidate in candidates:
                await candidate.stop()

    run(main())


async def spec(cluster):
    return (await cluster.api.get(Lease, "leader", "kube-system")).spec


def test_one_leads_and_goes_on_leading():
    async def story(cluster, stage, candidates):
        await asyncio.sleep(600)
        assert stage == ["one"]
        found = await spec(cluster)
        assert (found.holderIdentity, found.leaseTransitions, found.leaseDurationSeconds) == ("one", 0, 15)

    elected(story)


def test_a_leader_that_ends_gives_the_lease_back_at_once():
    async def story(cluster, stage, candidates):
        loop = asyncio.get_running_loop()
        await candidates[0].stop()
        assert (await spec(cluster)).holderIdentity == ""
        began = loop.time()
        await wait_until(lambda: stage == ["two"])
        assert loop.time() - began < 5
        assert (await spec(cluster)).leaseTransitions == 1

    elected(story)


def test_a_leader_that_cannot_renew_stops_before_another_begins():
    async def story(cluster, stage, candidates):
        candidates[0].faults.fail(TransportError("cut off"), times=1000)
        await wait_until(lambda: not stage, timeout=13)
        await wait_until(lambda: stage == ["two"], timeout=20)

    elected(story)


def test_a_short_outage_changes_nothing():
    async def story(cluster, stage, candidates):
        candidates[0].faults.fail(TransportError("cut off"), times=3)
        await asyncio.sleep(60)
        assert stage == ["one"]

    elected(story)


def test_a_leader_that_gets_no_answer_stops_before_another_begins():
    async def story(cluster, stage, candidates):
        candidates[0].faults.fail(TransportError("cut off"), times=4)
        await asyncio.sleep(9)
        candidates[0].faults.silent = True
        await wait_until(lambda: not stage, timeout=5)
        await wait_until(lambda: stage == ["two"], timeout=20)

    elected(story)


def test_a_leader_that_gets_no_answer_can_still_be_ended():
    async def story(cluster, stage, candidates):
        loop = asyncio.get_running_loop()
        candidates[0].faults.silent = True
        began = loop.time()
        await candidates[0].stop()
        assert loop.time() - began < 11

    elected(story)
