"""PyPI's `kubernetes`: its dynamic client, with dictionaries instead of models, and its leader election."""

import json
import threading
from functools import partial

import pytest
from kubernetes import client, config, dynamic
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from tests.wire.places import a_config_map, a_deployment

shows = partial(pytest.mark.operation, "kubernetes")


@pytest.fixture
def discovered(place):
    with config.new_client_from_config(str(place.kubeconfig)) as api:
        yield dynamic.DynamicClient(api, cache_file=str(place.folder / "discovered.json"))


@pytest.fixture
def maps(discovered):
    return discovered.resources.get(api_version="v1", kind="ConfigMap")


@shows("dynamic client: discovery")
def test_resources_are_found_by_kind_and_by_short_name(discovered):
    deployments = discovered.resources.get(api_version="apps/v1", kind="Deployment")
    assert (deployments.name, deployments.namespaced, deployments.short_names) == ("deployments", True, ["deploy"])
    assert set(deployments.subresources) == {"scale", "status"}
    assert discovered.resources.get(api_version="v1", short_names=["po"]).kind == "Pod"
    assert discovered.version["kubernetes"]["gitVersion"].startswith("v1.37.")


@shows("dynamic client: create, get, list, replace, delete")
def test_dictionaries_are_made_read_replaced_and_deleted(maps, place):
    made = maps.create(body=a_config_map(colour="blue", labels={"app": "x"}), namespace=place.namespace)
    read = maps.get(name="settings", namespace=place.namespace)
    assert read.metadata.uid == made.metadata.uid
    changed = {**read.to_dict(), "data": {"colour": "green"}}
    assert maps.replace(body=changed, namespace=place.namespace).data.colour == "green"
    listed = maps.get(namespace=place.namespace, label_selector="app=x")
    assert (listed.kind, [m.metadata.name for m in listed.items]) == ("ConfigMapList", ["settings"])
    with pytest.raises(ConflictError):
        maps.create(body=a_config_map(), namespace=place.namespace)
    maps.delete(name="settings", namespace=place.namespace)
    with pytest.raises(NotFoundError) as error:
        maps.get(name="settings", namespace=place.namespace)
    assert json.loads(error.value.body)["reason"] == "NotFound"


@shows("dynamic client: patches and server-side apply")
def test_every_patch_type_is_taken(maps, place):
    maps.create(body=a_config_map(colour="blue"), namespace=place.namespace)
    where = {"name": "settings", "namespace": place.namespace}
    patch = partial(maps.patch, **where)
    patch(body={"data": {"a": "1"}}, content_type="application/merge-patch+json")
    patch(body={"data": {"b": "2"}}, content_type="application/strategic-merge-patch+json")
    patch(body=[{"op": "remove", "path": "/data/colour"}], content_type="application/json-patch+json")
    applied = maps.server_side_apply(body=a_config_map(c="3"), field_manager="me", **where)
    assert applied.data.to_dict() == {"a": "1", "b": "2", "c": "3"}


@shows("dynamic client: watch")
def test_a_watch_begins_at_a_version(maps, place):
    listed = maps.get(namespace=place.namespace)
    maps.create(body=a_config_map(), namespace=place.namespace)
    maps.delete(name="settings", namespace=place.namespace)
    events = maps.watch(namespace=place.namespace, resource_version=listed.metadata.resourceVersion, timeout=60)
    told = [next(events) for _ in range(2)]
    assert [(e["type"], e["object"].metadata.name) for e in told] == [("ADDED", "settings"), ("DELETED", "settings")]


@shows("dynamic client: subresources")
def test_subresources_are_resources_of_their_own(discovered, place):
    deployments = discovered.resources.get(api_version="apps/v1", kind="Deployment")
    deployments.create(body=a_deployment(replicas=0), namespace=place.namespace)
    scale = deployments.scale.get(name="web", namespace=place.namespace)
    assert (scale.kind, scale.spec.replicas) == ("Scale", None)
    patched = deployments.scale.patch(
        name="web",
        namespace=place.namespace,
        body={"spec": {"replicas": 2}},
        content_type="application/merge-patch+json",
    )
    assert patched.spec.replicas == 2


@shows("dynamic client: delete a collection")
def test_a_collection_is_deleted(maps, place):
    for name in ("a", "b"):
        maps.create(body=a_config_map(name, labels={"of": "these"}), namespace=place.namespace)
    maps.delete(namespace=place.namespace, label_selector="of=these")
    assert maps.get(namespace=place.namespace, label_selector="of=these").items == []


@shows("leader election")
def test_a_leader_stops_when_another_holds_the_lease(place):
    config.load_kube_config(str(place.kubeconfig))  # this lock takes no client of one's own
    leases = client.CoordinationV1Api()
    told, lost = [], threading.Event()

    def lead():
        told.append("leads")
        taken = {"spec": {"holderIdentity": "another", "leaseDurationSeconds": 600}}
        leases.patch_namespaced_lease("lock", place.namespace, taken)
        lost.set()

    settings = electionconfig.Config(
        LeaseLock("lock", place.namespace, "me"),
        lease_duration=4,
        renew_deadline=2,
        retry_period=1,
        onstarted_leading=lead,
        onstopped_leading=lambda: told.append("stops"),
    )
    leaderelection.LeaderElection(settings).run()
    assert lost.wait(60)
    assert told == ["leads", "stops"]
    assert leases.read_namespaced_lease("lock", place.namespace).spec.holder_identity == "another"
