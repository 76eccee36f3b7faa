"""Preemption on a simulated cluster: who goes, what is told, and that nobody goes twice, whatever breaks."""

import asyncio
import json

from knarr.controllers import deployment, disruption, node_lifecycle, replicaset
from knarr.kinds.pod import condition
from knarr.kinds.types.core_v1 import Event, Node, Pod
from knarr.meta.errors import InternalError
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

SPACE = "default"
GRACE, LASTS = 30, 20  #: seconds that a pod has for its end, and takes
CLASSES = [
    {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        "preemptionPolicy": policy,
    }
    for name, value, policy in (
        ("high", 1000, "PreemptLowerPriority"),
        ("middle", 500, "PreemptLowerPriority"),
        ("patient", 1000, "Never"),
    )
]
FULL = "0/2 nodes are available: 2 Insufficient cpu."


def spec(cpu, of=""):
    container = {"name": "c", "image": "img", "resources": {"requests": {"cpu": cpu}}}
    container["lifecycle"] = {"preStop": {"sleep": {"seconds": LASTS}}}
    return {"containers": [container], "priorityClassName": of, "terminationGracePeriodSeconds": GRACE}


def a_pod(name, cpu, of=""):
    meta = {"name": name, "labels": {"app": name}}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec(cpu, of)})


def a_deployment(name, replicas, cpu):
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec(cpu)}
    about = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": about})


