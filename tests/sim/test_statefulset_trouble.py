"""A StatefulSet in trouble, seed by seed: one pod of a name, in order, and all well at the end, whatever happens."""

import asyncio
import random

import pytest

from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import PersistentVolumeClaim, Pod
from knarr.meta.errors import ApiError
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from tests.sim.stateful import CLASS, CONTROLLERS, SPACE, OneOfEachName, manifest

STEPS = 25
LARGEST = 5


class InOrder(OneOfEachName):
    """Also watches that a pod comes only while the pods of all lower ordinals are there, and ready or going."""

    def _changed(self, old, new):
        super()._changed(old, new)
        if old is None and new is not None and not self.parallel:
            ordinal = int(new.metadata.name.rpartition("-")[2])
            below = {f"db-{n}" for n in range(ordinal)}
            if not below <= self.living.keys():
                self.broken.append(f"{new.metadata.name} before {sorted(below - self.living.keys())}")

    def __init__(self, cluster, parallel):
        self.parallel = parallel
        super().__init__(cluster)


async def trouble(cluster, rng, stopped):
    """One thing that a user or fate may do."""
    api, pod = cluster.api, f"db-{rng.randrange(LARGEST)}"
    match rng.choice(["scale", "image", "delete", "delete", "fail", "stop", "start", "wait"]):
        case "scale":
            await api.patch(StatefulSet, "db", SPACE, {"spec": {"replicas": rng.randrange(LARGEST + 1)}})
        case "image":
            template = {"spec": {"containers": [{"name": "c", "image": f"img:{rng.randrange(3)}"}]}}
            await api.patch(StatefulSet, "db", SPACE, {"spec": {"template": template}}, kind="strategic")
        case "delete":
            await api.delete(Pod, pod, SPACE)
        case "fail":
            phase = rng.choice(["Failed", "Succeeded"])
            await api.patch(Pod, pod, SPACE, {"status": {"phase": phase}}, subresource="status")
        case "stop" if not stopped:
            stopped.append(rng.choice([*cluster.machines]))
            await cluster.stop_node(stopped[0])
        case "start" if stopped:
            await cluster.start_node(stopped.pop())
    await asyncio.sleep(rng.choice([0, 0.01, 0.1, 1, 10, 100]))


async def live(seed):
    rng = random.Random(seed)
    parallel = rng.random() < 0.5
    controllers = [module.controller() for module in CONTROLLERS]
    async with Cluster(controllers, 3, services=[scheduler.run]) as cluster:
        await cluster.apply(CLASS)
        await cluster.settled()
        watcher = InOrder(cluster, parallel)
        await cluster.apply(manifest(3, podManagementPolicy="Parallel" if parallel else "OrderedReady"))
        stopped = []
        for _ in range(STEPS):
            try:
                await trouble(cluster, rng, stopped)
            except ApiError:
                continue  # what it was to happen to is not there
        for name in stopped:
            await cluster.start_node(name)
        await cluster.api.patch(StatefulSet, "db", SPACE, {"spec": {"replicas": 3}})
        await cluster.settled(quiet=120)
        pods = (await cluster.api.list(Pod, SPACE)).items
        claims = {c.metadata.name: c.status.phase for c in (await cluster.api.list(PersistentVolumeClaim, SPACE)).items}
        return watcher.broken, await cluster.api.get(StatefulSet, "db", SPACE), pods, claims


@pytest.mark.parametrize("seed", range(20))
def test_all_is_well_at_the_end(seed):
    broken, set_, pods, claims = virtual_time.run(live(seed), seed=seed)
    assert broken == []
    assert [pod.metadata.name for pod in pods] == ["db-0", "db-1", "db-2"]
    assert (set_.status.readyReplicas, set_.status.updatedReplicas, set_.status.replicas) == (3, 3, 3)
    assert set_.status.currentRevision == set_.status.updateRevision
    assert {pod.spec.containers[0].image for pod in pods} == {set_.spec.template.spec.containers[0].image}
    assert all(claims[f"d-{pod.metadata.name}"] == "Bound" for pod in pods)
