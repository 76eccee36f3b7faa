"""The scheduler on a simulated cluster: what it says, what wakes it, and what it never does."""

import asyncio
import json

import pytest

from knarr.controllers import local_path, node_lifecycle, persistentvolume, volume_protection
from knarr.kinds.types.core_v1 import Event, Node, PersistentVolume, PersistentVolumeClaim, Pod
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

SPACE = "default"


def a_pod(name, *, claim="", **spec):
    container = {"name": "c", "image": "img", "resources": spec.pop("resources", {})}
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": [container], "volumes": volumes, **spec},
        }
    )


LATE_CLASS = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local-path}
provisioner: rancher.io/local-path
volumeBindingMode: WaitForFirstConsumer
"""
STATIC_CLASS = LATE_CLASS.replace("rancher.io/local-path", "kubernetes.io/no-provisioner")
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: c}
spec: {storageClassName: local-path, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
"""
VOLUME = """
apiVersion: v1
kind: PersistentVolume
metadata: {name: v}
spec:
  storageClassName: local-path
  accessModes: [ReadWriteOnce]
  capacity: {storage: 1Gi}
  local: {path: /data}
  nodeAffinity:
    required:
      nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node-1]}]}]
"""


def a_cluster(nodes):
    modules = (persistentvolume, local_path, volume_protection, node_lifecycle)
    return Cluster([module.controller() for module in modules], nodes, services=[scheduler.run])


def scheduled(pod):
    return next(c for c in pod.status.conditions if c.type == "PodScheduled")


async def told(cluster, name):
    await cluster.context.recorder.flush()
    events = (await cluster.api.list(Event, SPACE)).items
    return [
        (e.reason, e.message)
        for e in events
        if e.involvedObject.name == name and e.source.component.endswith("scheduler")
    ]


def test_a_pod_is_bound_at_once():
    async def main():
        async with a_cluster(2) as cluster:
            await cluster.settled()
            began = asyncio.get_running_loop().time()
            await cluster.apply(a_pod("p"))
            bound = asyncio.Event()
            cluster.context.informers.of(Pod).on_change(lambda old, new: new and new.spec.nodeName and bound.set())
            await bound.wait()
            assert asyncio.get_running_loop().time() - began < 0.005
            await cluster.settled()
            pod = await cluster.api.get(Pod, "p", SPACE)
            assert scheduled(pod).status == "True"
            assert await told(cluster, "p") == [
                ("Scheduled", f"Successfully assigned default/p to {pod.spec.nodeName}")
            ]

    virtual_time.run(main())


def test_a_pod_that_fits_nowhere_says_so_and_is_placed_when_a_node_fits():
    async def main():
        async with a_cluster(2) as cluster:
            await cluster.settled()
            await cluster.apply(a_pod("p", nodeSelector={"disk": "ssd"}))
            await cluster.settled()
            condition = scheduled(await cluster.api.get(Pod, "p", SPACE))
            message = (
                "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. "
                "no new claims to deallocate, preemption: 0/2 nodes are available: "
                "2 Preemption is not helpful for scheduling."
            )
            assert (condition.status, condition.reason, condition.message) == ("False", "Unschedulable", message)
            assert await told(cluster, "p") == [("FailedScheduling", message)]
            await cluster.api.patch(Node, "node-1", "", {"metadata": {"labels": {"disk": "ssd"}}})
            await cluster.settled()
            assert (await cluster.api.get(Pod, "p", SPACE)).spec.nodeName == "node-1"

    virtual_time.run(main())


NEAR_THE_FIRST = {"labelSelector": {"matchLabels": {"app": "first"}}, "topologyKey": "kubernetes.io/hostname"}
NEAR = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [NEAR_THE_FIRST]}}


def test_a_pod_that_wants_another_near_follows_it_as_soon_as_that_has_a_node():
    async def main():
        async with a_cluster(3) as cluster:
            await cluster.apply(a_pod("second", affinity=NEAR))
            await cluster.settled()
            assert not (await cluster.api.get(Pod, "second", SPACE)).spec.nodeName
            began = asyncio.get_running_loop().time()
            first = json.loads(a_pod("first"))
            first["metadata"]["labels"] = {"app": "first"}
            await cluster.apply(json.dumps(first))
            await cluster.settled()
            nodes = [(await cluster.api.get(Pod, name, SPACE)).spec.nodeName for name in ("first", "second")]
            assert nodes[0] == nodes[1] != ""
            assert asyncio.get_running_loop().time() - began < 60

    virtual_time.run(main())


def test_a_fault_over_one_pod_neither_ends_the_scheduler_nor_loses_the_pod(monkeypatch):
    plain, faults = scheduler.schedule, [RuntimeError("a filter broke")]

    def broken(pod, *arguments, **options):
        if pod.metadata.name == "odd" and faults:
            raise faults.pop()
        return plain(pod, *arguments, **options)

    monkeypatch.setattr(scheduler, "schedule", broken)

    async def main():
        async with a_cluster(1) as cluster:
            await cluster.apply(a_pod("odd"), a_pod("plain"))
            await cluster.settled()
            assert [pod.spec.nodeName for pod in (await cluster.api.list(Pod, SPACE)).items] == ["node-0", "node-0"]
            assert faults == []

    virtual_time.run(main())


