"""Nodes that are lost: when that is noticed, how fast their pods go, and when nobody's do. All on virtual time."""

import asyncio
import itertools
from datetime import datetime, timedelta

import pytest

from knarr.controllers import node_lifecycle, pod_gc, taint_eviction
from knarr.kinds.types.coordination_v1 import Lease
from knarr.kinds.types.core_v1 import Event, Node, Pod, Taint
from knarr.meta import clock
from knarr.meta.errors import NotFound
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

SPACE, UNREACHABLE = "default", "node.kubernetes.io/unreachable"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: on-%s}
spec: {nodeName: %s, containers: [{name: c, image: "img:1"}]}
"""


FOR_A_MINUTE = "{key: mine, operator: Exists, effect: NoExecute, tolerationSeconds: 60}"


def parts():
    return [node_lifecycle.controller(), taint_eviction.controller(), pod_gc.controller()]


def story(act, nodes):
    async def main():
        async with Cluster(parts, nodes) as cluster:
            for name in cluster.machines:
                await cluster.apply(POD % (name, name))
            await cluster.settled()
            return await act(cluster)

    return virtual_time.run(main(), seed=1)


async def seen(cluster, name):
    """Of a node: what it says of its readiness and since when, and its NoExecute taint's key and time."""
    node = await cluster.api.get(Node, name)
    ready = next(each for each in node.status.conditions if each.type == "Ready")
    taints = {each.key: clock.parse(each.timeAdded) for each in node.spec.taints if each.effect == "NoExecute"}
    return ready.status, clock.parse(ready.lastTransitionTime), taints


async def going(cluster):
    """The nodes whose pods are on their way out or gone."""
    left = {
        each.spec.nodeName for each in (await cluster.api.list(Pod, SPACE)).items if not each.metadata.deletionTimestamp
    }
    return sorted(cluster.machines.keys() - left)


def test_a_lost_node_is_noticed_and_its_pods_go_to_the_second():
    async def act(cluster):
        await asyncio.sleep(33)
        lease = await cluster.api.get(Lease, "node-0", "kube-node-lease")
        last = datetime.fromisoformat(lease.spec.renewTime)
        await cluster.stop_node("node-0")
        await asyncio.sleep(49 - (clock.now() - last).total_seconds())
        assert (await seen(cluster, "node-0"))[0] == "True"
        await asyncio.sleep(2)
        status, since, taints = await seen(cluster, "node-0")
        noticed = last + timedelta(seconds=50)
        assert (status, [*taints]) == ("Unknown", [UNREACHABLE])
        for time in (since, taints[UNREACHABLE]):
            assert abs((time - noticed).total_seconds()) <= 1
        await asyncio.sleep(297)
        assert await going(cluster) == []
        await asyncio.sleep(3)
        assert await going(cluster) == ["node-0"]
        pod = await cluster.api.get(Pod, "on-node-0", SPACE)
        assert "DeletionByTaintManager" in [each.reason for each in pod.status.conditions]

    story(act, 3)


def test_a_node_that_is_back_in_time_keeps_its_pods():
    async def act(cluster):
        await cluster.partition_node("node-0")
        await asyncio.sleep(300)
        assert (await seen(cluster, "node-0"))[0] == "Unknown"
        await cluster.heal_node("node-0")
        await asyncio.sleep(15)
        assert (await seen(cluster, "node-0"))[::2] == ("True", {})
        await asyncio.sleep(600)
        assert await going(cluster) == []
        said = [each.message for each in (await cluster.api.list(Event, SPACE)).items]
        assert "Cancelling deletion of Pod default/on-node-0" in said

    story(act, 3)


def test_nobody_loses_pods_when_all_nodes_are_lost_and_they_have_their_grace_anew_when_one_is_back():
    async def act(cluster):
        for name in cluster.machines:
            await cluster.partition_node(name)
        await asyncio.sleep(1000)
        found = [await seen(cluster, name) for name in cluster.machines]
        assert [each[::2] for each in found] == [("Unknown", {})] * 4
        assert await going(cluster) == []
        for name in ("node-0", "node-1"):
            await cluster.heal_node(name)
        await asyncio.sleep(20)
        told = [name for name in cluster.machines if (await seen(cluster, name))[2]]
        assert told == ["node-2", "node-3"]

    story(act, 4)


