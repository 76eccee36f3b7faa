"""A snapshot is loaded while the agent of a node runs: objects go back to older versions, or come back."""

import asyncio

import pytest

from knarr.kinds.types.core_v1 import Pod
from knarr.node import put_back
from knarr.node.worker import Worker
from knarr.testing import virtual_time
from tests.unit.node.builders import a_pod, tree
from tests.unit.node.test_agent import PODS, World

DELETED = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}}


class Loaded(World):
    """A world whose containers end when they are let, and that notes what was started and how much ran at once."""

    def __init__(self):
        super().__init__()
        self.starts, self.most, self.ends = [], 0, asyncio.Event()
        self.stopping = asyncio.Event()
        self.ends.set()
        self._start, self._stop = self.runtime.start_container, self.runtime.stop_container
        self.runtime.start_container, self.runtime.stop_container = self.start, self.stop

    async def start(self, uid, spec):
        self.starts.append(uid)
        started = await self._start(uid, spec)
        running = [pod.name for pod in await self.runtime.pods() for each in pod.containers if each.state == "running"]
        self.most = max(self.most, *(running.count(name) for name in running))
        return started

    async def stop(self, uid, container, grace):
        self.stopping.set()
        await self.ends.wait()
        await self._stop(uid, container, grace)

    async def running(self, name="a"):
        await self.until(lambda: self.phase(name) == "Running")
        return dict(self.server.objects)

    async def wait(self, condition, seconds=60):
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 nothing tells of all of it
                await asyncio.sleep(0.1)


def test_a_pod_that_was_deleted_after_the_save_runs_again():
    async def main():
        world = Loaded()
        async with world.agent() as agent:
            await world.apply()
            saved = await world.running()
            await world.api.patch(Pod, "a", "default", DELETED)
            await world.until(lambda: world.pod() is None)
            await world.wait(lambda: not agent.workers, seconds=1)
            await world.server.load(saved)
            await world.wait(lambda: len(world.starts) == 2)
            await asyncio.sleep(60)
            assert world.pod() and len(agent.sandboxes) == 1
        return world.starts, world.most, world.phase()

    assert virtual_time.run(main()) == (["uid-of-a"] * 2, 1, "Running")


@pytest.mark.parametrize(
    "seconds", [0, 30], ids=["before the agent has listed anew", "after the agent has listed anew"]
)
def test_a_pod_that_ends_while_its_object_is_put_back_ends_and_then_runs_again(seconds):
    async def main():
        world = Loaded()
        world.ends.clear()
        async with world.agent():
            await world.apply()
            saved = await world.running()
            await world.api.patch(Pod, "a", "default", DELETED)
            await world.stopping.wait()
            await world.server.load(saved)
            await asyncio.sleep(seconds)
            assert len(world.starts) == 1
            world.server.statuses.clear()
            world.ends.set()
            await world.wait(lambda: len(world.starts) == 2)
            await asyncio.sleep(60)
        assert not {"Succeeded", "Failed"} & {status["phase"] for status in world.server.statuses}
        return world.most, world.phase(), "deletionTimestamp" in world.pod()["metadata"]

    assert virtual_time.run(main()) == (1, "Running", False)


def test_a_pod_that_runs_goes_on_and_its_older_status_is_mended():
    async def main():
        world = Loaded()
        async with world.agent() as agent:
            await world.apply()
            await world.until(lambda: world.pod()["status"].get("startTime"))
            saved = dict(world.server.objects) | {f"{PODS}/a": tree("a") | {"metadata": world.pod()["metadata"]}}
            await world.running()
            before = await world.runtime.pods()
            await world.server.load(saved)
            assert world.phase() == "Pending"
            await world.wait(lambda: world.phase() == "Running")
            assert await world.runtime.pods() == before
            assert len(agent.workers) == 1
        return world.starts

    assert virtual_time.run(main()) == ["uid-of-a"]


def test_a_pod_that_was_made_after_the_save_ends():
    async def main():
        world = Loaded()
        async with world.agent() as agent:
            await world.apply()
            saved = await world.running()
            await world.apply("late")
            await world.running("late")
            await world.server.load(saved)
            await world.wait(lambda: len(agent.workers) == 1)
            return [pod.name for pod in await world.runtime.pods()], world.starts

    assert virtual_time.run(main()) == (["a"], ["uid-of-a", "uid-of-late"])


def test_a_pod_waits_for_the_end_of_another_of_its_name():
    async def main():
        world = Loaded()
        world.ends.clear()
        async with world.agent():
            await world.apply()
            saved = await world.running()
            later = tree("a")
            later["metadata"]["uid"] = "later"
            await world.server.load({key: value for key, value in saved.items() if key != f"{PODS}/a"})
            await world.stopping.wait()
            await world.server.put(f"{PODS}/a", later, "ADDED")
            await asyncio.sleep(20)
            assert world.starts == ["uid-of-a"]
            world.ends.set()
            await world.wait(lambda: world.phase() == "Running")
        return world.starts, world.most

    assert virtual_time.run(main()) == (["uid-of-a", "later"], 1)


def at(revision, **meta):
    return a_pod(meta={"resourceVersion": str(revision)} | meta)


GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
VERSIONS = {
    "a newer version is taken": (at(5), at(6), 6, (6, False)),
    "an older one that was read before is not": (at(5), at(4), 4, (5, False)),
    "an older one that is current is taken": (at(5), at(4), 7, (4, False)),
    "an older one that is current ends what was going": (at(5, **GOING), at(4), 7, (5, True)),
    "an older one of a pod that was going already is taken": (at(5, **GOING), at(4, **GOING), 7, (4, False)),
}


@pytest.mark.parametrize("known, read, as_of, then", VERSIONS.values(), ids=VERSIONS)
async def test_which_version_a_worker_holds_to(known, read, as_of, then):
    worker = Worker(None, known)
    put_back.compare(worker, read, as_of)
    assert (put_back.version(worker.pod), worker.memory.removed) == then
