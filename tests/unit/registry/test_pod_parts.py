"""A pod's own subresources: ephemeral containers are added, amounts are changed, and nothing else."""

import pytest

from knarr.kinds.types.core_v1 import Pod
from knarr.meta.errors import Invalid
from knarr.testing.cluster import Cluster

POD = """
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {a: b}}
spec:
  containers:
    - {name: c, image: i, resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 200m, memory: 128Mi}}}
    - {name: d, image: i, resources: {requests: {cpu: 50m}}}
  initContainers:
    - {name: once, image: i, resources: {requests: {cpu: 100m}}}
"""


@pytest.fixture
async def api():
    async with Cluster([]) as cluster:
        await cluster.apply(POD)
        yield cluster.api


def visitor(name, **more):
    return {"spec": {"ephemeralContainers": [{"name": name, "image": "busybox", **more}]}}


async def change(api, part, patch, kind="strategic"):
    return await api.patch(Pod, "p", "default", patch, kind=kind, subresource=part)


async def test_an_ephemeral_container_is_added(api):
    pod = await change(
        api, "ephemeralcontainers", visitor("debug", targetContainerName="c") | {"metadata": {"labels": {}}}
    )
    (added,) = pod.spec.ephemeralContainers
    assert (added.name, added.targetContainerName, added.terminationMessagePath) == (
        "debug",
        "c",
        "/dev/termination-log",
    )
    assert pod.metadata.labels == {"a": "b"} and pod.metadata.generation == 2
    pod = await change(api, "ephemeralcontainers", visitor("more"))
    assert sorted(each.name for each in pod.spec.ephemeralContainers) == ["debug", "more"]


REFUSED = {
    "changed": (visitor("debug", tty=True), "strategic", 'existing ephemeral containers "debug" may not be changed'),
    "taken away": (
        {"spec": {"ephemeralContainers": []}},
        "merge",
        'existing ephemeral containers "debug" may not be removed',
    ),
    "given ports": (
        visitor("x", ports=[{"containerPort": 1}]),
        "strategic",
        "cannot be set for an Ephemeral Container",
    ),
    "named as another": (visitor("c"), "strategic", 'Duplicate value: "c"'),
    "aimed at nobody": (visitor("x", targetContainerName="no"), "strategic", 'Not found: "no"'),
}


@pytest.mark.parametrize(("patch", "kind", "message"), REFUSED.values(), ids=REFUSED)
async def test_an_ephemeral_container_is_not(api, patch, kind, message):
    await change(api, "ephemeralcontainers", visitor("debug"))
    with pytest.raises(Invalid) as refused:
        await change(api, "ephemeralcontainers", patch, kind)
    assert message in str(refused.value)


async def test_an_ephemeral_container_changes_nothing_else(api):
    patch = visitor("debug")
    patch["spec"]["containers"] = [{"name": "c", "image": "other"}]
    pod = await change(api, "ephemeralcontainers", patch)
    assert pod.spec.containers[0].image == "i"


async def test_ephemeral_containers_come_only_by_their_own_way(api):
    with pytest.raises(Invalid, match="pod updates may not change fields other than"):
        await api.patch(Pod, "p", "default", visitor("debug"), kind="strategic")


def amounts(name="c", where="containers", **resources):
    return {"spec": {where: [{"name": name, "resources": resources}]}}


async def test_amounts_are_changed(api):
    pod = await change(api, "resize", amounts(requests={"cpu": "150m"}, limits={"memory": "256Mi"}))
    assert pod.spec.containers[0].resources.requests == {"cpu": "150m", "memory": "64Mi"}
    assert pod.spec.containers[0].resources.limits == {"cpu": "200m", "memory": "256Mi"}
    assert pod.metadata.generation == 2


UNSIZED = {
    "class": (
        amounts(requests={"cpu": None, "memory": None}, limits={"cpu": None, "memory": None}),
        "resource limits cannot be removed",
    ),
    "another resource": (amounts(limits={"ephemeral-storage": "1Gi"}), "only cpu and memory resources are mutable"),
    "beyond its limit": (amounts(requests={"cpu": "1"}), "must be less than or equal to cpu limit of 200m"),
    "removed": (amounts("d", requests={"cpu": None}), "resource requests cannot be removed"),
    "an init container": (
        amounts("once", "initContainers", requests={"cpu": "1"}),
        "resources for non-sidecar init containers are immutable",
    ),
    "another container": (amounts("e", requests={"cpu": "1"}), "containers may not be added or removed on resize"),
}


@pytest.mark.parametrize(("patch", "message"), UNSIZED.values(), ids=UNSIZED)
async def test_amounts_are_not_changed(api, patch, message):
    with pytest.raises(Invalid) as refused:
        await change(api, "resize", patch)
    assert message in str(refused.value)


async def test_a_resize_keeps_the_class(api):
    everything = {"cpu": "200m", "memory": "128Mi"}
    patch = amounts(requests=everything)
    patch["spec"]["containers"].append({"name": "d", "resources": {"requests": everything, "limits": everything}})
    patch["spec"]["initContainers"] = []
    pod = await api.get(Pod, "p", "default")
    assert pod.status.qosClass == "Burstable"
    await change(api, "resize", patch)  # the init container still has no limits
    assert (await api.get(Pod, "p", "default")).status.qosClass == "Burstable"


async def test_a_running_container_that_cannot_be_resized_is_said_to_be(api):
    running = {"name": "c", "image": "i", "imageID": "", "ready": True, "restartCount": 0, "state": {"running": {}}}
    await api.patch(Pod, "p", "default", {"status": {"containerStatuses": [running]}}, subresource="status")
    with pytest.raises(Invalid, match="Pod running on node without support for resize"):
        await change(api, "resize", amounts(requests={"cpu": "150m"}))
