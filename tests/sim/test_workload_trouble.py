"""Workloads that cannot be as they are asked to be: what is said of it, how often it is tried, and how it ends."""

import json

import pytest

from knarr.kinds.types.apps_v1 import DaemonSet, Deployment, ReplicaSet
from knarr.kinds.types.core_v1 import Event, Namespace, Pod, ResourceQuota
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from tests.sim.stories import SPACE, manifest

QUOTA = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: few}
spec: {hard: {pods: "2"}}
"""
POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-pods}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations: [{expression: "false", message: no pods today}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-pods}
spec: {policyName: no-pods, validationActions: [Deny]}
"""


def told(main):
    """Live through a story in a whole cluster with a node on virtual time."""

    async def live():
        async with Cluster(nodes=1) as cluster:
            cluster.faults.record()
            await cluster.settled()
            await main(cluster)

    virtual_time.run(live())


def workload(kind="Deployment", name="web", **spec):
    return json.dumps(manifest(kind, name, spec if kind == "DaemonSet" else {"replicas": 5, **spec}))


async def pods(cluster):
    return (await cluster.api.list(Pod, SPACE)).items


async def events(cluster, reason):
    await cluster.context.recorder.flush()
    found = (await cluster.api.list(Event, SPACE)).items
    return {event.message for event in found if event.reason == reason}


def failure(obj):
    return next((c for c in obj.status.conditions if c.type == "ReplicaFailure"), None)


def tries(cluster):
    """How often a controller has asked for a pod."""
    return sum(r.method == "POST" and r.path.endswith("/pods") for r in cluster.faults.requests)


async def tries_in(cluster, **span):
    before = tries(cluster)
    await cluster.advance(**span)
    return tries(cluster) - before


def test_a_quota_that_leaves_room_for_few_is_told_of_and_more_room_is_used():
    async def main(cluster):
        await cluster.apply(QUOTA)
        await cluster.settled()
        await cluster.apply(workload())
        await cluster.advance(minutes=1)
        assert len(await pods(cluster)) == 2
        (set_,) = (await cluster.api.list(ReplicaSet, SPACE)).items
        web = await cluster.api.get(Deployment, "web", SPACE)
        for obj in (set_, web):
            assert (failure(obj).status, failure(obj).reason) == ("True", "FailedCreate")
            assert "exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2" in failure(obj).message
        assert any(line.startswith("Error creating: pods ") for line in await events(cluster, "FailedCreate"))
        assert await tries_in(cluster, minutes=10) < 10, "less and less often"
        await cluster.api.patch(ResourceQuota, "few", SPACE, {"spec": {"hard": {"pods": "9"}}})
        await cluster.advance(minutes=20)
        assert len(await pods(cluster)) == 5
        (set_,) = (await cluster.api.list(ReplicaSet, SPACE)).items
        web = await cluster.api.get(Deployment, "web", SPACE)
        assert (failure(set_), failure(web), web.status.readyReplicas) == (None, None, 5)

    told(main)


def test_a_rollout_that_a_quota_stops_times_out_and_keeps_what_must_be_available():
    async def main(cluster):
        await cluster.apply(workload(progressDeadlineSeconds=60))
        await cluster.settled()
        await cluster.apply(QUOTA.replace('"2"', '"5"'))
        await cluster.settled()
        await cluster.api.patch(
            Deployment, "web", SPACE, {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 0}}}}
        )
        await cluster.apply(
            workload(progressDeadlineSeconds=60, strategy={"rollingUpdate": {"maxUnavailable": 0}}).replace(
                "img:1", "img:2"
            )
        )
        await cluster.advance(minutes=3)
        web = await cluster.api.get(Deployment, "web", SPACE)
        assert (web.status.readyReplicas, web.status.updatedReplicas) == (5, None)
        reasons = {c.type: (c.status, c.reason) for c in web.status.conditions}
        assert reasons == {
            "Available": ("True", "MinimumReplicasAvailable"),
            "Progressing": ("False", "ProgressDeadlineExceeded"),
            "ReplicaFailure": ("True", "FailedCreate"),
        }

    told(main)


