"""A cluster that was copied in the middle of something, and its copies, do the same when they are driven alike."""

import random

import pytest

from knarr.controllers import deployment
from knarr.kinds.types.apps_v1 import Deployment
from knarr.kinds.types.core_v1 import Pod
from knarr.meta import clock
from knarr.testing.cluster import Cluster
from knarr.testing.history import History, RecordedStore, first_difference
from knarr.testing.virtual_time import Driver
from tests.sim.determinism_story import workloads

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {knarr.dev/simulated-exit-after: "50"}}
    spec: {containers: [{name: main, image: "app:1"}]}
"""


class World:
    """A cluster with a loop of its own, and what was written since it was copied."""

    def __init__(self, driver, cluster):
        self.driver, self.cluster = driver, cluster
        self.history = History(lines=True)
        self.do = driver.run

    def record(self):
        self.cluster.store.listeners.append(self.history)

    def fork(self):
        checkpoint = self.do(self.cluster.checkpoint())
        driver = Driver(start=checkpoint.moment)
        return World(driver, driver.run(Cluster(start=checkpoint).__aenter__()))

    def end(self):
        self.do(self.cluster.__aexit__(None, None, None))
        self.driver.close()


@pytest.fixture
def worlds():
    """Makes the first world; all of `made` end with the test."""
    made = []
    yield made
    for world in made:
        world.end()


@pytest.fixture
def begin(worlds):
    """Makes the first world: three nodes, and what a coroutine function does on them."""

    def make(act, seed=5):
        driver = Driver(seed=seed)
        world = World(driver, driver.run(Cluster(nodes=3, store=RecordedStore()).__aenter__()))
        worlds.append(world)
        world.do(act(world.cluster))
        return world

    return make


def driven_alike(world, worlds, act):
    """Fork, drive both worlds alike, and give what each has written."""
    twin = world.fork()
    worlds.append(twin)
    for each in (world, twin):
        each.record()
        each.do(act(each.cluster))
    return world.history.lines, twin.history.lines


async def roll_out(cluster):
    await cluster.apply(MANIFEST)
    await cluster.advance(seconds=30)
    await cluster.apply(MANIFEST.replace("app:1", "app:2"))
    await cluster.advance(seconds=0.03)


async def wait(cluster):
    await cluster.advance(minutes=3)


def test_a_rollout_goes_on_in_both(begin, worlds):
    world = begin(roll_out)
    pods = {pod.spec.containers[0].image for pod in world.do(world.cluster.api.list(Pod, "default")).items}
    assert pods == {"app:1", "app:2"}
    mine, theirs = driven_alike(world, worlds, wait)
    assert first_difference(mine, theirs) is None
    assert len(mine) > 50
    for each in worlds:
        deployment = each.do(each.cluster.api.get(Deployment, "web", "default"))
        assert deployment.status.updatedReplicas == 6


def test_each_goes_its_own_way_and_keeps_its_own_time(begin, worlds):
    world = begin(roll_out)
    twin = world.fork()
    worlds.append(twin)
    twin.do(twin.cluster.apply(MANIFEST.replace("replicas: 6", "replicas: 1")))
    twin.do(twin.cluster.advance(hours=1))
    assert twin.driver.loop.time() == pytest.approx(world.driver.loop.time() + 3600)
    world.do(world.cluster.advance(minutes=1))
    counts = [each.do(each.cluster.api.get(Deployment, "web", "default")).spec.replicas for each in worlds]
    assert counts == [6, 1]


@pytest.mark.parametrize("failure", ["stop_node", "partition_node"])
def test_a_node_that_is_away_stays_away_in_both(begin, worlds, failure):
    async def fail(cluster):
        await roll_out(cluster)
        await getattr(cluster, failure)("node-1")
        await cluster.advance(seconds=20)

    async def come_back(cluster):
        await cluster.advance(minutes=3)
        await (cluster.start_node if failure == "stop_node" else cluster.heal_node)("node-1")
        await cluster.advance(minutes=1)

    mine, theirs = driven_alike(begin(fail), worlds, come_back)
    assert first_difference(mine, theirs) is None
    assert any("NodeNotReady" in line for line in mine)


@pytest.mark.parametrize("seed", range(3))
def test_all_workloads_go_on_alike_whenever_they_are_copied(begin, worlds, seed):
    chance = random.Random(seed)

    async def work(cluster):
        for each in workloads(chance):
            await cluster.apply(each)
            await cluster.advance(seconds=chance.random())

    mine, theirs = driven_alike(begin(work, seed), worlds, wait)
    assert first_difference(mine, theirs) is None


def test_a_copy_of_a_copy_is_the_same_too(begin, worlds):
    world = begin(roll_out)
    worlds.append(world.fork())
    mine, theirs = driven_alike(worlds[1], worlds, wait)
    assert first_difference(mine, theirs) is None


def test_code_that_is_no_coroutine_forks_too():
    def replicas(cluster):
        cluster.advance(minutes=1)
        return [pod.metadata.name for pod in cluster.run(lambda own: own.api.list(Pod, "default")).items]

    with Cluster(nodes=2, virtual_time=True, seed=7) as cluster:
        cluster.apply(MANIFEST)
        with cluster.fork() as twin:
            assert replicas(twin) == replicas(cluster)
            twin.advance(hours=1)
            now = [each.run(moment) for each in (cluster, twin)]
        assert now[1] - now[0] == pytest.approx(3600)


async def moment(cluster):
    return clock.unix()


def test_controllers_whose_memory_stays_cannot_be_copied():
    with Driver() as driver:
        cluster = driver.run(Cluster([deployment.CONTROLLER]).__aenter__())
        with pytest.raises(RuntimeError, match="begun anew"):
            driver.run(cluster.checkpoint())
        driver.run(cluster.__aexit__(None, None, None))