def a_budget(app, least):
    about = {"minAvailable": least, "selector": {"matchLabels": {"app": app}}}
    meta = {"name": app}
    return json.dumps({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": about})


def a_cluster(nodes, services=(scheduler.run,)):
    controllers = (deployment.CONTROLLER, replicaset.controller(), disruption.controller(), node_lifecycle.controller())
    return Cluster(controllers, nodes, services=services)


async def begun(cluster):
    """The classes, and half of what a node can give."""
    await cluster.settled()
    await cluster.apply(*map(json.dumps, CLASSES))
    cpu = (await cluster.api.get(Node, "node-0")).status.allocatable["cpu"]
    return f"{int(cpu) * 500}m"


async def filled(cluster):
    """The first node is taken by two unimportant pods; the half of it that each has."""
    half = await begun(cluster)
    await cluster.apply(a_pod("low-1", half), a_pod("low-2", half))
    await cluster.settled()
    return half


async def over(cluster):
    """All that was told to go is gone, and what follows from that has happened."""
    await cluster.advance(seconds=2 * LASTS)
    await cluster.settled()


async def pods(cluster, app=""):
    found = (await cluster.api.list(Pod, SPACE, labels=f"app={app}" if app else "")).items
    return sorted(found, key=lambda pod: pod.metadata.name)


async def told(cluster, reason):
    await cluster.context.recorder.flush()
    events = (await cluster.api.list(Event, SPACE)).items
    return [(e.involvedObject.name, e.message) for e in events if e.reason == reason]


def leaving(found):
    return [pod.metadata.name for pod in found if pod.metadata.deletionTimestamp]


def test_an_important_pod_takes_the_place_of_one_that_no_budget_protects():
    async def main():
        async with a_cluster(2) as cluster:
            half = await begun(cluster)
            await cluster.apply(a_deployment("kept", 2, half), a_deployment("free", 2, half), a_budget("kept", 2))
            await cluster.settled()
            before = {pod.metadata.name: pod for pod in await pods(cluster)}
            assert all(pod.spec.nodeName for pod in before.values())

            await cluster.apply(a_pod("vip", half, "high"))
            await cluster.advance(seconds=5)
            [victim] = [pod for pod in await pods(cluster) if pod.metadata.deletionTimestamp]
            assert victim.metadata.labels["app"] == "free"
            assert victim.metadata.deletionGracePeriodSeconds == GRACE
            target = condition(victim, "DisruptionTarget")
            assert (target.status, target.reason) == ("True", "PreemptionByScheduler")
            assert target.message == "default-scheduler: preempting to accommodate a higher priority pod"
            vip = await cluster.api.get(Pod, "vip", SPACE)
            assert (vip.spec.nodeName, vip.status.nominatedNodeName) == ("", victim.spec.nodeName)
            assert condition(vip, "PodScheduled").message == FULL
            assert await told(cluster, "Preempted") == [
                (victim.metadata.name, f"Preempted by pod {vip.metadata.uid} on node {victim.spec.nodeName}")
            ]

            await over(cluster)
            vip = await cluster.api.get(Pod, "vip", SPACE)
            assert (vip.spec.nodeName, vip.status.nominatedNodeName) == (victim.spec.nodeName, "")
            [successor] = [p for p in await pods(cluster, "free") if p.metadata.name not in before]
            assert (successor.spec.nodeName, successor.status.phase) == ("", "Pending")
            assert condition(successor, "PodScheduled").message == (
                f"{FULL} no new claims to deallocate, preemption: 0/2 nodes are available: "
                "2 No preemption victims found for incoming pod."
            )
            assert len([p for p in await pods(cluster, "kept") if p.metadata.name in before]) == 2

    virtual_time.run(main())


def test_a_pod_that_waits_for_its_victims_has_no_others_go_though_it_is_tried_again():
    async def main():
        async with a_cluster(2) as cluster:
            half = await begun(cluster)
            await cluster.apply(a_deployment("low", 4, half))
            await cluster.settled()
            await cluster.apply(a_pod("vip", half, "high"))
            await cluster.advance(seconds=5)
            first = leaving(await pods(cluster, "low"))
            assert len(first) == 1
            for number in range(3):  # what is changed about a pod has it tried at once
                await cluster.api.patch(Pod, "vip", SPACE, {"metadata": {"labels": {"n": str(number)}}})
                await cluster.advance(seconds=1)
            assert leaving(await pods(cluster, "low")) == first
            waits = condition(await cluster.api.get(Pod, "vip", SPACE), "PodScheduled")
            assert waits.message == (
                f"{FULL} no new claims to deallocate, "
                "preemption: not eligible due to a terminating pod on the nominated node."
            )
            await over(cluster)
            assert (await cluster.api.get(Pod, "vip", SPACE)).spec.nodeName
            assert len(await told(cluster, "Preempted")) == 1

    virtual_time.run(main())


def test_nobody_takes_the_room_that_is_made_for_another():
    async def main():
        async with a_cluster(1) as cluster:
            half = await filled(cluster)
            await cluster.apply(a_pod("vip", half, "high"))
            await cluster.advance(seconds=5)
            [victim] = leaving(await pods(cluster))
            await cluster.apply(a_pod("later", half), a_pod("patient", half, "patient"))
            await over(cluster)
            bound = {pod.metadata.name for pod in await pods(cluster) if pod.spec.nodeName}
            assert bound == {"vip", *{"low-1", "low-2"} - {victim}}
            patient = condition(await cluster.api.get(Pod, "patient", SPACE), "PodScheduled")
            assert patient.message.endswith("preemption: not eligible due to preemptionPolicy=Never.")

    virtual_time.run(main())


def test_a_still_more_important_pod_takes_the_room_and_the_other_looks_elsewhere():
    async def main():
        async with a_cluster(1) as cluster:
            half = await filled(cluster)
            await cluster.apply(a_pod("middle", half, "middle"))
            await cluster.advance(seconds=2)
            await cluster.apply(a_pod("vip", half, "high"), a_pod("vip-2", half, "high"))
            await cluster.advance(seconds=2)
            nominated = {pod.metadata.name: pod.status.nominatedNodeName for pod in await pods(cluster)}
            assert (nominated["vip"], nominated["vip-2"]) == ("node-0", "node-0")
            assert nominated["middle"] == ""
            await over(cluster)
            assert {p.metadata.name for p in await pods(cluster) if p.spec.nodeName} == {"vip", "vip-2"}

    virtual_time.run(main())


def test_a_node_that_takes_pods_again_has_its_less_important_ones_go():
    async def main():
        async with a_cluster(1) as cluster:
            half = await filled(cluster)
            await cluster.api.patch(Node, "node-0", "", {"spec": {"unschedulable": True}})
            await cluster.apply(a_pod("vip", half, "high"))
            await cluster.settled()
            assert leaving(await pods(cluster)) == []
            await cluster.api.patch(Node, "node-0", "", {"spec": {"unschedulable": False}})
            await cluster.advance(seconds=1)
            assert len(leaving(await pods(cluster))) == 1
            await over(cluster)
            assert (await cluster.api.get(Pod, "vip", SPACE)).spec.nodeName == "node-0"

    virtual_time.run(main())


def test_a_victim_that_could_not_be_told_is_told_again():
    async def main():
        async with a_cluster(1) as cluster:
            half = await filled(cluster)
            await cluster.apply(a_pod("vip", half, "high"))
            cluster.faults.fail(InternalError("no"), when=lambda r: r.method == "DELETE" and "/pods/low" in r.path)
            await over(cluster)
            assert (await cluster.api.get(Pod, "vip", SPACE)).spec.nodeName == "node-0"
            assert len([p for p in await pods(cluster) if p.metadata.name != "vip"]) == 1

    virtual_time.run(main())


def test_a_scheduler_that_begins_anew_waits_for_the_victims_of_the_one_before():
    async def main():
        async with a_cluster(2, services=()) as cluster:
            running = asyncio.create_task(scheduler.run(cluster.context))
            half = await begun(cluster)
            await cluster.apply(a_deployment("low", 4, half))
            await cluster.settled()
            await cluster.apply(a_pod("vip", half, "high"))
            while not (first := leaving(await pods(cluster, "low"))):
                await cluster.advance(seconds=0.01)
            running.cancel()
            await asyncio.wait([running])
            running = asyncio.create_task(scheduler.run(cluster.context))
            await cluster.advance(seconds=5)
            assert leaving(await pods(cluster, "low")) == first
            nominated = (await cluster.api.get(Pod, "vip", SPACE)).status.nominatedNodeName
            await over(cluster)
            assert (await cluster.api.get(Pod, "vip", SPACE)).spec.nodeName == nominated != ""
            assert len([p for p in await pods(cluster, "low") if p.spec.nodeName]) == 3
            running.cancel()
            await asyncio.wait([running])

    virtual_time.run(main())
