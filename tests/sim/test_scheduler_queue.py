"""The scheduler's queue against a model of its pods and nodes: whatever happens, nobody waits who has room."""

import asyncio
from random import Random

import pytest

from knarr.kinds.types.core_v1 import Container, Pod, PodSpec
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.scheduler.board import key_of
from knarr.scheduler.queue import LONGEST_DELAY, Queue
from knarr.testing import virtual_time

SIZES = {"small": 1, "middle": 2, "large": 5}
NODES = ("a", "b", "c")


class Model:
    """Nodes with room in them, and a scheduler that gives it to the pods that the queue hands out."""

    def __init__(self, random: Random) -> None:
        self.random, self.queue = random, Queue()
        self.room = dict.fromkeys(NODES, 0)
        self.waiting: dict[tuple[str, str], Pod] = {}
        self.placed: dict[tuple[str, str], str] = {}
        self.tries = 0

    async def work(self) -> None:
        while True:
            waiting, seen = await self.queue.get()
            self.tries += 1
            pod, size = waiting.pod, size_of(waiting.pod)
            for name in [*(waiting.places or ())]:
                if self.room[name] < size:
                    del waiting.places[name]
            places = NODES if waiting.places is None else [*waiting.places]
            fits = next((name for name in places if self.room[name] >= size), None)
            await asyncio.sleep(self.random.choice((0, 0, 0.01)))  # others may come and go meanwhile
            if not self.queue.holds(waiting):
                continue
            if fits is None:
                self.queue.rest(waiting, seen, self.random.choice(("no room", "no room", "no room at all")))
            elif self.room[fits] < size or self.random.random() < 0.1:
                self.queue.retry(waiting)
            else:
                self.room[fits] -= size
                self.placed[key_of(pod)] = fits
                del self.waiting[key_of(pod)]
                self.queue.settled(waiting)
                if self.random.random() < 0.5:
                    await asyncio.sleep(0)
                self.queue.drop(key_of(pod))

    def act(self) -> None:
        """Something happens: a pod comes, goes or changes, or a node has more room."""
        match self.random.randrange(6):
            case 0 | 1:
                name, kind = f"p{self.random.randrange(40)}", self.random.choice([*SIZES])
                if ("n", name) not in {**self.waiting, **self.placed}:
                    self.put(a_pod(name, kind))
            case 2 if self.waiting:
                key = self.random.choice(sorted(self.waiting))
                del self.waiting[key]
                self.queue.drop(key)
            case 3 if self.waiting:
                key = self.random.choice(sorted(self.waiting))
                self.put(a_pod(key[1], self.random.choice([*SIZES])))
            case 4 if self.placed:
                key = self.random.choice(sorted(self.placed))
                self.free(self.placed.pop(key), 1)
            case _:
                self.free(self.random.choice(NODES), self.random.randrange(1, 4))

    def put(self, pod: Pod) -> None:
        self.waiting[key_of(pod)] = pod
        self.queue.put(pod)

    def free(self, node: str, size: int) -> None:
        self.room[node] += size
        self.queue.wake(lambda pod: self.room[node] >= size_of(pod), node if self.random.random() < 0.8 else "")


def a_pod(name: str, kind: str) -> Pod:
    spec = PodSpec(containers=[Container(name="c", image=kind)])
    return Pod(metadata=ObjectMeta(name=name, namespace="n", uid=name), spec=spec)


def size_of(pod: Pod) -> int:
    return SIZES[pod.spec.containers[0].image]


@pytest.mark.parametrize("seed", range(60))
def test_nobody_waits_who_has_room(seed):
    async def main():
        model = Model(Random(seed))
        async with asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(model.work())
            for _ in range(150):
                model.act()
                await asyncio.sleep(model.random.choice((0, 0, 0.05, 1.0)))
            for _ in range(3):  # a last failure may cost one back-off more
                await asyncio.sleep(LONGEST_DELAY * 1.5)
            room = max(model.room.values())
            assert [key for key, pod in model.waiting.items() if size_of(pod) <= room] == []
            assert len(model.queue) == len(model.waiting)
            worker.cancel()
        model.queue.close()

    virtual_time.run(main())


def test_room_for_one_costs_one_try_however_many_wait():
    async def main():
        model = Model(Random(1))
        model.random.random = lambda: 0.6  # nothing fails
        model.random.choice = lambda among: among[0]
        async with asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(model.work())
            for number in range(500):
                model.put(a_pod(f"p{number}", "small"))
            await asyncio.sleep(1)
            before = model.tries
            model.free("a", 1)
            await asyncio.sleep(1)
            assert (len(model.waiting), model.tries - before) == (499, 2)  # and one finds that it was taken
            worker.cancel()
        model.queue.close()

    virtual_time.run(main())
