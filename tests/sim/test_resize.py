"""Amounts that are changed while a container runs: the node says that it goes on with the old ones."""

from knarr.kinds.types.core_v1 import Pod
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import run

POD = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  nodeName: node-0
  containers: [{name: c, image: i, resources: {requests: {cpu: 100m}, limits: {cpu: 500m}}}]
"""


def pending(pod):
    return [(c.status, c.reason) for c in pod.status.conditions if c.type == "PodResizePending"]


def test_a_running_container_keeps_its_amounts_and_the_pod_says_so():
    async def story():
        async with Cluster([], nodes=1) as cluster:
            await cluster.apply(POD)
            await cluster.settled()
            patch = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "200m"}}}]}}
            await cluster.api.patch(Pod, "p", "default", patch, kind="strategic", subresource="resize")
            await cluster.settled()
            pod = await cluster.api.get(Pod, "p", "default")
            assert pod.status.containerStatuses[0].resources.requests == {"cpu": "100m"}
            assert pending(pod) == [("True", "Infeasible")]
            patch["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "100m"
            await cluster.api.patch(Pod, "p", "default", patch, kind="strategic", subresource="resize")
            await cluster.settled()
            assert pending(await cluster.api.get(Pod, "p", "default")) == []

    run(story())


def test_an_ephemeral_container_runs_beside_the_others():
    async def story():
        async with Cluster([], nodes=1) as cluster:
            await cluster.apply(POD)
            await cluster.settled()
            patch = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}}
            await cluster.api.patch(Pod, "p", "default", patch, kind="strategic", subresource="ephemeralcontainers")
            await cluster.settled()
            (status,) = (await cluster.api.get(Pod, "p", "default")).status.ephemeralContainerStatuses
            assert status.name == "debug" and status.state.running is not None

    run(story())