async def in_zones(cluster, zones):
    for name, zone in zones.items():
        labels = {"metadata": {"labels": {"topology.kubernetes.io/zone": zone}}}
        await cluster.api.patch(Node, name, "", labels)
    await cluster.settled()


def test_the_nodes_of_a_lost_zone_lose_their_pods_one_every_ten_seconds():
    async def act(cluster):
        names = [*cluster.machines]
        await in_zones(cluster, {name: "a" if place < 4 else "b" for place, name in enumerate(names)})
        for name in names[:4]:
            await cluster.stop_node(name)
        await asyncio.sleep(120)
        times = sorted([(await seen(cluster, name))[2][UNREACHABLE] for name in names[:4]])
        gaps = [(later - sooner).total_seconds() for sooner, later in itertools.pairwise(times)]
        assert len(gaps) == 3
        assert all(10 <= gap <= 11 for gap in gaps)

    story(act, 6)


def test_a_small_zone_that_is_mostly_lost_keeps_its_pods_until_it_is_less():
    async def act(cluster):
        names = [*cluster.machines]
        for name in names[:3]:
            await cluster.stop_node(name)
        await asyncio.sleep(90)
        told = [name for name in names if (await seen(cluster, name))[2]]
        assert len(told) <= 2  # those that fell before the others did
        await asyncio.sleep(900)
        assert [name for name in names if (await seen(cluster, name))[2]] == told
        await cluster.start_node(names[0])
        await asyncio.sleep(30)
        assert [name for name in names if (await seen(cluster, name))[2]] == names[1:3]

    story(act, 5)


def test_pods_leave_a_node_that_is_out_of_service_without_its_word():
    async def act(cluster):
        await cluster.stop_node("node-0")
        await asyncio.sleep(60)
        node = await cluster.api.get(Node, "node-0")
        out = Taint(key="node.kubernetes.io/out-of-service", value="nodeshutdown", effect="NoExecute")
        await cluster.api.patch(Node, "node-0", "", {"spec": {"taints": [*node.spec.taints, out]}})
        await asyncio.sleep(pod_gc.PERIOD + 2)
        with pytest.raises(NotFound):
            await cluster.api.get(Pod, "on-node-0", SPACE)

    story(act, 3)


def test_pods_of_a_node_that_was_deleted_are_ended_after_its_quarantine():
    async def act(cluster):
        await cluster.stop_node("node-0")
        await cluster.api.delete(Node, "node-0")
        await asyncio.sleep(39)
        assert (await cluster.api.get(Pod, "on-node-0", SPACE)).status.phase == "Running"
        await asyncio.sleep(22)
        with pytest.raises(NotFound):
            await cluster.api.get(Pod, "on-node-0", SPACE)

    story(act, 2)


def test_a_pod_that_tolerates_a_users_taint_for_a_while_leaves_after_it_whatever_else_happens():
    async def act(cluster):
        pod = (POD % ("guest", "node-0")).replace("{nodeName", f"{{tolerations: [{FOR_A_MINUTE}], nodeName")
        await cluster.apply(pod)
        await cluster.settled()
        await cluster.api.patch(Node, "node-0", "", {"spec": {"taints": [{"key": "mine", "effect": "NoExecute"}]}})
        for second in range(59):
            await asyncio.sleep(1)
            labels = {"metadata": {"labels": {"at": str(second)}}}
            guest = await cluster.api.patch(Pod, "on-guest", SPACE, labels)
            assert not guest.metadata.deletionTimestamp
        await asyncio.sleep(32)
        with pytest.raises(NotFound):
            await cluster.api.get(Pod, "on-guest", SPACE)

    story(act, 2)


def test_pods_of_a_node_that_is_back_stay_although_nobody_has_seen_it_yet():
    async def main():
        async with Cluster([pod_gc.controller()], 1) as cluster:
            await cluster.apply(POD % ("node-0", "node-0"))
            await cluster.settled()
            cache = cluster.context.cache(Node)
            node = cache.drop(("", "node-0"))  # what a watch that has fallen behind shows
            await cluster.api.patch(Pod, "on-node-0", SPACE, {"metadata": {"labels": {"a": "b"}}})
            await asyncio.sleep(100)
            assert (await cluster.api.get(Pod, "on-node-0", SPACE)).status.phase == "Running"
            cache.put(node)

    virtual_time.run(main())
