"""StatefulSets whose nodes fail: cut off, stopped, drained, deleted, given up for dead; and what is said of it."""

import asyncio

import pytest

from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import Event, Node, PersistentVolumeClaim, Pod
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from tests.sim.stateful import CLASS, CONTROLLERS, SPACE, manifest

NAME = "db-1"
LONG = 900.0  #: seconds: the node is noticed to be silent, its pods' tolerations end, and some more


async def the_pod(cluster):
    return await cluster.api.get(Pod, NAME, SPACE)


async def ready(cluster):
    return (await cluster.api.get(StatefulSet, "db", SPACE)).status.readyReplicas


async def events(cluster, kind, *reasons):
    """The reasons and messages of the events on a kind, of those that are asked for."""
    found = (await cluster.api.list(Event, SPACE)).items
    return [(e.reason, e.message) for e in found if e.involvedObject.kind == kind and e.reason in reasons]


def running(cluster, name):
    """The nodes on which a pod of this name has running containers, by the machines' word."""
    return sorted(
        node
        for node, machine in cluster.machines.items()
        for pod in machine.runtime.sandboxes.values()
        if pod.name == name and any(state.state == "running" for state in pod.containers)
    )


async def force(cluster):
    await cluster.api.delete(Pod, NAME, SPACE, grace=0)


def without_claims():
    return manifest(3, volumeClaimTemplates=[]).replace(
        '"volumeMounts": [{"name": "d", "mountPath": "/d"}]', '"env": []'
    )


# Without claims: a successor may go anywhere


async def a_pod_of_a_node_that_is_cut_off_has_no_successor_until_the_node_is_back(cluster, pod, node):
    await cluster.partition_node(node)
    await asyncio.sleep(LONG)
    assert (await the_pod(cluster)).metadata.uid == pod.metadata.uid
    assert (await the_pod(cluster)).metadata.deletionTimestamp
    assert running(cluster, NAME) == [node]
    await cluster.heal_node(node)
    await cluster.settled(quiet=60)
    assert (await the_pod(cluster)).metadata.uid != pod.metadata.uid
    assert await ready(cluster) == 3
    assert await events(cluster, "StatefulSet", "UnconfirmedPredecessor") == []


async def a_pod_that_was_deleted_by_force_is_told_of_by_the_set_and_by_the_node_that_still_ran_it(cluster, pod, node):
    await cluster.partition_node(node)
    await asyncio.sleep(LONG)
    await force(cluster)
    await asyncio.sleep(60)
    assert len(running(cluster, NAME)) == 2
    uid = pod.metadata.uid
    assert await events(cluster, "StatefulSet", "UnconfirmedPredecessor") == [
        (
            "UnconfirmedPredecessor",
            f"Pod {NAME} takes the place of one (uid {uid}) that was deleted before node {node} said that its "
            "processes had ended: the two may run at the same time",
        )
    ]
    await cluster.heal_node(node)
    await cluster.settled(quiet=60)
    assert running(cluster, NAME) == [(await the_pod(cluster)).spec.nodeName]
    assert await events(cluster, "Pod", "DeletedWhileRunning", "ProcessesEnded") == [
        (
            "DeletedWhileRunning",
            f"Pod default/{NAME} (uid {uid}) was deleted while its containers [c] still ran on node {node}: until they "
            "have ended, a pod of the same name may run beside it",
        ),
        ("ProcessesEnded", f"Pod default/{NAME} (uid {uid}) has no process left on node {node}"),
    ]


async def a_node_whose_agent_was_away_ends_and_tells_of_what_was_deleted_by_force(cluster, pod, node):
    await cluster.stop_node(node)
    await asyncio.sleep(LONG)
    await force(cluster)
    await asyncio.sleep(60)
    assert len(running(cluster, NAME)) == 2
    await cluster.start_node(node)
    await cluster.settled(quiet=60)
    assert running(cluster, NAME) == [(await the_pod(cluster)).spec.nodeName]
    told = await events(cluster, "Pod", "DeletedWhileRunning", "ProcessesEnded")
    assert [reason for reason, _ in told] == ["DeletedWhileRunning", "ProcessesEnded"]
    assert all(f"uid {pod.metadata.uid}" in said and f"node {node}" in said for _, said in told)


async def a_node_that_is_deleted_takes_its_pods_for_dead_and_that_is_said(cluster, pod, node):
    await cluster.partition_node(node)
    await asyncio.sleep(120)
    await cluster.api.delete(Node, node)
    await asyncio.sleep(120)
    assert (await the_pod(cluster)).spec.nodeName != node
    assert [reason for reason, _ in await events(cluster, "StatefulSet", "UnconfirmedPredecessor")] != []
    await cluster.heal_node(node)
    await cluster.settled(quiet=60)
    assert running(cluster, NAME) == [(await the_pod(cluster)).spec.nodeName]
    assert await ready(cluster) == 3


async def a_node_that_is_out_of_service_takes_its_pods_for_dead_and_that_is_said(cluster, pod, node):
    await cluster.stop_node(node)
    await asyncio.sleep(LONG)
    taint = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
    await cluster.api.patch(Node, node, "", {"spec": {"taints": [taint]}}, kind="strategic")
    await asyncio.sleep(60)
    assert (await the_pod(cluster)).spec.nodeName != node
    assert await ready(cluster) == 3
    told = await events(cluster, "StatefulSet", "UnconfirmedPredecessor")
    assert any(pod.metadata.uid in said for _, said in told)


