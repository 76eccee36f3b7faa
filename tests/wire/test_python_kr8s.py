"""PyPI's `kr8s`: objects that know their server, their conditions and their pods."""

import asyncio
from contextlib import aclosing
from functools import partial

import kr8s
import pytest
from kr8s.asyncio.objects import ConfigMap, Deployment, Node, Pod, Service, StatefulSet, new_class

from tests.wire.places import a_config_map, a_deployment, a_pod, a_stateful_set

shows = partial(pytest.mark.operation, "kr8s")
pytestmark = pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported")


@pytest.fixture
async def api(place):
    return await kr8s.asyncio.api(kubeconfig=str(place.kubeconfig), namespace=place.namespace)


@pytest.fixture
def make(api, place):
    """Create an object of a class."""

    async def make(kind, manifest):
        obj = await kind(manifest, namespace=place.namespace, api=api)
        await obj.create()
        return obj

    return make


@pytest.fixture
async def pod(make):
    pod = await make(Pod, a_pod())
    await pod.wait("condition=Ready", timeout=60)
    return pod


@shows("create, get, refresh, delete")
async def test_an_object_is_made_read_and_deleted(api, make, place):
    made = await make(ConfigMap, a_config_map(colour="blue"))
    read = await ConfigMap.get("settings", namespace=place.namespace, api=api)
    assert (read.data.colour, read.metadata.uid) == ("blue", made.metadata.uid)
    assert await read.exists()
    await read.delete()
    await read.wait("delete", timeout=60)
    with pytest.raises(kr8s.NotFoundError):
        await read.refresh()


@shows("errors: 409 and 422")
async def test_a_refusal_carries_the_status(make):
    await make(ConfigMap, a_config_map())
    with pytest.raises(kr8s.ServerError, match='configmaps "settings" already exists') as error:
        await make(ConfigMap, a_config_map())
    assert error.value.status["reason"] == "AlreadyExists"
    with pytest.raises(kr8s.ServerError, match=r"spec\.restartPolicy: Unsupported value") as error:
        await make(Pod, a_pod(restartPolicy="Sometimes"))
    assert error.value.status["code"] == 422


@shows("list: label and field selectors")
async def test_lists_are_selected(api, make, place):
    for name in "abc":
        await make(ConfigMap, a_config_map(name, labels={"letter": name}))

    async def names(**how):
        return [m.name async for m in api.get("configmaps", namespace=place.namespace, **how)]

    assert await names(label_selector="letter in (a, c)") == ["a", "c"]
    assert await names(label_selector={"letter": "b"}) == ["b"]
    assert await names(field_selector={"metadata.name": "c"}) == ["c"]
    assert place.namespace in [m.namespace async for m in api.get("cm", namespace=kr8s.ALL)]
    assert [n.name async for n in api.get(Node)] == ["wire-0", "wire-1"]


@shows("patch: merge and JSON, labels and annotations")
async def test_patches_labels_and_annotations_are_written(make):
    settings = await make(ConfigMap, a_config_map(colour="blue"))
    await settings.patch({"data": {"colour": "green"}})
    await settings.patch([{"op": "add", "path": "/data/size", "value": "2"}], type="json")
    await settings.label(app="x")
    await settings.annotate(note="y")
    await settings.refresh()
    assert (settings.data, settings.labels, settings.annotations) == (
        {"colour": "green", "size": "2"},
        {"app": "x"},
        {"note": "y"},
    )
    await settings.remove_label("app")
    assert settings.labels == {}


@shows("scale")
async def test_a_workload_is_scaled(make):
    web = await make(StatefulSet, a_stateful_set(replicas=0))
    await web.scale(1)
    assert web.replicas == 1
    await web.wait("jsonpath='{.status.replicas}'=1", timeout=60)


@shows("wait for conditions")
async def test_one_waits_for_conditions(pod):
    assert await pod.ready()
    await pod.wait(["condition=Ready", "condition=PodScheduled"], mode="all", timeout=60)
    assert pod.status.phase == "Running"


@shows("watch")
async def test_a_watch_tells_what_happens(api, make, place):
    settings = await make(ConfigMap, a_config_map(colour="blue"))
    events = api.watch("configmaps", namespace=place.namespace, field_selector="metadata.name=settings")
    assert (await anext(events))[0] == "ADDED"
    await settings.patch({"data": {"colour": "green"}})
    await settings.delete()
    told = [await anext(events) for _ in range(2)]
    assert [(op, m.data.colour) for op, m in told] == [("MODIFIED", "green"), ("DELETED", "green")]
    await events.aclose()


@shows("logs")
async def test_logs_are_read_and_followed(pod):
    text = "simulated: this container has no process and writes no log"
    assert [line async for line in pod.logs(tail_lines=1)] == [text]
    following = pod.logs(follow=True)
    assert await anext(following) == text
    await following.aclose()


@shows("exec over WebSocket")
async def test_a_command_runs_over_a_websocket(pod):
    done = await pod.exec(["ls"], timeout=60)
    assert (done.stdout, done.returncode) == (b"simulated: this pod has no process\n", 0)


@shows("port-forward over WebSocket")
async def test_a_port_is_forwarded_over_a_websocket(pod):
    async with asyncio.timeout(60), pod.portforward(80, local_port="auto") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n")
        answer = await reader.readuntil(b"no process\n")
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@shows("delete: propagation and grace period")
async def test_deletion_is_as_asked(api, make, place):
    web = await make(StatefulSet, a_stateful_set())
    await web.wait("jsonpath='{.status.replicas}'=1", timeout=60)
    await web.delete(propagation_policy="Foreground")
    await web.wait("delete", timeout=60)
    assert [p async for p in api.get("pods", namespace=place.namespace)] == []
    pod = await make(Pod, a_pod(terminationGracePeriodSeconds=3600))
    await pod.delete(grace_period=0, force=True)
    await pod.wait("delete", timeout=60)


@shows("cordon and taint nodes")
async def test_nodes_are_cordoned(api):
    node = await Node.get("wire-1", api=api)
    await node.cordon()
    try:
        watching = api.watch("nodes", field_selector="metadata.name=wire-1")
        async with asyncio.timeout(60), aclosing(watching):
            async for _, seen in watching:
                if "node.kubernetes.io/unschedulable" in [taint.key for taint in seen.taints]:
                    break
        assert seen.unschedulable
    finally:
        await node.uncordon()


@shows("discovery, version and who am I")
async def test_the_server_is_discovered(api):
    assert (await api.version())["gitVersion"].startswith("v1.37.")
    assert "apps/v1" in [v async for v in api.api_versions()]
    assert "deployments" in [r["name"] for r in await api.api_resources()]
    assert await api.whoami() == "kubernetes-admin"
    assert await api.lookup_kind("deploy") == ("deployment.apps/v1", "deployments", True)


@shows("services and their pods")
async def test_a_service_knows_its_pods(api, make, pod):
    service = await make(
        Service,
        {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
    )
    assert [p.name for p in await service.ready_pods()] == ["web"]


@shows("resources without a model")
async def test_a_resource_without_a_model_is_made_from_its_name(make):
    role = new_class("Role", version="rbac.authorization.k8s.io/v1", namespaced=True, asyncio=True)
    made = await make(role, {"metadata": {"name": "a"}, "rules": []})
    assert made.metadata.uid


@shows("owners")
async def test_an_adopted_object_goes_with_its_owner(make):
    owner = await make(ConfigMap, a_config_map("owner"))
    child = await make(Deployment, a_deployment(replicas=0))
    await owner.adopt(child)
    await owner.delete()
    await child.wait("delete", timeout=60)
