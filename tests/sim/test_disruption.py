"""Disruption budgets of a whole cluster: evictions at the same moment, drained nodes, owners of every kind."""

import asyncio

import pytest

from knarr.kinds.types.core_v1 import Event, Pod
from knarr.kinds.types.meta_v1 import DeleteOptions, ObjectMeta, Preconditions
from knarr.kinds.types.policy_v1 import Eviction, PodDisruptionBudget
from knarr.meta.errors import Conflict, TooManyRequests
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: web}]}
"""
BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {%s, selector: {matchLabels: {app: web}}}
"""
BOAT = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.sea.example}
spec:
  group: sea.example
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    subresources: %s
"""
SCALED = "{status: {}, scale: {specReplicasPath: .spec.oars, statusReplicasPath: .status.oars}}"
CREW = """
apiVersion: v1
kind: Pod
metadata:
  name: rower
  labels: {app: web}
  ownerReferences: [{apiVersion: sea.example/v1, kind: Boat, name: knarr, uid: %s, controller: true}]
spec: {containers: [{name: c, image: rower}]}
"""


def budget_of(cluster):
    return cluster.api.get(PodDisruptionBudget, "web", "default")


async def evict(cluster, name, **options):
    about = ObjectMeta(name=name, namespace="default")
    await cluster.api.create(Eviction(metadata=about, deleteOptions=DeleteOptions(**options)), subresource="eviction")


async def pods_of(cluster):
    return (await cluster.api.list(Pod, "default")).items


def counts(budget):
    status = budget.status
    return status.expectedPods, status.desiredHealthy, status.currentHealthy, status.disruptionsAllowed


def test_of_evictions_at_the_same_moment_only_those_succeed_that_the_budget_allows():
    async def main():
        async with Cluster(nodes=2) as cluster:
            await cluster.apply(WEB, BUDGET % "maxUnavailable: 50%")
            await cluster.settled()
            names = [pod.metadata.name for pod in await pods_of(cluster)]
            results = await asyncio.gather(*(evict(cluster, name) for name in names), return_exceptions=True)
            assert [type(r) for r in results if r is not None] == [TooManyRequests] * 2
            leaving = [pod for pod in await pods_of(cluster) if pod.metadata.deletionTimestamp]
            assert len(leaving) == 2
            for pod in leaving:
                target = next(c for c in pod.status.conditions if c.type == "DisruptionTarget")
                assert (target.status, target.reason, target.message) == (
                    "True",
                    "EvictionByEvictionAPI",
                    "Eviction API: evicting",
                )
            await cluster.settled()
            assert counts(await budget_of(cluster)) == (4, 2, 4, 2)

    virtual_time.run(main(), seed=1)


def test_an_eviction_that_is_only_tried_leaves_the_budget_and_the_pod_as_they_are():
    async def main():
        async with Cluster() as cluster:
            await cluster.apply(WEB, BUDGET % "minAvailable: 3")
            await cluster.settled()
            before = await budget_of(cluster)
            pod = (await pods_of(cluster))[0]
            await evict(cluster, pod.metadata.name, dryRun=["All"])
            assert await budget_of(cluster) == before
            assert (await pods_of(cluster))[0] == pod

    virtual_time.run(main(), seed=2)


def test_an_eviction_of_another_pod_than_the_one_that_was_meant_is_refused():
    async def main():
        async with Cluster() as cluster:
            await cluster.apply(WEB, BUDGET % "minAvailable: 3")
            await cluster.settled()
            before = await budget_of(cluster)
            pod = (await pods_of(cluster))[0]
            with pytest.raises(Conflict):
                await evict(cluster, pod.metadata.name, preconditions=Preconditions(uid="another"))
            with pytest.raises(Conflict):
                await evict(cluster, pod.metadata.name, preconditions=Preconditions(resourceVersion="1"))
            assert await budget_of(cluster) == before

    virtual_time.run(main(), seed=3)


def test_pods_that_never_become_ready_may_go_when_the_budget_says_so():
    async def main():
        async with Cluster() as cluster:
            unready = WEB.replace(
                "{app: web}}\n    spec", '{app: web}, annotations: {knarr.dev/simulated-unready: "true"}}\n    spec'
            )
            probed = unready.replace("image: web}", "image: web, readinessProbe: {httpGet: {port: 80}}}")
            await cluster.apply(probed, BUDGET % "minAvailable: 1")
            await cluster.settled()
            assert counts(await budget_of(cluster)) == (4, 1, 0, 0)
            name = (await pods_of(cluster))[0].metadata.name
            with pytest.raises(TooManyRequests, match="would violate the pod's disruption budget"):
                await evict(cluster, name)
            await cluster.apply(BUDGET % "minAvailable: 1, unhealthyPodEvictionPolicy: AlwaysAllow")
            await evict(cluster, name)

    virtual_time.run(main(), seed=4)


def test_a_budget_follows_the_number_that_the_deployment_wants():
    async def main():
        async with Cluster() as cluster:
            await cluster.apply(WEB, BUDGET % "minAvailable: 50%")
            await cluster.settled()
            assert counts(await budget_of(cluster)) == (4, 2, 4, 2)
            await cluster.apply(WEB.replace("replicas: 4", "replicas: 9"))
            await cluster.settled()
            assert counts(await budget_of(cluster)) == (9, 5, 9, 4)

    virtual_time.run(main(), seed=5)


async def with_a_boat(cluster, subresources):
    await cluster.apply(BOAT % subresources)
    await cluster.settled()
    boat = b'{"apiVersion": "sea.example/v1", "kind": "Boat", "metadata": {"name": "knarr"}, "spec": {"oars": 8}}'
    raw = await cluster.api.raw("POST", "/apis/sea.example/v1/namespaces/default/boats", body=boat)
    uid = raw.body.decode().partition('"uid":"')[2].partition('"')[0]
    await cluster.apply(CREW % uid, BUDGET % "maxUnavailable: 25%")
    await cluster.settled()


def test_a_custom_resource_is_asked_for_its_scale():
    async def main():
        async with Cluster() as cluster:
            await with_a_boat(cluster, SCALED)
            assert counts(await budget_of(cluster)) == (8, 6, 1, 0)

    virtual_time.run(main(), seed=6)


def test_a_budget_over_pods_of_something_without_a_scale_says_so():
    async def main():
        async with Cluster() as cluster:
            await with_a_boat(cluster, "{status: {}}")
            condition = (await budget_of(cluster)).status.conditions[0]
            assert (condition.status, condition.reason) == ("False", "SyncFailed")
            assert condition.message == "boats.sea.example does not implement the scale subresource"
            await cluster.context.recorder.flush()
            told = (await cluster.api.list(Event, "default", fields="reason=CalculateExpectedPodCountFailed")).items
            assert told[0].message.startswith("Failed to calculate the number of expected pods: boats.sea.example")

    virtual_time.run(main(), seed=7)


def test_a_pod_that_was_to_be_evicted_and_stays_counts_again_after_two_minutes():
    async def main():
        async with Cluster() as cluster:
            await cluster.apply(WEB, BUDGET % "minAvailable: 3")
            await cluster.settled()
            pod = (await pods_of(cluster))[0]
            status = {"disruptionsAllowed": 0, "disruptedPods": {pod.metadata.name: pod.metadata.creationTimestamp}}
            await cluster.api.patch(PodDisruptionBudget, "web", "default", {"status": status}, subresource="status")
            await asyncio.sleep(60)
            assert counts(await budget_of(cluster)) == (4, 3, 3, 0)
            await asyncio.sleep(120)
            budget = await budget_of(cluster)
            assert counts(budget) == (4, 3, 4, 1)
            assert not budget.status.disruptedPods

    virtual_time.run(main(), seed=8)