def test_room_is_given_away_once():
    async def main():
        async with a_cluster(1) as cluster:
            await cluster.settled()
            room = (await cluster.api.get(Node, "node-0")).status.allocatable["cpu"]
            for name in "ab":
                await cluster.apply(a_pod(name, resources={"requests": {"cpu": room}}))
            await cluster.settled()
            pods = (await cluster.api.list(Pod, SPACE)).items
            assert sorted(pod.spec.nodeName for pod in pods) == ["", "node-0"]
            winner = next(pod for pod in pods if pod.spec.nodeName)
            await cluster.api.delete(Pod, winner.metadata.name, SPACE, grace=0)
            await cluster.settled()
            [pod] = (await cluster.api.list(Pod, SPACE)).items
            assert pod.spec.nodeName == "node-0"

    virtual_time.run(main())


def test_of_many_that_wait_for_the_same_room_the_quickest_alone_looks_at_all_nodes(monkeypatch):
    plain, looked = scheduler.schedule, []

    def counted(pod, *arguments, **options):
        looked.append(pod.metadata.name)
        return plain(pod, *arguments, **options)

    monkeypatch.setattr(scheduler, "schedule", counted)

    async def main():
        async with a_cluster(1) as cluster:
            await cluster.settled()
            room = (await cluster.api.get(Node, "node-0")).status.allocatable["cpu"]
            await cluster.apply(*(a_pod(f"p{number}", resources={"requests": {"cpu": room}}) for number in range(9)))
            await cluster.settled()
            before = len(looked)
            assert before < 9, "those that are alike are looked at once, while nothing changes"
            await cluster.api.delete(Pod, "p0", SPACE, grace=0)
            await cluster.settled()
            assert looked[before:] == ["p1"]
            assert [p.metadata.name for p in (await cluster.api.list(Pod, SPACE)).items if p.spec.nodeName] == ["p1"]

    virtual_time.run(main())


@pytest.mark.parametrize("gate", ["schedulingGates", "schedulerName"])
def test_pods_that_are_not_ours_to_place_are_left_alone(gate):
    spec = {"schedulingGates": [{"name": "x/y"}]} if gate == "schedulingGates" else {"schedulerName": "other"}

    async def main():
        async with a_cluster(1) as cluster:
            await cluster.settled()
            await cluster.apply(a_pod("p", **spec))
            await cluster.settled()
            assert (await cluster.api.get(Pod, "p", SPACE)).spec.nodeName == ""
            assert await told(cluster, "p") == []

    virtual_time.run(main())


def test_a_pod_goes_where_a_free_volume_is():
    async def main():
        async with a_cluster(3) as cluster:
            await cluster.apply(STATIC_CLASS, VOLUME, CLAIM)
            await cluster.settled()
            assert (await cluster.api.get(PersistentVolumeClaim, "c", SPACE)).status.phase == "Pending"
            await cluster.apply(a_pod("p", claim="c"))
            await cluster.settled()
            assert (await cluster.api.get(Pod, "p", SPACE)).spec.nodeName == "node-1"
            claim = await cluster.api.get(PersistentVolumeClaim, "c", SPACE)
            assert (claim.status.phase, claim.spec.volumeName) == ("Bound", "v")
            assert (await cluster.api.get(PersistentVolume, "v")).status.phase == "Bound"

    virtual_time.run(main())


def test_a_volume_is_made_where_the_pod_goes_and_deleted_with_its_claim():
    async def main():
        async with a_cluster(3) as cluster:
            await cluster.apply(LATE_CLASS, CLAIM)
            await cluster.settled()
            await cluster.apply(a_pod("p", claim="c", terminationGracePeriodSeconds=1))
            await cluster.settled()
            node = (await cluster.api.get(Pod, "p", SPACE)).spec.nodeName
            [volume] = (await cluster.api.list(PersistentVolume)).items
            terms = volume.spec.nodeAffinity.required.nodeSelectorTerms
            assert [e.values for term in terms for e in term.matchExpressions] == [[node]]
            await cluster.api.delete(PersistentVolumeClaim, "c", SPACE)
            await cluster.settled()
            assert (await cluster.api.get(PersistentVolume, volume.metadata.name)).status.phase == "Bound"  # still used
            await cluster.api.delete(Pod, "p", SPACE)
            await cluster.settled()
            assert (await cluster.api.list(PersistentVolumeClaim, SPACE)).items == []
            assert (await cluster.api.list(PersistentVolume)).items == []

    virtual_time.run(main())


def test_a_silent_node_gets_no_pods_and_a_revived_one_does():
    async def main():
        async with a_cluster(2) as cluster:
            await cluster.settled()
            await cluster.stop_node("node-0")
            await asyncio.sleep(60)
            for name in "abc":
                await cluster.apply(a_pod(name))
            await cluster.settled()
            pods = (await cluster.api.list(Pod, SPACE)).items
            assert {pod.spec.nodeName for pod in pods} == {"node-1"}
            await cluster.start_node("node-0")
            await cluster.settled()
            assert (await cluster.api.get(Node, "node-0")).spec.taints == []
            await cluster.apply(a_pod("d"))
            await cluster.settled()
            assert (await cluster.api.get(Pod, "d", SPACE)).spec.nodeName == "node-0"

    virtual_time.run(main())


def test_a_node_is_announced_and_its_end_too():
    async def main():
        async with a_cluster(1) as cluster:
            await cluster.settled()
            await cluster.stop_node("node-0")
            await cluster.api.delete(Node, "node-0")
            await cluster.settled()
            await cluster.context.recorder.flush()
            events = (await cluster.api.list(Event, SPACE)).items
            assert [(e.reason, e.message) for e in events if e.source.component == "node-controller"] == [
                ("RegisteredNode", "Node node-0 event: Registered Node node-0 in Controller"),
                ("RemovingNode", "Node node-0 event: Removing Node node-0 from Controller"),
            ]

    virtual_time.run(main())
