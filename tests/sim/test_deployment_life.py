"""What befalls Deployments and their kin: names that are taken, adoption, release, lost answers, failures."""

import json

from knarr.client.transport import TransportError
from knarr.controllers import daemonset, deployment, garbage_collector, pod_gc, replicaset
from knarr.controllers.deployment_sets import new_set
from knarr.kinds.types.apps_v1 import DaemonSet, Deployment, ReplicaSet
from knarr.kinds.types.core_v1 import Event, Node, Pod
from knarr.meta.errors import InternalError
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from tests.sim.stories import SPACE, manifest


def told(main, nodes=3):
    async def live():
        controllers = [
            deployment.CONTROLLER, replicaset.controller(), daemonset.controller(), garbage_collector.controller(),
            pod_gc.controller(),
        ]  # fmt: skip
        async with Cluster(controllers, nodes, services=[scheduler.run]) as cluster:
            await cluster.settled()
            await main(cluster)

    virtual_time.run(live())


def workload(kind="Deployment", name="web", **spec):
    return json.dumps(manifest(kind, name, spec if kind == "DaemonSet" else {"replicas": 3, **spec}))


async def pods(cluster):
    return (await cluster.api.list(Pod, SPACE)).items


async def sets(cluster):
    return (await cluster.api.list(ReplicaSet, SPACE)).items


def creates_pod(request):
    return request.method == "POST" and request.path.endswith("/pods")


def test_a_name_that_another_set_has_is_counted_and_another_is_taken():
    async def main(cluster):
        await cluster.apply(workload(replicas=0, paused=True))
        found = await cluster.api.get(Deployment, "web", SPACE)
        name = new_set(found, []).metadata.name
        await cluster.apply(workload("ReplicaSet", name).replace('"x"', '"other"'))
        await cluster.api.patch(Deployment, "web", SPACE, {"spec": {"replicas": 3, "paused": None}})
        await cluster.settled()
        found = await cluster.api.get(Deployment, "web", SPACE)
        assert (found.status.collisionCount, found.status.readyReplicas) == (1, 3)
        mine = [set_ for set_ in await sets(cluster) if set_.metadata.ownerReferences]
        assert [set_.metadata.name == name for set_ in mine] == [False]

    told(main)


def test_a_deployment_adopts_the_set_and_the_pods_that_its_predecessor_left():
    async def main(cluster):
        await cluster.apply(workload())
        await cluster.settled()
        before = {pod.metadata.uid for pod in await pods(cluster)}
        await cluster.api.delete(Deployment, "web", SPACE, propagation="Orphan")
        await cluster.settled()
        assert [set_.metadata.ownerReferences for set_ in await sets(cluster)] == [[]]
        await cluster.apply(workload())
        await cluster.settled()
        assert [set_.metadata.ownerReferences[0].name for set_ in await sets(cluster)] == ["web"]
        assert {pod.metadata.uid for pod in await pods(cluster)} == before

    told(main)


def test_a_pod_that_stops_matching_is_let_go_and_replaced_and_taken_back_when_it_matches():
    async def main(cluster):
        await cluster.apply(workload("ReplicaSet"))
        await cluster.settled()
        name = (await pods(cluster))[0].metadata.name
        await cluster.api.patch(Pod, name, SPACE, {"metadata": {"labels": {"app": "quarantined"}}})
        await cluster.settled()
        found = {pod.metadata.name: pod for pod in await pods(cluster)}
        assert len(found) == 4
        assert found[name].metadata.ownerReferences == []
        await cluster.api.patch(Pod, name, SPACE, {"metadata": {"labels": {"app": "x"}}})
        await cluster.settled()
        found = await pods(cluster)
        assert len(found) == 3, "one too many, and one went"
        assert all(pod.metadata.ownerReferences for pod in found)

    told(main)


def test_a_pod_whose_creation_was_answered_by_nobody_is_not_made_twice():
    async def main(cluster):
        cluster.faults.lose_answer(when=creates_pod)
        cluster.faults.fail(TransportError("reset"), when=creates_pod)
        cluster.faults.fail(InternalError("a disk"), when=creates_pod)
        await cluster.apply(workload(replicas=9))
        await cluster.advance(minutes=10)
        found = await cluster.api.get(Deployment, "web", SPACE)
        assert (len(await pods(cluster)), found.status.readyReplicas) == (9, 9)

    told(main)


def test_pods_become_available_in_their_time_and_the_rollout_waits_for_it():
    async def main(cluster):
        await cluster.apply(workload(minReadySeconds=30))
        await cluster.advance(seconds=25)
        found = await cluster.api.get(Deployment, "web", SPACE)
        assert (found.status.readyReplicas, found.status.availableReplicas) == (3, None)
        await cluster.advance(seconds=10)
        found = await cluster.api.get(Deployment, "web", SPACE)
        assert found.status.availableReplicas == 3

    told(main)


def test_a_daemon_pod_that_fails_again_and_again_is_replaced_less_and_less_often():
    async def main(cluster):
        tree = json.loads(workload("DaemonSet", "ds"))
        tree["spec"]["template"]["spec"]["nodeName"] = "node-0"
        await cluster.stop_node("node-0")  # nobody speaks for its pods but this test
        await cluster.apply(json.dumps(tree))
        lives = []
        for _ in range(5):
            await cluster.advance(seconds=0.1)
            (pod,) = await pods(cluster)
            await cluster.api.patch(
                Pod, pod.metadata.name, SPACE, {"status": {"phase": "Failed"}}, subresource="status"
            )
            lives.append(await seconds_until_gone(cluster, pod))
        assert lives[0] <= 1
        assert lives == sorted(lives)
        assert lives[-2:] == [4, 8], "doubled, counted from the last failure"
        await cluster.context.recorder.flush()
        found = (await cluster.api.list(Event, SPACE)).items
        assert sum(event.count for event in found if event.reason == "FailedDaemonPod") == 5

    told(main, nodes=1)


async def seconds_until_gone(cluster, pod):
    """Whole seconds, and when they are over the pod that comes in its place is there."""
    seconds = 0
    while True:
        found = [other for other in await pods(cluster) if other.metadata.uid == pod.metadata.uid]
        if not found:
            return seconds
        if found[0].metadata.deletionTimestamp:
            await cluster.api.delete(Pod, pod.metadata.name, SPACE, grace=0)
            continue
        await cluster.advance(seconds=1)
        seconds += 1


def test_a_node_that_goes_takes_its_daemon_pod_with_it():
    async def main(cluster):
        await cluster.apply(workload("DaemonSet", "ds"))
        await cluster.settled()
        await cluster.stop_node("node-1")
        await cluster.api.delete(Node, "node-1")
        await cluster.advance(minutes=3)
        assert sorted(pod.spec.nodeName for pod in await pods(cluster)) == ["node-0", "node-2"]
        found = await cluster.api.get(DaemonSet, "ds", SPACE)
        assert (found.status.desiredNumberScheduled, found.status.numberReady) == (2, 2)

    told(main)
