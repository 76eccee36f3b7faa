"""Old API versions over the API: one object in all its forms, through every verb."""

import msgspec
import pytest

from knarr.client.discovery import discover
from knarr.kinds.types.apps_v1 import Deployment
from knarr.kinds.types.networking_v1 import Ingress
from knarr.meta.errors import ApiError, Conflict, NotFound
from knarr.testing.cluster import Cluster

OLD = "/apis/extensions/v1beta1/namespaces/default"
NEW = "/apis/apps/v1/namespaces/default"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
JSON_PATCH, APPLY = "application/json-patch+json", "application/apply-patch+yaml"
WEB = {
    "apiVersion": "extensions/v1beta1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    },
}
DOOR = {
    "apiVersion": "networking.k8s.io/v1beta1",
    "kind": "Ingress",
    "metadata": {"name": "door"},
    "spec": {"backend": {"serviceName": "s", "servicePort": 80}},
}
DOORS = "/apis/networking.k8s.io/v1beta1/namespaces/default/ingresses"


@pytest.fixture
async def cluster():
    async with Cluster([]) as made:
        yield made


class Client:
    """Sends trees, gives back trees and remembers the warnings."""

    def __init__(self, api):
        self._api, self.warnings = api, ""

    async def __call__(self, method, path, tree=None, form="application/json", **query):
        body = msgspec.json.encode(tree) if tree is not None else b""
        headers = {"content-type": form}
        response = await self._api.raw(method, path, query=list(query.items()), body=body, headers=headers)
        self.warnings = response.headers.get("warning", "")
        return msgspec.json.decode(response.body)


@pytest.fixture
def send(cluster):
    return Client(cluster.client("alice", "system:masters", agent="alice"))


async def test_a_deployment_is_the_same_object_in_every_version(send):
    made = await send("POST", f"{OLD}/deployments", WEB)
    assert (made["apiVersion"], made["spec"]["strategy"]["rollingUpdate"]["maxSurge"]) == ("extensions/v1beta1", 1)
    for version in ("apps/v1", "apps/v1beta2", "apps/v1beta1", "extensions/v1beta1"):
        seen = await send("GET", f"/apis/{version}/namespaces/default/deployments/web")
        assert seen["apiVersion"] == version
        for key in ("uid", "resourceVersion"):
            assert seen["metadata"][key] == made["metadata"][key]


async def test_every_verb_warns_of_an_old_version(send):
    text = "extensions/v1beta1 Deployment is deprecated in v1.8+, unavailable in v1.16+; use apps/v1 Deployment"
    await send("POST", f"{OLD}/deployments", WEB)
    assert text in send.warnings
    for method, path, tree in (
        ("GET", f"{OLD}/deployments/web", None),
        ("GET", f"{OLD}/deployments", None),
        ("GET", f"{OLD}/deployments/web/status", None),
        ("PATCH", f"{OLD}/deployments/web", {}),
        ("DELETE", f"{OLD}/deployments/web", None),
        ("DELETE", f"{OLD}/deployments", None),
    ):
        query = {"propagationPolicy": "Background"} if method == "DELETE" else {}
        await send(method, path, tree, MERGE, **query)
        assert text in send.warnings, (method, path)
    with pytest.raises(NotFound, match=r'deployments\.extensions "web" not found'):
        await send("GET", f"{OLD}/deployments/web")
    await send("GET", f"{NEW}/deployments")
    assert not send.warnings


@pytest.mark.parametrize(
    "form, patch",
    {
        MERGE: {"spec": {"backend": {"servicePort": "http"}}},
        STRATEGIC: {"spec": {"backend": {"servicePort": "http"}}},
        JSON_PATCH: [{"op": "replace", "path": "/spec/backend/servicePort", "value": "http"}],
    }.items(),
)
async def test_a_patch_is_worked_out_on_the_old_form(cluster, send, form, patch):
    await send("POST", DOORS, DOOR)
    shown = await send("PATCH", f"{DOORS}/door", patch, form)
    assert shown["spec"]["backend"] == {"serviceName": "s", "servicePort": "http"}
    door = await cluster.api.get(Ingress, "door", "default")
    assert door.spec.defaultBackend.service.port.name == "http"


async def test_an_update_through_the_old_form_keeps_what_it_says(send):
    made = await send("POST", f"{OLD}/deployments", WEB)
    again = await send("PUT", f"{OLD}/deployments/web", made)
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    made["spec"]["rollbackTo"] = {"revision": 3}
    await send("PUT", f"{OLD}/deployments/web", made)
    stored = await send("GET", f"{NEW}/deployments/web")
    assert stored["metadata"]["annotations"] == {"deprecated.deployment.rollback.to": "3"}
    assert "rollbackTo" not in stored["spec"]


