"""A cluster for code that is no coroutine, on real and on virtual time."""

import asyncio

import pytest

from knarr.kinds.types.core_v1 import Node
from knarr.meta import clock
from knarr.meta.errors import Forbidden, NotFound
from knarr.testing import Cluster, NotInTime
from knarr.testing.names import UnknownKind
from knarr.testing.thread import Ended, LoopThread
from knarr.testing.virtual_time import Stuck

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
"""
A_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}, "data": {"a": "1", "b": "2"}}
BOATS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Boat, plural: boats, singular: boat, shortNames: [bt]}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
---
apiVersion: example.com/v1
kind: Boat
metadata: {name: skuld}
spec: {oars: 6}
"""  # noqa: E501


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as running:
        yield running


def test_a_deployment_becomes_available_and_goes(cluster):
    cluster.apply(WEB)
    assert cluster.wait("deployment/web", condition="Available")["status"]["readyReplicas"] == 3
    assert len(cluster.wait_all("po", labels="app=web", count=3, condition="Ready")) == 3
    cluster.delete("deploy", "web")
    cluster.wait_gone("pods", labels="app=web")


def test_what_a_manifest_no_longer_says_is_taken_away(cluster):
    cluster.apply(A_MAP)
    cluster.apply({**A_MAP, "data": {"a": "3"}})
    assert cluster.get("cm/mine")["data"] == {"a": "3"}
    cluster.patch("cm/mine", {"data": {"c": "4"}})
    assert cluster.get("configmaps", "mine")["data"] == {"a": "3", "c": "4"}


def test_manifests_come_from_files_folders_and_lists(cluster, tmp_path):
    for number in range(2):
        (tmp_path / f"{number}.yaml").write_text(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: m-{number}}}}}")
    applied = cluster.apply(tmp_path, tmp_path / "0.yaml", {"kind": "List", "items": [A_MAP]})
    assert [tree["metadata"]["name"] for tree in applied] == ["m-0", "m-1", "m-0", "mine"]


def test_a_definition_and_its_objects_go_into_one_manifest(cluster):
    cluster.apply(BOATS)
    assert [cluster.get(f"{kind}/skuld")["spec"] for kind in ("boat", "bt", "boats.example.com")] == [{"oars": 6}] * 3


def test_a_new_namespace_takes_pods_at_once(cluster):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "fresh"}}
    pod["spec"] = {"containers": [{"name": "c", "image": "c"}]}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fresh"}}, pod)
    assert cluster.within("fresh").wait("pod/p", condition="Ready")


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda c: c.get("ship/x"), UnknownKind, "no kind is called 'ship'"),
        (lambda c: c.get("pod/x"), NotFound, 'pods "x" not found'),
        (lambda c: c.get("pods"), ValueError, "of which name"),
        (lambda c: c.delete("pods"), ValueError, "Give a name or labels"),
        (lambda c: c.apply("just text"), ValueError, "no manifest of an object"),
        (lambda c: c.apply("{apiVersion: example.com/v2, kind: Ship, metadata: {}}"), ValueError, "no kind Ship"),
    ],
)
def test_bad_input_is_refused_with_a_reason(cluster, call, error, message):
    with pytest.raises(error, match=message):
        call(cluster)


def test_in_vain_it_tells_what_there_was_and_why():
    with Cluster(virtual_time=True) as cluster:
        cluster.apply(WEB.replace("web", "big").replace("image: big", "image: big, resources: {requests: {cpu: 1k}}"))
        with pytest.raises(NotInTime) as caught:
            cluster.wait("deployment/big", condition="Available", timeout=1)
    text = str(caught.value)
    assert "deployment big in default is not condition Available=True after 1 s" in text
    assert "unavailableReplicas: 3" in text
    assert "Insufficient cpu" in text


async def test_a_coroutine_awaits_the_same_verbs(cluster):
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(wait_for_map(cluster))
        await asyncio.sleep(0)
        await cluster.aio.apply({**A_MAP, "metadata": {"name": "late"}})
    assert waiting.result()["data"] == {"a": "1", "b": "2"}
    with pytest.raises(NotFound):
        await cluster.aio.get("pod/none")


async def wait_for_map(cluster):
    return await cluster.aio.wait("cm/late")


def test_anything_can_be_done_on_the_clusters_own_loop(cluster):
    async def nodes(inside):
        return [node.metadata.name for node in (await inside.api.list(Node)).items]

    assert cluster.run(nodes) == list(cluster.nodes)


def test_a_call_from_the_clusters_own_loop_is_refused_instead_of_waiting_for_ever(cluster):
    with pytest.raises(RuntimeError, match="own loop"):
        cluster.wait_all("nodes", until=lambda tree: cluster.get("node/node-0"))


def test_faults_reach_the_controllers_and_not_the_test(cluster):
    refusal = Forbidden("not today")
    cluster.faults.fail(refusal, when=lambda request: request.path.endswith("/replicasets"))
    cluster.apply(WEB.replace("web", "late"))
    assert cluster.wait("deployment/late", condition="Available")
    assert any("not today" in line for line in cluster.log)


# ------------------------------------------------------------------ virtual time


def story(seed):
    with Cluster(virtual_time=True, seed=seed, nodes=2) as cluster:
        cluster.apply(WEB)
        cluster.wait("deployment/web", condition="Available")
        cluster.stop_node("node-0")
        cluster.advance(minutes=10)
        nodes = {
            pod["spec"]["nodeName"] for pod in cluster.list("pods") if not pod["metadata"].get("deletionTimestamp")
        }
        return cluster.log, nodes


def test_the_same_seed_makes_the_same_story_and_time_costs_nothing():
    (one, nodes), (two, _), (other, _) = story(7), story(7), story(8)
    assert nodes == {"node-1"}
    assert one == two
    assert one != other


def test_time_stands_still_between_two_calls():
    with Cluster(virtual_time=True) as cluster:
        before = cluster.run(now)
        assert cluster.run(now) == before
        cluster.advance(minutes=20)
        assert (cluster.run(now) - before).total_seconds() == 1200


async def now(cluster):
    return clock.now()


def test_a_cluster_on_virtual_time_leaves_the_clocks_of_others_alone():
    with Cluster(virtual_time=True) as virtual, Cluster() as real:
        virtual.advance(minutes=10)
        assert abs((real.run(now) - clock.now()).total_seconds()) < 60
        assert virtual.run(now) != clock.now()


def test_a_wait_in_vain_takes_no_real_time():
    with Cluster(virtual_time=True) as cluster, pytest.raises(NotInTime, match="after 600 s"):
        cluster.wait("pod/none", timeout=600)


def test_a_node_is_cut_off_and_comes_back():
    with Cluster(virtual_time=True, nodes=2) as cluster:
        cluster.partition_node("node-1")
        cluster.wait("node/node-1", condition="Ready=Unknown", timeout=120)
        cluster.heal_node("node-1")
        cluster.wait("node/node-1", condition="Ready")


# ------------------------------------------------------------------------- ends


def test_a_cluster_that_has_ended_says_so():
    with Cluster(nodes=0) as cluster:
        pass
    with pytest.raises(Ended, match="the cluster has ended"):
        cluster.list("pods")


def test_a_loop_that_breaks_tells_everybody_who_waits():
    async def forever():
        await asyncio.get_running_loop().create_future()

    with LoopThread("stuck", virtual_time=True) as thread, pytest.raises(Ended) as caught:
        thread.run(forever())
    assert isinstance(caught.value.__cause__, Stuck)
