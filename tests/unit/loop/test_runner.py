import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

import yaml

from knarr.kinds.types.core_v1 import ConfigMap, Event, Pod
from knarr.loop.runner import Controller, Source, controlled_by, itself
from knarr.meta import clock
from knarr.meta.errors import Cause, Conflict, Forbidden
from knarr.testing.builders import a_pod, a_set
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import run, wait_until


@dataclass
class Passes:
    """A controller that only notes when it was asked for which key; `results` are what it answers, or raises."""

    results: list = field(default_factory=list)
    seen: list = field(default_factory=list)
    most: int = 0
    running: int = 0

    async def sync(self, key, context):
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(1)
        self.running -= 1
        self.seen.append((key[1], asyncio.get_running_loop().time()))
        result = self.results.pop(0) if self.results else None
        if isinstance(result, Exception):
            raise result
        return result() if callable(result) else result

    def names(self):
        return [name for name, _ in self.seen]


@asynccontextmanager
async def running(passes, *sources):
    controller = Controller("tester", sources or [Source(ConfigMap, itself)], passes.sync)
    async with Cluster(controllers=[controller]) as cluster:
        yield cluster


def config(name):
    return f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}"


def test_what_is_there_and_what_changes_is_looked_at():
    async def main():
        passes = Passes()
        async with running(passes) as cluster:
            await cluster.apply(config("a"))
            await wait_until(lambda: passes.names() == ["a"])
            await cluster.api.delete(ConfigMap, "a", "default")
            await wait_until(lambda: passes.names() == ["a", "a"])

    run(main())


def test_different_keys_go_beside_each_other_but_never_one_key_twice():
    async def main():
        passes = Passes()
        async with running(passes) as cluster:
            for round_ in range(3):
                for name in "abcdefgh":
                    await cluster.apply(f"{config(name)[:-1]}, data: {{r: '{round_}'}}}}")
            await wait_until(lambda: len(passes.seen) >= 8 and not passes.running)
            assert passes.most == 5

    run(main())


def test_a_failure_comes_back_and_ends_nothing():
    async def main():
        passes = Passes(results=[Conflict("stale"), ValueError("a bug"), None])
        async with running(passes) as cluster:
            await cluster.apply(config("a"))
            await wait_until(lambda: len(passes.seen) == 3)
            times = [time for _, time in passes.seen]
            assert [round(b - a, 3) for a, b in pairwise(times)] == [1.005, 1.01]

    run(main())


def test_a_pass_may_ask_to_look_again_after_seconds_or_at_a_time():
    async def main():
        passes = Passes(results=[10.0, lambda: clock.now() + timedelta(seconds=20), None])
        async with running(passes) as cluster:
            await cluster.apply(config("a"))
            await wait_until(lambda: len(passes.seen) == 3)
            times = [time for _, time in passes.seen]
            assert [round(b - a) for a, b in pairwise(times)] == [11, 21]

    run(main())


def test_a_dependent_wakes_the_owner_it_has_and_the_one_it_had():
    async def main():
        passes = Passes()
        async with running(passes, Source(Pod, controlled_by("StatefulSet"))) as cluster:
            await cluster.apply(a_pod("p", owner=a_set("one")))
            await wait_until(lambda: passes.names() == ["one"])
            two = {"apiVersion": "apps/v1", "kind": "StatefulSet", "controller": True, "name": "two", "uid": "u"}
            await cluster.api.patch(Pod, "p", "default", {"metadata": {"ownerReferences": [two]}})
            await wait_until(lambda: sorted(passes.names()[1:]) == ["one", "two"])

    run(main())


def test_what_differs_between_two_versions_wakes_keys_of_its_own():
    async def main():
        def values(old, new, context):
            sides = [obj.data.get("wakes", "") if obj is not None else "" for obj in (old, new)]
            return [("default", name) for name in sides if name and sides[0] != sides[1]]

        passes = Passes()
        async with running(passes, Source(ConfigMap, between=values)) as cluster:
            await cluster.apply(config("a"))
            for name in "x", "x", "y":
                await cluster.apply({**yaml.safe_load(config("a")), "data": {"wakes": name}})
                await cluster.settled()
            assert passes.names() == ["x", "x", "y"]

    run(main())


def test_events_come_from_the_controllers_component():
    async def sync(key, context):
        await context.recorder.event(a_pod("p"), "Normal", "Seen", key[1])

    async def main():
        controller = Controller("tester", [Source(ConfigMap, itself)], sync)
        async with Cluster(controllers=[controller]) as cluster:
            await cluster.apply(config("a"))
            await cluster.settled()
            (event,) = (await cluster.api.list(Event)).items
            assert event.source.component == "tester-controller"

    run(main())


def test_a_change_that_a_controller_cannot_read_ends_nothing():
    def keys(obj):
        if obj.metadata.name == "bad":
            raise ValueError("a bug")
        return itself(obj)

    async def main():
        passes = Passes()
        async with running(passes, Source(ConfigMap, keys)) as cluster:
            await cluster.apply(config("bad"), config("good"))
            await wait_until(lambda: passes.names() == ["good"])

    run(main())


def test_background_work_that_fails_is_begun_again_and_ends_nothing_else():
    begun = []

    async def background(context, enqueue):
        begun.append(asyncio.get_running_loop().time())
        if len(begun) < 3:
            raise RuntimeError("a fault")
        await asyncio.Event().wait()

    async def main():
        passes = Passes()
        controller = Controller("tester", [Source(ConfigMap, itself)], passes.sync, background=background)
        async with Cluster(controllers=[controller]) as cluster:
            await wait_until(lambda: len(begun) == 3)
            await cluster.apply(config("a"))
            await wait_until(lambda: passes.names() == ["a"])

    run(main())
    assert [round(later - sooner) for sooner, later in pairwise(begun)] == [1, 2]


REFUSED = Forbidden('configmaps "a" is forbidden: User "x" cannot update resource "configmaps"')
ENDING = Forbidden("no more", causes=[Cause("NamespaceTerminating", "", "")])


def test_a_controller_that_may_not_do_its_work_warns_once_a_minute(caplog):
    async def main():
        passes = Passes(results=[Conflict("moved"), ENDING, *[REFUSED] * 13])
        async with running(passes) as cluster:
            await cluster.apply(config("a"))
            await wait_until(lambda: len(passes.seen) == 16, timeout=300)
            begun, *_, last = (time for _, time in passes.seen)
            assert 120 < last - begun < 240

    run(main())
    warned = [record.getMessage() for record in caplog.records if record.name == "knarr.loop"]
    assert [REFUSED.message in each for each in warned] == [True, True]
