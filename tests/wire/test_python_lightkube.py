"""PyPI's `lightkube`: typed and generic resources, watches, waits, pages, patches and commands."""

from functools import partial

import pytest
from lightkube import ApiError, AsyncClient, Client, KubeConfig, codecs
from lightkube.core.exceptions import ConditionError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.operators import exists
from lightkube.resources.apps_v1 import Deployment, StatefulSet
from lightkube.resources.core_v1 import ConfigMap, Node, Pod, Secret
from lightkube.types import CascadeType, PatchType

from tests.wire.places import a_config_map, a_deployment, a_pod, a_stateful_set

shows = partial(pytest.mark.operation, "lightkube")


@pytest.fixture
def kube(place):
    return Client(config=KubeConfig.from_file(place.kubeconfig), field_manager="me", trust_env=False)


def a_map(name="settings", **kwargs):
    return ConfigMap.from_dict(a_config_map(name, **kwargs))


@shows("create, get, replace, delete")
def test_an_object_is_made_read_replaced_and_deleted(kube):
    made = kube.create(a_map(colour="blue"))
    read = kube.get(ConfigMap, "settings")
    assert (read.data, read.metadata.uid) == ({"colour": "blue"}, made.metadata.uid)
    read.data["colour"] = "green"
    assert kube.replace(read).data == {"colour": "green"}
    kube.delete(ConfigMap, "settings")
    with pytest.raises(ApiError) as error:
        kube.get(ConfigMap, "settings")
    assert (error.value.status.code, error.value.status.reason) == (404, "NotFound")


@shows("errors: 409 and 422")
def test_a_refusal_carries_the_status(kube):
    kube.create(a_map())
    with pytest.raises(ApiError) as error:
        kube.create(a_map())
    assert (error.value.status.code, error.value.status.message) == (409, 'configmaps "settings" already exists')
    with pytest.raises(ApiError) as error:
        kube.create(Pod.from_dict(a_pod(restartPolicy="Sometimes")))
    (cause,) = error.value.status.details.causes
    assert (error.value.status.code, cause.field, cause.reason) == (
        422,
        "spec.restartPolicy",
        "FieldValueNotSupported",
    )


@shows("list: label and field selectors, pages")
def test_lists_are_selected_and_come_in_pages(kube):
    for name in "abcde":
        kube.create(a_map(name, labels={"letter": name}))

    def names(**how):
        return [m.metadata.name for m in kube.list(ConfigMap, **how)]

    assert names(labels={"letter": ("a", "c")}) == ["a", "c"]
    assert names(fields={"metadata.name": "b"}) == ["b"]
    assert names(labels={"letter": exists()}, chunk_size=2) == list("abcde")
    assert [n.metadata.name for n in kube.list(Node)] == ["wire-0", "wire-1"]


PATCHES = {
    "patch: JSON": (PatchType.JSON, [{"op": "replace", "path": "/data/a", "value": "2"}], {"a": "2", "b": "1"}),
    "patch: merge": (PatchType.MERGE, {"data": {"a": "2", "b": None}}, {"a": "2"}),
    "patch: strategic merge": (PatchType.STRATEGIC, {"data": {"$patch": "replace", "a": "2"}}, {"a": "2"}),
    "apply on the server": (PatchType.APPLY, a_map(a="2"), {"a": "2", "b": "1"}),
}


@pytest.mark.parametrize(
    ("kind", "patch", "data"), [pytest.param(*case, marks=shows(name), id=name) for name, case in PATCHES.items()]
)
def test_patches_change_what_they_name(kube, kind, patch, data):
    kube.create(a_map(a="1", b="1"))
    force = kind == PatchType.APPLY
    assert kube.patch(ConfigMap, "settings", patch, patch_type=kind, force=force).data == data


@shows("apply on the server: conflict")
def test_an_applied_field_of_somebody_else_is_a_conflict(kube):
    kube.apply(a_map(colour="blue"), field_manager="one")
    with pytest.raises(ApiError) as error:
        kube.apply(a_map(colour="red"), field_manager="two")
    assert error.value.status.message == 'Apply failed with 1 conflict: conflict with "one": .data.colour'
    assert kube.apply(a_map(colour="red"), field_manager="two", force=True).data == {"colour": "red"}


@shows("watch")
def test_a_watch_tells_what_happens(kube):
    events = kube.watch(ConfigMap, labels={"seen": "yes"})
    kube.create(a_map(labels={"seen": "yes"}, colour="blue"))
    assert [(op, m.data) for op, m in (next(events),)] == [("ADDED", {"colour": "blue"})]
    kube.patch(ConfigMap, "settings", {"data": {"colour": "red"}})
    kube.delete(ConfigMap, "settings")
    assert [next(events)[0] for _ in range(2)] == ["MODIFIED", "DELETED"]