KINDS = {"Deployment": Deployment, "ReplicaSet": ReplicaSet, "DaemonSet": DaemonSet}


@pytest.mark.parametrize("kind", KINDS)
def test_pods_that_a_policy_refuses_are_asked_for_less_and_less_often(kind):
    async def main(cluster):
        await cluster.apply(POLICY)
        await cluster.settled()
        await cluster.apply(workload(kind))
        first = await tries_in(cluster, minutes=1)
        assert 5 <= first <= 30, "at once, then with growing pauses; one pod at a time, because all would be refused"
        assert await tries_in(cluster, minutes=20) <= 6
        assert any("no pods today" in line for line in await events(cluster, "FailedCreate"))
        assert await pods(cluster) == []

    told(main)


def test_sets_that_select_the_same_pods_leave_each_others_alone():
    async def main(cluster):
        await cluster.apply(workload("ReplicaSet", "one"), workload("ReplicaSet", "two"))
        await cluster.settled()
        assert len(await pods(cluster)) == 10
        asked = len(cluster.faults.requests)
        await cluster.advance(minutes=10)
        assert tries(cluster) == 10
        writes = [r for r in cluster.faults.requests[asked:] if r.method != "GET" and "/leases/" not in r.path]
        assert writes == [], "nobody fights"
        await cluster.api.delete(ReplicaSet, "one", SPACE, propagation="Background")
        await cluster.settled()
        assert {pod.metadata.ownerReferences[0].name for pod in await pods(cluster)} == {"two"}
        assert len(await pods(cluster)) == 5

    told(main)


def test_deployments_that_select_the_same_sets_leave_each_others_alone():
    async def main(cluster):
        await cluster.apply(workload(name="one"), workload(name="two"))
        await cluster.settled()
        sets = (await cluster.api.list(ReplicaSet, SPACE)).items
        assert sorted(set_.metadata.ownerReferences[0].name for set_ in sets) == ["one", "two"]
        assert len(await pods(cluster)) == 10

    told(main)


def test_a_pod_whose_owner_never_was_is_not_adopted_and_goes():
    async def main(cluster):
        stray = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "stray",
                "labels": {"app": "x"},
                "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "never", "uid": "none", "controller": True}
                ],
            },
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        await cluster.apply(json.dumps(stray), workload("ReplicaSet", "web"))
        await cluster.advance(minutes=2)
        found = await pods(cluster)
        assert len(found) == 5
        assert all(pod.metadata.name.startswith("web-") for pod in found)

    told(main)


def test_pods_without_their_service_account_come_when_it_is_there():
    async def main(cluster):
        text = json.loads(workload("ReplicaSet"))
        text["spec"]["template"]["spec"]["serviceAccountName"] = "later"
        await cluster.apply(json.dumps(text))
        await cluster.advance(minutes=1)
        set_ = await cluster.api.get(ReplicaSet, "web", SPACE)
        assert 'serviceaccount "later" not found' in failure(set_).message
        await cluster.apply("{apiVersion: v1, kind: ServiceAccount, metadata: {name: later}}")
        await cluster.advance(minutes=5)
        set_ = await cluster.api.get(ReplicaSet, "web", SPACE)
        assert (failure(set_), set_.status.readyReplicas) == (None, 5)

    told(main)


def test_a_namespace_that_goes_takes_workloads_with_it_and_nobody_asks_on():
    async def main(cluster):
        await cluster.api.create(Namespace(metadata=ObjectMeta(name="gone")))
        await cluster.settled()
        await cluster.apply(workload(), workload("DaemonSet", "ds"), namespace="gone")
        await cluster.settled()
        await cluster.api.delete(Namespace, "gone")
        await cluster.settled()
        assert [
            space.metadata.name for space in (await cluster.api.list(Namespace)).items if space.metadata.name == "gone"
        ] == []
        assert await tries_in(cluster, minutes=10) == 0

    told(main)
