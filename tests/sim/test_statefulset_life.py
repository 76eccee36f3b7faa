"""What a StatefulSet promises, on simulated nodes: claims that stay, adoption, recovery, one pod of a name."""

import asyncio

import pytest

from knarr.kinds.types.apps_v1 import ControllerRevision, StatefulSet
from knarr.kinds.types.core_v1 import PersistentVolumeClaim, Pod
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from tests.sim.stateful import CLASS, CONTROLLERS, SPACE, OneOfEachName, manifest, names, scale, set_image


async def claims_stay_when_scaled(cluster):
    await cluster.apply(manifest())
    await cluster.settled()
    before = {c.metadata.name: c.spec.volumeName for c in (await cluster.api.list(PersistentVolumeClaim, SPACE)).items}
    await scale(cluster, 1)
    assert await names(cluster, Pod) == ["db-0"]
    assert await names(cluster, PersistentVolumeClaim) == ["d-db-0", "d-db-1", "d-db-2"]
    await scale(cluster, 3)
    after = {c.metadata.name: c.spec.volumeName for c in (await cluster.api.list(PersistentVolumeClaim, SPACE)).items}
    assert before == after


async def claims_stay_when_the_set_is_deleted(cluster):
    await cluster.apply(manifest())
    await cluster.settled()
    await cluster.api.delete(StatefulSet, "db", SPACE, propagation="Background")
    await cluster.settled(quiet=10)
    assert await names(cluster, Pod) == []
    assert len(await names(cluster, PersistentVolumeClaim)) == 3


async def claims_go_when_scaled_if_the_policy_says_so(cluster):
    await cluster.apply(
        manifest(persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete", "whenDeleted": "Retain"})
    )
    await cluster.settled()
    await scale(cluster, 1)
    assert await names(cluster, PersistentVolumeClaim) == ["d-db-0"]
    await scale(cluster, 2)
    assert await names(cluster, Pod) == ["db-0", "db-1"]


async def claims_go_with_the_set_if_the_policy_says_so(cluster):
    await cluster.apply(
        manifest(persistentVolumeClaimRetentionPolicy={"whenScaled": "Retain", "whenDeleted": "Delete"})
    )
    await cluster.settled()
    await scale(cluster, 2)
    assert len(await names(cluster, PersistentVolumeClaim)) == 3
    await cluster.api.delete(StatefulSet, "db", SPACE, propagation="Background")
    await cluster.settled(quiet=10)
    assert await names(cluster, PersistentVolumeClaim) == []


async def orphans_are_adopted(cluster):
    await cluster.apply(manifest())
    await cluster.settled()
    before = {pod.metadata.name: pod.metadata.uid for pod in (await cluster.api.list(Pod, SPACE)).items}
    await cluster.api.delete(StatefulSet, "db", SPACE, propagation="Orphan")
    await cluster.settled(quiet=10)
    orphans = (await cluster.api.list(Pod, SPACE)).items
    assert {pod.metadata.name: pod.metadata.uid for pod in orphans} == before
    assert [pod.metadata.ownerReferences for pod in orphans] == [[], [], []]
    await cluster.apply(manifest())
    await cluster.settled(quiet=10)
    owner = (await cluster.api.get(StatefulSet, "db", SPACE)).metadata.uid
    adopted = (await cluster.api.list(Pod, SPACE)).items
    assert {pod.metadata.name: pod.metadata.uid for pod in adopted} == before
    assert {ref.uid for pod in adopted for ref in pod.metadata.ownerReferences} == {owner}
    assert len(await names(cluster, ControllerRevision)) == 1


async def a_pod_that_stops_matching_is_let_go_and_blocks_its_name(cluster):
    await cluster.apply(manifest(2))
    await cluster.settled()
    await cluster.api.patch(Pod, "db-1", SPACE, {"metadata": {"labels": {"app": "other"}}})
    await cluster.settled(quiet=10)
    assert (await cluster.api.get(Pod, "db-1", SPACE)).metadata.ownerReferences == []
    await cluster.api.delete(Pod, "db-1", SPACE)
    await asyncio.sleep(60)
    assert (await cluster.api.get(Pod, "db-1", SPACE)).metadata.labels["app"] == "x"


async def equal_templates_share_a_revision(cluster):
    await cluster.apply(manifest(1))
    await cluster.settled()
    await set_image(cluster, "img:2")
    await set_image(cluster, "img:1")
    numbers = {r.metadata.name: r.revision for r in (await cluster.api.list(ControllerRevision, SPACE)).items}
    status = (await cluster.api.get(StatefulSet, "db", SPACE)).status
    assert sorted(numbers.values()) == [2, 3]
    assert numbers[status.currentRevision] == 3


async def history_is_limited(cluster):
    await cluster.apply(manifest(1, revisionHistoryLimit=2))
    for number in range(2, 7):
        await cluster.settled(quiet=10)
        await set_image(cluster, f"img:{number}")
    revisions = sorted(r.revision for r in (await cluster.api.list(ControllerRevision, SPACE)).items)
    assert revisions == [4, 5, 6]


async def a_pod_of_a_stopped_node_is_not_doubled(cluster):
    await cluster.apply(manifest())
    await cluster.settled()
    pod = await cluster.api.get(Pod, "db-1", SPACE)
    await cluster.stop_node(pod.spec.nodeName)
    await asyncio.sleep(600)
    stuck = await cluster.api.get(Pod, "db-1", SPACE)
    assert stuck.metadata.uid == pod.metadata.uid
    assert stuck.metadata.deletionTimestamp
    await cluster.start_node(pod.spec.nodeName)
    await cluster.settled(quiet=30)
    ready = (await cluster.api.get(StatefulSet, "db", SPACE)).status.readyReplicas
    fresh = await cluster.api.get(Pod, "db-1", SPACE)
    assert (ready, fresh.spec.nodeName) == (3, pod.spec.nodeName)
    assert fresh.metadata.uid != pod.metadata.uid


async def ready_pods_count_only_after_a_while(cluster):
    loop = asyncio.get_running_loop()
    began = loop.time()
    await cluster.apply(manifest(2, minReadySeconds=30))
    await cluster.settled(quiet=40)
    status = (await cluster.api.get(StatefulSet, "db", SPACE)).status
    assert status.availableReplicas == 2
    assert loop.time() - began >= 60 + 40


TALES = [
    claims_stay_when_scaled,
    claims_stay_when_the_set_is_deleted,
    claims_go_when_scaled_if_the_policy_says_so,
    claims_go_with_the_set_if_the_policy_says_so,
    orphans_are_adopted,
    a_pod_that_stops_matching_is_let_go_and_blocks_its_name,
    equal_templates_share_a_revision,
    history_is_limited,
    a_pod_of_a_stopped_node_is_not_doubled,
    ready_pods_count_only_after_a_while,
]


@pytest.mark.parametrize("tale", TALES, ids=[tale.__name__.replace("_", " ") for tale in TALES])
def test_promise(tale):
    async def main():
        controllers = [module.controller() for module in CONTROLLERS]
        async with Cluster(controllers, 3, services=[scheduler.run]) as cluster:
            await cluster.apply(CLASS)
            await cluster.settled()
            watcher = OneOfEachName(cluster)
            await tale(cluster)
            assert watcher.broken == []

    virtual_time.run(main())
