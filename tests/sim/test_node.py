"""What a node makes of what others do to its pods, and what it makes up for after it was away."""

import asyncio

import pytest

from knarr.controllers import node_lifecycle
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

SPACE = "default"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  nodeName: node-0
  terminationGracePeriodSeconds: %d
  containers: [{name: c, image: "img:1"}]
"""


def ready(obj):
    return {each.type: each.status for each in obj.status.conditions}["Ready"]


async def running(cluster):
    """The names of the containers that run on the node."""
    pods = await cluster.machines["node-0"].runtime.pods()
    return [container.name for pod in pods for container in pod.containers if container.state == "running"]


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
@pytest.mark.parametrize("before", ["", "Running"], ids=["before it ran", "while it runs"])
def test_a_pod_that_is_said_to_have_ended_is_stopped_and_stays_ended(phase, before):
    async def main():
        async with Cluster([], 1) as cluster:
            await cluster.apply(POD % 5)
            if before:
                await cluster.settled()
                assert await running(cluster) == ["c"]
            await cluster.api.patch(Pod, "a", SPACE, {"status": {"phase": phase}}, subresource="status")
            await cluster.settled()
            assert await running(cluster) == []
            ended = await cluster.api.get(Pod, "a", SPACE)
            await asyncio.sleep(300)
            assert await cluster.api.get(Pod, "a", SPACE) == ended
            return ended

    pod = virtual_time.run(main())
    assert (pod.status.phase, ready(pod)) == (phase, "False")
    assert not any(each.state.running for each in pod.status.containerStatuses)


def test_after_a_silent_spell_the_node_and_its_pods_are_ready_again():
    async def main():
        async with Cluster([node_lifecycle.controller()], 2) as cluster:
            await cluster.apply(POD % 5)
            await cluster.settled()
            seen = []

            async def look():
                node, pod = await cluster.api.get(Node, "node-0"), await cluster.api.get(Pod, "a", SPACE)
                seen.append((ready(node), [taint.key for taint in node.spec.taints], ready(pod)))
                return pod.status.containerStatuses[0].restartCount

            await look()
            await cluster.stop_node("node-0")
            await asyncio.sleep(70)
            await look()
            await cluster.start_node("node-0")
            await asyncio.sleep(5)
            return seen, await look()

    seen, restarts = virtual_time.run(main())
    unreachable = "node.kubernetes.io/unreachable"
    assert seen == [
        ("True", [], "True"),
        ("Unknown", [unreachable, unreachable], "False"),
        ("True", [], "True"),
    ]
    assert restarts == 0


FORCED = {"a delete without grace": (30, 0), "a pod without a grace period": (0, None)}


@pytest.mark.parametrize("period, asked", FORCED.values(), ids=FORCED)
def test_the_containers_of_a_pod_that_goes_at_once_are_stopped_at_once(period, asked):
    async def main():
        async with Cluster([], 1) as cluster:
            await cluster.apply(POD % period)
            await cluster.settled()
            graces, plain = [], cluster.machines["node-0"].runtime.stop_container

            async def stop(uid, container, grace):
                graces.append(grace)
                await plain(uid, container, grace)

            cluster.machines["node-0"].runtime.stop_container = stop
            await cluster.api.delete(Pod, "a", SPACE, grace=asked)
            assert (await cluster.api.list(Pod, SPACE)).items == []
            await asyncio.sleep(0.1)
            return graces, await cluster.machines["node-0"].runtime.pods()

    assert virtual_time.run(main()) == ([2], [])