async def a_drained_node_ends_its_pods_before_their_successors_come(cluster, pod, node):
    await cluster.api.patch(Node, node, "", {"spec": {"unschedulable": True}})
    await cluster.api.raw("POST", f"/api/v1/namespaces/{SPACE}/pods/{NAME}/eviction", body=EVICTION)
    await cluster.settled(quiet=10)
    assert (await the_pod(cluster)).spec.nodeName != node
    assert await ready(cluster) == 3
    assert await events(cluster, "StatefulSet", "UnconfirmedPredecessor") == []
    assert await events(cluster, "Pod", "DeletedWhileRunning") == []


EVICTION = b'{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"db-1","namespace":"default"}}'


# With claims: the data is on one node


async def a_claim_on_a_dead_node_keeps_its_pod_pending_until_the_node_is_back(cluster, pod, node):
    claim = await cluster.api.get(PersistentVolumeClaim, "d-db-1", SPACE)
    await cluster.stop_node(node)
    await asyncio.sleep(LONG)
    await force(cluster)
    await asyncio.sleep(60)
    waiting = await the_pod(cluster)
    assert (waiting.status.phase, waiting.spec.nodeName) == ("Pending", "")
    [(_, said)] = await events(cluster, "Pod", "FailedScheduling")
    assert said.startswith("0/3 nodes are available: ")
    assert "1 node(s) had untolerated taint(s)" in said or "1 node(s) had untolerated taint {" in said
    assert "2 node(s) didn't match PersistentVolume's node affinity" in said
    await cluster.start_node(node)
    await cluster.settled(quiet=60)
    back = await the_pod(cluster)
    assert (back.spec.nodeName, await ready(cluster)) == (node, 3)
    again = await cluster.api.get(PersistentVolumeClaim, "d-db-1", SPACE)
    assert (again.metadata.uid, again.spec.volumeName) == (claim.metadata.uid, claim.spec.volumeName)


async def a_claim_on_a_drained_node_keeps_its_pod_pending_until_the_node_is_uncordoned(cluster, pod, node):
    await cluster.api.patch(Node, node, "", {"spec": {"unschedulable": True}})
    await cluster.api.raw("POST", f"/api/v1/namespaces/{SPACE}/pods/{NAME}/eviction", body=EVICTION)
    await asyncio.sleep(60)
    assert (await the_pod(cluster)).spec.nodeName == ""
    await cluster.api.patch(Node, node, "", {"spec": {"unschedulable": None}})
    await cluster.settled(quiet=60)
    assert ((await the_pod(cluster)).spec.nodeName, await ready(cluster)) == (node, 3)


async def a_claim_of_a_node_that_was_deleted_is_there_when_the_node_is_back(cluster, pod, node):
    claim = await cluster.api.get(PersistentVolumeClaim, "d-db-1", SPACE)
    await cluster.stop_node(node)
    await cluster.api.delete(Node, node)
    await asyncio.sleep(300)
    assert ((await the_pod(cluster)).metadata.uid != pod.metadata.uid, (await the_pod(cluster)).spec.nodeName) == (
        True, "")  # fmt: skip
    await cluster.start_node(node)
    await cluster.settled(quiet=60)
    assert ((await the_pod(cluster)).spec.nodeName, await ready(cluster)) == (node, 3)
    again = await cluster.api.get(PersistentVolumeClaim, "d-db-1", SPACE)
    assert (again.metadata.uid, again.spec.volumeName) == (claim.metadata.uid, claim.spec.volumeName)


async def a_pod_that_was_deleted_by_force_is_followed_as_soon_as_its_processes_have_ended(cluster, pod, node):
    runtime, began = cluster.machines[node].runtime, asyncio.get_running_loop().time()
    stop_container = runtime.stop_container

    async def slowly(*arguments, **options):
        await asyncio.sleep(0.3)
        await stop_container(*arguments, **options)

    runtime.stop_container = slowly
    await force(cluster)
    uids = {pod.metadata.uid}
    while pod.metadata.uid in uids or not uids:
        await asyncio.sleep(0.01)
        assert len(running(cluster, NAME)) <= 1
        pods = (await cluster.api.list(Pod, SPACE)).items
        uids = {each.metadata.uid for each in pods if each.metadata.name == NAME and each.status.phase == "Running"}
    assert 0.3 < asyncio.get_running_loop().time() - began < 0.6
    assert (await the_pod(cluster)).spec.nodeName == node


TALES = {
    without_claims: [
        a_pod_of_a_node_that_is_cut_off_has_no_successor_until_the_node_is_back,
        a_pod_that_was_deleted_by_force_is_told_of_by_the_set_and_by_the_node_that_still_ran_it,
        a_node_whose_agent_was_away_ends_and_tells_of_what_was_deleted_by_force,
        a_node_that_is_deleted_takes_its_pods_for_dead_and_that_is_said,
        a_node_that_is_out_of_service_takes_its_pods_for_dead_and_that_is_said,
        a_drained_node_ends_its_pods_before_their_successors_come,
    ],
    manifest: [
        a_claim_on_a_dead_node_keeps_its_pod_pending_until_the_node_is_back,
        a_claim_on_a_drained_node_keeps_its_pod_pending_until_the_node_is_uncordoned,
        a_claim_of_a_node_that_was_deleted_is_there_when_the_node_is_back,
        a_pod_that_was_deleted_by_force_is_followed_as_soon_as_its_processes_have_ended,
    ],
}
CASES = {tale.__name__.replace("_", " "): (make, tale) for make, tales in TALES.items() for tale in tales}


@pytest.mark.parametrize(("make", "tale"), CASES.values(), ids=CASES)
def test_edge(make, tale):
    async def main():
        controllers = [module.controller() for module in CONTROLLERS]
        async with Cluster(controllers, 3, services=[scheduler.run]) as cluster:
            await cluster.apply(CLASS)
            await cluster.settled()
            await cluster.apply(make())
            await cluster.settled()
            pod = await the_pod(cluster)
            await tale(cluster, pod, pod.spec.nodeName)

    virtual_time.run(main())
