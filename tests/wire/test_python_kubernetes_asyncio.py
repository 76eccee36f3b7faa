"""PyPI's `kubernetes-asyncio`: typed and dynamic clients, watches, commands and leader election on an event loop."""

import asyncio
from functools import partial

import pytest
from kubernetes_asyncio import client, config, dynamic, watch
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.leaderelection import electionconfig, leaderelection
from kubernetes_asyncio.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes_asyncio.stream import WsApiClient

from tests.wire.places import a_config_map, a_deployment, a_pod

shows = partial(pytest.mark.operation, "kubernetes-asyncio")


@pytest.fixture
async def api(place):
    async with await config.new_client_from_config(str(place.kubeconfig)) as connected:
        yield connected


@pytest.fixture
def core(api):
    return client.CoreV1Api(api)


@pytest.fixture
def namespace(place):
    return place.namespace


@pytest.fixture
async def pod(core, namespace):
    """A pod that is Ready."""
    await core.create_namespaced_pod(namespace, a_pod())
    async with asyncio.timeout(60), watch.Watch() as events:
        async for event in events.stream(core.list_namespaced_pod, namespace):
            if ("Ready", "True") in [(c.type, c.status) for c in event["object"].status.conditions or ()]:
                return event["object"]
    raise AssertionError("the pod did not become Ready")


@shows("create, get, replace, delete")
async def test_an_object_is_made_read_replaced_and_deleted(core, namespace):
    made = await core.create_namespaced_config_map(namespace, a_config_map(colour="blue"))
    read = await core.read_namespaced_config_map("settings", namespace)
    assert (read.data, read.metadata.uid) == ({"colour": "blue"}, made.metadata.uid)
    read.data["colour"] = "green"
    assert (await core.replace_namespaced_config_map("settings", namespace, read)).data == {"colour": "green"}
    assert (await core.delete_namespaced_config_map("settings", namespace)).status == "Success"
    with pytest.raises(ApiException) as error:
        await core.read_namespaced_config_map("settings", namespace)
    assert error.value.status == 404


@shows("errors: 409 and 422")
async def test_a_refusal_is_an_exception(core, namespace):
    await core.create_namespaced_config_map(namespace, a_config_map())
    with pytest.raises(ApiException) as error:
        await core.create_namespaced_config_map(namespace, a_config_map())
    assert (error.value.status, error.value.reason) == (409, "Conflict")
    with pytest.raises(ApiException) as error:
        await core.create_namespaced_pod(namespace, a_pod(restartPolicy="Sometimes"))
    assert error.value.status == 422


@shows("list: label and field selectors, pages")
async def test_lists_are_selected_and_come_in_pages(core, namespace):
    for name in "abc":
        await core.create_namespaced_config_map(namespace, a_config_map(name, labels={"letter": name}))
    ask = partial(core.list_namespaced_config_map, namespace, label_selector="letter")
    first = await ask(limit=2)
    rest = await ask(limit=2, _continue=first.metadata._continue)
    assert [[m.metadata.name for m in page.items] for page in (first, rest)] == [["a", "b"], ["c"]]
    assert [m.metadata.name for m in (await ask(field_selector="metadata.name=b")).items] == ["b"]


PATCHES = {
    "patch: JSON": ("application/json-patch+json", [{"op": "replace", "path": "/data/a", "value": "2"}]),
    "patch: merge": ("application/merge-patch+json", {"data": {"a": "2"}}),
    "patch: strategic merge": ("application/strategic-merge-patch+json", {"data": {"a": "2"}}),
    "apply on the server": ("application/apply-patch+yaml", a_config_map(a="2")),
}


@pytest.mark.parametrize(
    ("kind", "patch"), [pytest.param(*case, marks=shows(name), id=name) for name, case in PATCHES.items()]
)
async def test_patches_change_what_they_name(core, namespace, kind, patch):
    await core.create_namespaced_config_map(namespace, a_config_map(a="1", b="1"))
    how = {"field_manager": "me", "force": True} if "apply" in kind else {}
    changed = await core.patch_namespaced_config_map("settings", namespace, patch, _content_type=kind, **how)
    assert changed.data == {"a": "2", "b": "1"}


