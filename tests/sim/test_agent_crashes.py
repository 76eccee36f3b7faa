"""An agent that dies again and again, between any two calls of its runtime: no pod is lost, doubled or restarted."""

import asyncio
import json
import random
from collections import Counter

import pytest

from knarr.kinds.types.core_v1 import Pod
from knarr.meta.errors import NotFound
from knarr.node.runtimes.simulated import SimulatedRuntime
from knarr.node.simulation.defaults import EXIT_AFTER, EXIT_CODE
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

SPACE, NODE = "default", "node-0"
STEPS = 25
CALLS = ("pods", "run_pod", "stop_pod", "remove_pod", "start_container", "stop_container", "remove_container")
SORTS = {  # name: (restartPolicy, annotations, init containers)
    "steady": ("Always", {}, 0),
    "crashing": ("Always", {EXIT_AFTER: "7", EXIT_CODE: "1"}, 0),
    "once": ("Never", {EXIT_AFTER: "3"}, 0),
    "staged": ("OnFailure", {EXIT_AFTER: "2"}, 2),
}


class Mortal(SimulatedRuntime):
    """A machine on which the agent may die before and after each call, and which notes what must not happen."""

    def __init__(self, rng):
        super().__init__("10.244.0.0/24")
        self.deaths, self.broken, self.ends, self.starts = 0, [], Counter(), Counter()
        self.deadly = 0.0  # how probable a death is, at each of the moments
        self.dead = asyncio.Event()
        self._rng = rng

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        return self._mortal(found) if name in CALLS else found

    def _mortal(self, call):
        async def mortal(*arguments):
            await self._may_die()
            answer = await call(*arguments)
            await self._may_die()
            return answer

        return mortal

    async def _may_die(self):
        if self._rng.random() < self.deadly:
            self.dead.set()
        if self.dead.is_set():
            await asyncio.Event().wait()  # the dead do nothing more

    def _put(self, pod):
        before = {each.id: each.state for each in self._containers(pod.uid)}
        for each in pod.containers:
            self.starts[pod.uid, each.name] += each.id not in before
            self.ends[pod.uid, each.name] += (before.get(each.id), each.state) == ("running", "exited")
        alive = Counter(each.name for each in pod.containers if each.state == "running")
        self.broken += [f"{pod.name}: {name} runs {count} times" for name, count in alive.items() if count > 1]
        super()._put(pod)


def manifest(name, sort):
    policy, annotations, initial = SORTS[sort]
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "annotations": annotations, "labels": {"sort": sort}},
            "spec": {
                "nodeName": NODE,
                "restartPolicy": policy,
                "terminationGracePeriodSeconds": 5,
                "containers": [{"name": "c", "image": "img:1"}],
                "initContainers": [{"name": f"i{n}", "image": "img:1"} for n in range(initial)],
            },
        }
    )


def statuses(pod):
    return [*pod.status.initContainerStatuses, *pod.status.containerStatuses]


def follow(cluster, machine):
    """Hold every status that is written to what happened on the machine; restarts are never taken back either."""

    def changed(old, new):
        if old is None or new is None or old.metadata.uid != new.metadata.uid:
            return
        known = {each.name: each.restartCount for each in statuses(old)}
        for each in statuses(new):
            ends = machine.ends[new.metadata.uid, each.name]
            if not known.get(each.name, 0) <= each.restartCount <= ends:
                machine.broken.append(f"{new.metadata.name}: {each.restartCount} restarts of {each.name}, {ends} ends")

    cluster.context.informers.of(Pod).on_change(changed)


async def revive(cluster, machine, rng):
    """Start the agent again whenever it has died, at once or after a while; it may die while it starts."""
    async with asyncio.TaskGroup() as starts:
        while True:
            await machine.dead.wait()
            await cluster.stop_node(NODE)
            await asyncio.sleep(rng.choice([0, 0.1, 5, 60]))
            machine.dead.clear()
            machine.deaths += 1
            starts.create_task(cluster.start_node(NODE))


async def live(seed):
    rng = random.Random(seed)
    cluster = Cluster([], 1)
    machine = cluster.machines[NODE].runtime = Mortal(rng)
    async with cluster:
        follow(cluster, machine)
        reviving = asyncio.create_task(revive(cluster, machine, rng))
        machine.deadly = 0.07
        wanted = {}
        for number in range(STEPS):
            name = f"p{rng.randrange(8)}"
            if name not in wanted:
                wanted[name] = rng.choice([*SORTS])
                await cluster.apply(manifest(name, wanted[name]))
            elif number < STEPS - 5:
                await delete(cluster, name, rng.choice([None, 0, 1]))
                del wanted[name]
            await asyncio.sleep(rng.choice([0, 0.005, 0.02, 1, 20]))
        machine.deadly = 0
        await asyncio.sleep(700)
        reviving.cancel()
        pods = {pod.metadata.name: pod for pod in (await cluster.api.list(Pod, SPACE)).items}
        return machine, wanted, pods


async def delete(cluster, name, grace):
    """Delete a pod and wait until its name is free: a dead agent may take its time."""
    await cluster.api.delete(Pod, name, SPACE, grace=grace)
    while True:
        try:
            await cluster.api.get(Pod, name, SPACE)
        except NotFound:
            return
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("seed", range(30))
def test_no_pod_is_lost_or_doubled(seed):
    machine, wanted, pods = virtual_time.run(live(seed), seed=seed)
    assert machine.broken == []
    assert machine.deaths
    assert pods.keys() == wanted.keys()
    assert machine._pods.keys() == {pod.metadata.uid for pod in pods.values()}
    for name, sort in wanted.items():
        pod, uid = pods[name], pods[name].metadata.uid
        restarts = {each.name: each.restartCount for each in statuses(pod)}
        assert all(machine.starts[uid, each] == count + 1 for each, count in restarts.items())
        if sort != "crashing":
            assert set(restarts.values()) == {0}
            assert pod.status.phase == ("Running" if sort == "steady" else "Succeeded")
        else:
            assert restarts["c"] >= 3
