"""Custom resources as PyPI's clients see them: made at run time, then used without a model of theirs."""

import asyncio

import kr8s
import pytest
from kr8s.asyncio.objects import new_class
from kubernetes import client, config, dynamic
from kubernetes.client.exceptions import ApiException
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_resources_from_crd, get_generic_resource
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.types import PatchType

from tests.wire.boats import BOAT, DEFINITION, GROUP


@pytest.mark.operation("kubernetes", "custom resources: CustomObjectsApi")
def test_custom_objects_are_written_by_their_schema(boats):
    with config.new_client_from_config(str(boats.kubeconfig)) as api:
        objects = client.CustomObjectsApi(api)
        where = (GROUP, "v1", boats.namespace, "boats")
        made = objects.create_namespaced_custom_object(*where, {**BOAT, "spec": {}})
        assert made["spec"] == {"oars": 4}
        with pytest.raises(ApiException) as error:
            objects.patch_namespaced_custom_object(
                *where, "skuld", {"spec": {"oars": 1}}, _content_type="application/merge-patch+json"
            )
        assert (error.value.status, "spec.oars" in error.value.body) == (422, True)
        objects.patch_namespaced_custom_object_status(
            *where, "skuld", {"status": {"afloat": True}}, _content_type="application/merge-patch+json"
        )
        (listed,) = objects.list_namespaced_custom_object(*where)["items"]
        assert (listed["spec"], listed["status"]) == ({"oars": 4}, {"afloat": True})
        objects.delete_namespaced_custom_object(*where, "skuld")


@pytest.mark.operation("kubernetes", "custom resources: dynamic client")
def test_the_dynamic_client_discovers_a_new_kind(boats):
    with config.new_client_from_config(str(boats.kubeconfig)) as api:
        found = dynamic.DynamicClient(api, cache_file=str(boats.folder / "discovered.json"))
        resource = found.resources.get(api_version=f"{GROUP}/v1", kind="Boat")
        made = resource.create(body=BOAT, namespace=boats.namespace)
        events = resource.watch(namespace=boats.namespace, resource_version=made.metadata.resourceVersion, timeout=60)
        applied = {**BOAT, "spec": {"oars": 8}}
        resource.server_side_apply(
            body=applied, name="skuld", namespace=boats.namespace, field_manager="me", force_conflicts=True
        )
        assert next(events)["object"].spec.oars == 8
        assert resource.scale.get(name="skuld", namespace=boats.namespace).spec.replicas == 8


@pytest.mark.operation("lightkube", "custom resources: from their definition")
def test_lightkube_makes_a_class_of_a_definition(boats):
    kube = Client(config=KubeConfig.from_file(boats.kubeconfig), trust_env=False)
    create_resources_from_crd(CustomResourceDefinition.from_dict(DEFINITION))
    boat = get_generic_resource(f"{GROUP}/v1", "Boat")
    kube.create(boat(metadata=ObjectMeta(name="skuld"), spec={"oars": 6}))
    kube.patch(boat.Status, "skuld", {"status": {"afloat": True}}, patch_type=PatchType.MERGE)
    assert kube.get(boat, "skuld").status == {"afloat": True}
    kube.replace(boat.Scale(metadata=ObjectMeta(name="skuld"), spec=ScaleSpec(replicas=8)), "skuld")
    assert [b["spec"]["oars"] for b in kube.list(boat)] == [8]
    with pytest.raises(ApiError) as error:
        kube.create(boat(metadata=ObjectMeta(name="raft"), spec={"oars": 0}))
    assert error.value.status.reason == "Invalid"


@pytest.mark.operation("kr8s", "custom resources: by their kind")
@pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported")
async def test_kr8s_makes_a_class_of_a_kind(boats):
    api = await kr8s.asyncio.api(kubeconfig=str(boats.kubeconfig), namespace=boats.namespace)
    boat = new_class("Boat", version=f"{GROUP}/v1", namespaced=True, asyncio=True, scalable=True, scalable_spec="oars")
    made = await boat(BOAT, namespace=boats.namespace, api=api)
    await made.create()
    await made.scale(8)
    await made.patch({"status": {"afloat": True}}, subresource="status")
    (seen,) = [b async for b in api.get(f"boats.{GROUP}", namespace=boats.namespace)]
    assert (seen.spec.oars, seen.status.afloat) == (8, True)
    async with asyncio.timeout(60):
        await made.wait("jsonpath='{.status.afloat}'=True")
        await made.delete()
        await made.wait("delete")