async def test_status_and_scale_through_the_old_form(send):
    await send("POST", f"{OLD}/deployments", WEB)
    status = await send("PATCH", f"{OLD}/deployments/web/status", {"status": {"replicas": 1}}, MERGE)
    assert (status["apiVersion"], status["status"]) == ("extensions/v1beta1", {"replicas": 1})
    await send("PATCH", f"{OLD}/deployments/web/scale", {"spec": {"replicas": 4}}, MERGE)
    assert (await send("GET", f"{NEW}/deployments/web"))["spec"]["replicas"] == 4


async def test_an_old_scale_has_its_selector_as_a_map(send):
    await send("POST", f"{OLD}/deployments", WEB)
    scale = await send("GET", f"{OLD}/deployments/web/scale")
    assert (scale["apiVersion"], scale["kind"]) == ("extensions/v1beta1", "Scale")
    assert scale["status"] == {"replicas": 0, "selector": {"app": "web"}, "targetSelector": "app=web"}
    scale["spec"]["replicas"] = 5
    again = await send("PUT", f"{OLD}/deployments/web/scale", scale)
    assert (again["apiVersion"], again["spec"]) == ("extensions/v1beta1", {"replicas": 5})
    newest = await send("GET", f"{NEW}/deployments/web/scale")
    assert (newest["apiVersion"], newest["status"]["selector"]) == ("autoscaling/v1", "app=web")
    found = (await send("GET", "/apis/extensions/v1beta1"))["resources"]
    entry = next(r for r in found if r["name"] == "deployments/scale")
    assert (entry["kind"], entry.get("version", "")) == ("Scale", "")


async def test_a_rollback_is_asked_for_and_kept(send):
    await send("POST", f"{OLD}/deployments", WEB)
    asked = {
        "kind": "DeploymentRollback",
        "apiVersion": "extensions/v1beta1",
        "name": "web",
        "rollbackTo": {"revision": 2},
        "updatedAnnotations": {"kubernetes.io/change-cause": "undo"},
    }
    answer = await send("POST", f"{OLD}/deployments/web/rollback", asked)
    assert (answer["status"], answer["message"]) == ("Success", 'rollback request for deployment "web" succeeded')
    kept = (await send("GET", f"{NEW}/deployments/web"))["metadata"]["annotations"]
    assert kept == {"deprecated.deployment.rollback.to": "2", "kubernetes.io/change-cause": "undo"}
    with pytest.raises(ApiError, match="name in URL does not match name in DeploymentRollback object"):
        await send("POST", f"{OLD}/deployments/web/rollback", {**asked, "name": "other"})
    with pytest.raises(NotFound):
        await send("POST", f"{NEW}/deployments/web/rollback", asked)


async def test_a_manager_has_the_fields_of_its_own_version(send):
    await send("POST", DOORS, DOOR)
    path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/door"
    await send("PATCH", path, {"spec": {"ingressClassName": "c"}}, MERGE, fieldManager="bob")
    managers = (await send("GET", path))["metadata"]["managedFields"]
    fields = {(m["manager"], m["apiVersion"]): sorted(m["fieldsV1"]["f:spec"]) for m in managers}
    assert fields == {
        ("alice", "networking.k8s.io/v1beta1"): ["f:backend"],
        ("bob", "networking.k8s.io/v1"): ["f:ingressClassName"],
    }
    patch = {"spec": {"defaultBackend": {"service": {"name": "t"}}}}
    await send("PATCH", path, patch, MERGE, fieldManager="bob")
    managers = (await send("GET", path))["metadata"]["managedFields"]
    old = next(m for m in managers if m["manager"] == "alice")["fieldsV1"]["f:spec"]["f:backend"]
    assert "f:serviceName" not in old
    assert "f:servicePort" in old


async def test_an_apply_in_the_old_form_owns_what_it_names(send):
    made = await send("PATCH", f"{DOORS}/door", DOOR, APPLY, fieldManager="alice")
    owned = made["metadata"]["managedFields"][0]
    assert (owned["apiVersion"], owned["operation"]) == ("networking.k8s.io/v1beta1", "Apply")
    assert owned["fieldsV1"] == {"f:spec": {"f:backend": {"f:serviceName": {}, "f:servicePort": {}}}}
    other = {**DOOR, "spec": {"backend": {"serviceName": "s", "servicePort": 81}}}
    with pytest.raises(Conflict, match=r'conflict with "alice": \.spec\.backend\.servicePort'):
        await send("PATCH", f"{DOORS}/door", other, APPLY, fieldManager="bob")
    new = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "door"},
        "spec": {"defaultBackend": {"service": {"name": "t", "port": {"number": 82}}}},
    }
    path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/door"
    moved = await send("PATCH", path, new, APPLY, fieldManager="alice")
    assert [m["apiVersion"] for m in moved["metadata"]["managedFields"]] == ["networking.k8s.io/v1"]


