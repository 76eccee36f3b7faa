"""Namespaces from their beginning to their end, on a whole cluster."""

from contextlib import asynccontextmanager

from knarr.client.discovery import discover
from knarr.controllers import endpoint_slice, endpoints, garbage_collector, namespace, root_ca, serviceaccount
from knarr.kinds.types.core_v1 import ConfigMap, Namespace, Pod, ServiceAccount
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.testing.builders import a_pod, a_service
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import run


@asynccontextmanager
async def a_cluster(nodes=0):
    controllers = [
        endpoints.CONTROLLER,
        endpoint_slice.controller(),
        garbage_collector.controller(),
        namespace.CONTROLLER,
        root_ca.controller("PEM"),
        serviceaccount.CONTROLLER,
    ]
    async with Cluster(controllers, nodes=nodes) as cluster:
        await cluster.api.create(Namespace(metadata=ObjectMeta(name="shop")))
        await cluster.settled()
        yield cluster


async def contents(cluster):
    """Everything there is in the namespace, by resource."""
    found = {}
    for resource in (await discover(cluster.api)).able("list"):
        if resource.namespaced and (items := (await cluster.api.list(resource, "shop")).items):
            found[resource.qualified] = sorted(item.metadata.name for item in items)
    return found


async def namespaces(cluster):
    return [found.metadata.name for found in (await cluster.api.list(Namespace)).items]


def test_a_new_namespace_has_an_account_and_the_authority_and_keeps_them():
    async def main():
        async with a_cluster() as cluster:
            assert await contents(cluster) == {"configmaps": ["kube-root-ca.crt"], "serviceaccounts": ["default"]}
            await cluster.api.delete(ConfigMap, "kube-root-ca.crt", "shop")
            await cluster.api.delete(ServiceAccount, "default", "shop")
            await cluster.settled()
            assert await contents(cluster) == {"configmaps": ["kube-root-ca.crt"], "serviceaccounts": ["default"]}

    run(main())


def test_a_deleted_namespace_takes_everything_along():
    async def main():
        async with a_cluster() as cluster:
            await cluster.apply(a_service("db", namespace="shop"), namespace="shop")
            await cluster.settled()
            assert "endpointslices.discovery.k8s.io" in await contents(cluster)
            await cluster.api.delete(Namespace, "shop")
            await cluster.settled()
            assert "shop" not in await namespaces(cluster)
            assert await contents(cluster) == {}

    run(main())


def test_what_holds_a_namespace_up_stands_in_its_conditions():
    async def main():
        async with a_cluster() as cluster:
            held = ObjectMeta(name="held", namespace="shop", finalizers=["example.com/hold"])
            await cluster.apply(ConfigMap(metadata=held))
            await cluster.api.delete(Namespace, "shop")
            await cluster.settled(quiet=30)
            found = await cluster.api.get(Namespace, "shop")
            said = {one.type: one.message for one in found.status.conditions if one.status == "True"}
            assert found.status.phase == "Terminating"
            assert said == {
                "NamespaceContentRemaining": "Some resources are remaining: configmaps. has 1 resource instances",
                "NamespaceFinalizersRemaining": (
                    "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
                ),
            }
            await cluster.api.patch(ConfigMap, "held", "shop", {"metadata": {"finalizers": None}})
            await cluster.settled()
            assert "shop" not in await namespaces(cluster)

    run(main())


def test_pods_end_before_anything_else_goes():
    async def main():
        async with a_cluster(nodes=1) as cluster:
            pod = a_pod("p", namespace="shop", node="node-0", terminationGracePeriodSeconds=5)
            await cluster.apply(pod, ConfigMap(metadata=ObjectMeta(name="c", namespace="shop")))
            await cluster.settled()
            assert (await cluster.api.get(Pod, "p", "shop")).status.phase == "Running"
            await cluster.stop_node("node-0")
            await cluster.api.delete(Namespace, "shop")
            await cluster.settled(quiet=60)
            assert (await contents(cluster))["configmaps"] == ["c", "kube-root-ca.crt"]
            await cluster.start_node("node-0")
            await cluster.settled()
            assert "shop" not in await namespaces(cluster)

    run(main())