@shows("wait for a condition")
def test_one_waits_for_conditions(kube):
    kube.create(Pod.from_dict(a_pod()))
    pod = kube.wait(Pod, "web", for_conditions=["Ready"])
    assert pod.status.phase == "Running"
    with pytest.raises(ConditionError):
        kube.wait(Pod, "web", for_conditions=["Never"], raise_for_conditions=["Ready"])


@shows("scale and status subresources")
def test_scale_and_status_are_resources(kube):
    kube.create(Deployment.from_dict(a_deployment(replicas=0)))
    scaled = kube.replace(Deployment.Scale(metadata=ObjectMeta(name="web"), spec=ScaleSpec(replicas=1)), "web")
    assert scaled.spec.replicas == 1
    condition = {"type": "Mine", "status": "True"}
    kube.patch(Deployment.Status, "web", {"status": {"conditions": [condition]}})
    assert "Mine" in [c.type for c in kube.get(Deployment.Status, "web").status.conditions]


@shows("eviction")
def test_a_pod_is_evicted(kube):
    kube.create(Pod.from_dict(a_pod()))
    kube.wait(Pod, "web", for_conditions=["Ready"])
    kube.create(Pod.Eviction(metadata=ObjectMeta(name="web")), "web")
    pods = kube.list(Pod)
    if list(pods):  # it is ending
        changes = kube.watch(Pod, fields={"metadata.name": "web"}, resource_version=pods.resourceVersion)
        assert next(op for op, _ in changes if op == "DELETED")


@shows("logs")
def test_logs_are_read_and_followed(kube):
    kube.create(Pod.from_dict(a_pod()))
    kube.wait(Pod, "web", for_conditions=["Ready"])
    text = "simulated: this container has no process and writes no log\n"
    assert list(kube.log("web", tail_lines=1)) == [text]
    assert next(kube.log("web", follow=True)) == text


@shows("exec over WebSocket")
def test_a_command_runs_over_a_websocket(kube):
    kube.create(Pod.from_dict(a_pod()))
    kube.wait(Pod, "web", for_conditions=["Ready"])
    done = kube.exec("web", command=["cat"], stdin="x", stdout=True, stderr=True, timeout=60)
    assert (done.stdout, done.exit_code) == ("simulated: this pod has no process\n", 0)


@shows("delete: cascade, grace period and collections")
def test_deletion_is_as_asked(kube):
    kube.create(StatefulSet.from_dict(a_stateful_set()))
    kube.wait(Pod, "db-0", for_conditions=["Ready"])
    kube.delete(StatefulSet, "db", cascade=CascadeType.ORPHAN)
    orphaned = (pod for _, pod in kube.watch(Pod) if not pod.metadata.ownerReferences)
    assert next(orphaned).metadata.name == "db-0"
    kube.delete(Pod, "db-0", grace_period=0)
    assert list(kube.list(Pod)) == []
    for name in "ab":
        kube.create(Secret(metadata=ObjectMeta(name=name)))
    kube.deletecollection(Secret)
    assert list(kube.list(Secret)) == []


@shows("dry run")
def test_nothing_is_kept_of_a_dry_run(kube):
    assert kube.create(a_map(), dry_run=True).metadata.uid
    assert list(kube.list(ConfigMap, fields={"metadata.name": "settings"})) == []


@shows("resources without a model")
def test_a_resource_without_a_model_is_a_dictionary(kube):
    generic = create_namespaced_resource("batch", "v1", "CronJob", "cronjobs")
    job = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}}}
    made = kube.create(
        generic(metadata=ObjectMeta(name="a"), spec={"schedule": "@daily", "jobTemplate": {"spec": job}})
    )
    assert (made.kind, made["spec"]["concurrencyPolicy"]) == ("CronJob", "Allow")
    assert [c.metadata.name for c in kube.list(generic)] == ["a"]


@shows("create from YAML")
def test_a_file_of_many_objects_is_applied(kube):
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: b}\n"
    )
    applied = [kube.apply(obj) for obj in codecs.load_all_yaml(text)]
    assert [obj.metadata.name for obj in applied] == ["a", "b"]


@shows("asyncio client: create, list, watch, wait")
async def test_the_async_client_does_the_same(place):
    kube = AsyncClient(config=KubeConfig.from_file(place.kubeconfig), trust_env=False)
    events = kube.watch(Pod)
    await kube.create(Pod.from_dict(a_pod()))
    op, pod = await anext(events)
    assert (op, pod.metadata.name) == ("ADDED", "web")
    await kube.wait(Pod, "web", for_conditions=["Ready"])
    assert [p.metadata.name async for p in kube.list(Pod)] == ["web"]
    await events.aclose()
    await kube.close()