async def test_an_apply_in_a_newer_version_takes_out_what_the_older_one_named(send):
    rules = [{"host": "a.example"}]
    await send(
        "PATCH", f"{DOORS}/door", {**DOOR, "spec": {**DOOR["spec"], "rules": rules}}, APPLY, fieldManager="alice"
    )
    new = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "door"}}
    path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/door"
    moved = await send("PATCH", path, {**new, "spec": {"rules": rules}}, APPLY, fieldManager="alice")
    assert (moved["apiVersion"], moved["spec"]) == ("networking.k8s.io/v1", {"rules": rules})


async def test_unknown_fields_are_told_by_the_old_form(send):
    wrong = {**DOOR, "spec": {**DOOR["spec"], "defaultBackend": {}}}
    with pytest.raises(ApiError, match=r'Ingress in version "v1beta1".*unknown field "spec\.defaultBackend"'):
        await send("POST", DOORS, wrong, fieldValidation="Strict")
    await send("POST", DOORS, wrong, fieldValidation="Warn", dryRun="All")
    assert 'unknown field \\"spec.defaultBackend\\"' in send.warnings


async def test_both_groups_see_what_happens(cluster, send):
    old = await cluster.api.list(Deployment, "default")
    await send("POST", f"{OLD}/deployments", WEB)
    async for change in cluster.api.watch(Deployment, "default", resource_version=old.resource_version):
        assert (change.type, change.object.apiVersion, change.object.metadata.name) == ("ADDED", "apps/v1", "web")
        break
    listed = await send("GET", f"{OLD}/deployments", fieldSelector="metadata.name=web")
    assert (listed["kind"], listed["apiVersion"], len(listed["items"])) == ("DeploymentList", "extensions/v1beta1", 1)


async def test_a_table_carries_objects_in_the_form_that_was_asked_for(cluster, send):
    await send("POST", DOORS, DOOR)
    accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    response = await cluster.api.raw("GET", DOORS, query=[("includeObject", "Object")], headers=accept)
    row = msgspec.json.decode(response.body)["rows"][0]
    assert (row["cells"][0], row["object"]["apiVersion"]) == ("door", "networking.k8s.io/v1beta1")


async def test_a_delete_through_an_old_version_leaves_the_dependents(send):
    await send("POST", f"{OLD}/deployments", WEB)
    left = await send("DELETE", f"{OLD}/deployments/web")
    assert left["metadata"]["finalizers"] == ["orphan"]


async def test_permission_is_by_the_group_that_is_asked(cluster, send):
    rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}]
    role = {"metadata": {"name": "r"}, "rules": rules}
    await send("POST", "/apis/rbac.authorization.k8s.io/v1beta1/namespaces/default/roles", role)
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "carol"}],
    }
    await send("POST", "/apis/rbac.authorization.k8s.io/v1beta1/namespaces/default/rolebindings", binding)
    carol = Client(cluster.client("carol", "devs"))
    assert (await carol("GET", f"{NEW}/deployments"))["items"] == []
    with pytest.raises(ApiError, match='cannot list resource "deployments" in API group "extensions"'):
        await carol("GET", f"{OLD}/deployments")


async def test_discovery_prefers_the_newest_and_shares_the_storage(send):
    groups = {group["name"]: group for group in (await send("GET", "/apis"))["groups"]}
    assert [v["version"] for v in groups["apps"]["versions"]] == ["v1", "v1beta2", "v1beta1"]
    assert [v["version"] for v in groups["autoscaling"]["versions"]] == ["v2", "v1", "v2beta2", "v2beta1"]
    names = list(groups)
    assert names.index("apps") < names.index("networking.k8s.io") < names.index("extensions")
    hashes = {}
    for version in ("apps/v1", "extensions/v1beta1"):
        found = (await send("GET", f"/apis/{version}"))["resources"]
        hashes[version] = next(r["storageVersionHash"] for r in found if r["name"] == "deployments")
    assert len(set(hashes.values())) == 1


async def test_controllers_of_every_kind_meet_each_object_once(cluster):
    preferred = (await discover(cluster.api)).preferred
    assert [r.group for r in preferred if r.plural in ("deployments", "ingresses")] == ["apps", "networking.k8s.io"]
    assert [r.group for r in preferred if r.plural == "events"] == [""]
    assert "extensions" not in {r.group for r in preferred}


async def test_events_are_named_by_the_group_that_is_asked(send):
    with pytest.raises(NotFound, match=r'events\.events\.k8s\.io "x" not found') as caught:
        await send("GET", "/apis/events.k8s.io/v1/namespaces/default/events/x")
    assert caught.value.group == "events.k8s.io"