@shows("delete: collection")
async def test_a_selected_collection_is_deleted(core, namespace):
    for name in "ab":
        await core.create_namespaced_config_map(namespace, a_config_map(name, labels={"of": "these"}))
    await core.delete_collection_namespaced_config_map(namespace, label_selector="of=these")
    assert (await core.list_namespaced_config_map(namespace, label_selector="of=these")).items == []


@shows("watch")
async def test_a_watch_tells_what_happens_after_the_list(core, namespace):
    listed = await core.list_namespaced_config_map(namespace)
    await core.create_namespaced_config_map(namespace, a_config_map(colour="blue"))
    await core.delete_namespaced_config_map("settings", namespace)
    told = []
    async with asyncio.timeout(60), watch.Watch() as events:
        version = listed.metadata.resource_version
        async for event in events.stream(core.list_namespaced_config_map, namespace, resource_version=version):
            told.append((event["type"], event["object"].data))
            if len(told) == 2:
                break
    assert told == [("ADDED", {"colour": "blue"}), ("DELETED", {"colour": "blue"})]


@shows("watch: 410 for a version too old")
async def test_a_watch_from_a_forgotten_version_is_gone(server, monkeypatch):
    monkeypatch.setattr("knarr.registry.resource.HELD", 2)
    async with await config.new_client_from_config(str(server.kubeconfig)) as api, watch.Watch() as events:
        core = client.CoreV1Api(api)
        for number in range(6):
            await core.create_namespaced_config_map("default", a_config_map(f"settings-{number}"))
        told = events.stream(core.list_namespaced_config_map, "default", resource_version="1", timeout_seconds=60)
        with pytest.raises(ApiException) as error:
            await anext(told)
    assert error.value.status == 410


@shows("scale subresource")
async def test_a_deployment_is_scaled(api, namespace):
    apps = client.AppsV1Api(api)
    await apps.create_namespaced_deployment(namespace, a_deployment(replicas=0))
    scaled = await apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 1}})
    assert scaled.spec.replicas == 1


@shows("logs")
async def test_logs_are_read(core, namespace, pod):
    text = "simulated: this container has no process and writes no log\n"
    assert await core.read_namespaced_pod_log("web", namespace) == text


@shows("exec over WebSocket")
async def test_a_command_runs_over_a_websocket(place, pod):
    configuration = client.Configuration()
    await config.load_kube_config(str(place.kubeconfig), client_configuration=configuration)
    async with WsApiClient(configuration) as api:
        text = await client.CoreV1Api(api).connect_get_namespaced_pod_exec(
            "web", place.namespace, command=["ls"], stdin=False, stdout=True, stderr=True
        )
    assert text == "simulated: this pod has no process\n"


@shows("dynamic client: create, get, watch, delete")
async def test_resources_are_found_by_discovery(api, namespace):
    found = await dynamic.DynamicClient(api)
    maps = await found.resources.get(api_version="v1", kind="ConfigMap")
    await maps.create(body=a_config_map(colour="blue"), namespace=namespace)
    read = await maps.get(name="settings", namespace=namespace)
    assert read.data.colour == "blue"
    await maps.delete(name="settings", namespace=namespace)
    gone = await maps.get(name="settings", namespace=namespace)  # this client gives the Status of what it streams
    assert (gone.kind, gone.code, gone.reason) == ("Status", 404, "NotFound")


@shows("leader election")
async def test_a_second_candidate_leads_when_the_first_is_gone(api, namespace):
    leading = asyncio.Queue()

    def candidate(name):
        async def lead():
            await leading.put(name)
            await asyncio.Event().wait()

        async def stop():
            pass

        settings = electionconfig.Config(
            LeaseLock("lock", namespace, name, api),
            lease_duration=3,
            renew_deadline=2,
            retry_period=1,
            onstarted_leading=lead,
            onstopped_leading=stop,
        )
        return asyncio.create_task(leaderelection.LeaderElection(settings).run())

    async with asyncio.timeout(60):
        first = candidate("first")
        assert await leading.get() == "first"
        second = candidate("second")
        first.cancel()
        assert await leading.get() == "second"
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
    lease = await client.CoordinationV1Api(api).read_namespaced_lease("lock", namespace)
    assert lease.spec.holder_identity == "second"
