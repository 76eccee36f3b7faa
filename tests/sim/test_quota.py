"""Quotas over a whole cluster: what is asked for at once never exceeds them, and what goes gives back its place."""

import asyncio

import pytest

from knarr.controllers import resourcequota
from knarr.kinds.types.core_v1 import ConfigMap, Pod, ResourceQuota, Service
from knarr.meta.errors import Forbidden
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import run

QUOTA = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: q}
spec: {hard: %s}
"""


def pod(name, cpu="100m"):
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec: {{containers: [{{name: c, image: i, resources: {{requests: {{cpu: {cpu}}}}}}}]}}
"""


def config(name):
    return f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}}}
"""


async def used(cluster):
    return (await cluster.api.get(ResourceQuota, "q", "default")).status.used


async def attempt(cluster, manifest):
    try:
        await cluster.apply(manifest)
    except Forbidden as error:
        return str(error)
    return ""


def test_a_hundred_creates_at_once_never_exceed_a_quota():
    async def story():
        async with Cluster([resourcequota.controller()]) as cluster:
            await cluster.apply(QUOTA % '{pods: "7", requests.cpu: "1"}')
            await cluster.settled()
            refused = await asyncio.gather(*(attempt(cluster, pod(f"p{n}")) for n in range(100)))
            assert len((await cluster.api.list(Pod, "default")).items) == 7
            assert sorted(set(map(bool, refused))) == [False, True]
            assert any(
                text.endswith("is forbidden: exceeded quota: q, requested: pods=1, used: pods=7, limited: pods=7")
                for text in refused
            )
            assert await used(cluster) == {"pods": "7", "requests.cpu": "700m"}
            await cluster.settled()
            assert await used(cluster) == {"pods": "7", "requests.cpu": "700m"}

    run(story())


def test_creates_and_deletes_at_once_never_exceed_a_quota():
    async def story():
        async with Cluster([resourcequota.controller()]) as cluster:
            await cluster.apply(QUOTA % '{pods: "5"}')
            await cluster.settled()

            async def come_and_go(number):
                for turn in range(5):
                    name = f"p{number}-{turn}"
                    if not await attempt(cluster, pod(name)):
                        assert len((await cluster.api.list(Pod, "default")).items) <= 5
                        await asyncio.sleep(0.4)
                        await cluster.api.delete(Pod, name, "default")
                    await asyncio.sleep(0.3)

            await asyncio.gather(*map(come_and_go, range(20)))
            await cluster.settled()
            assert await used(cluster) == {"pods": "0"}

    run(story())


def test_a_charge_for_what_was_not_written_is_given_back():
    async def story():
        async with Cluster([resourcequota.controller()]) as cluster:
            await cluster.apply(QUOTA % '{pods: "5"}')
            await cluster.settled()
            quota = await cluster.api.get(ResourceQuota, "q", "default")
            patch = {"metadata": {"resourceVersion": quota.metadata.resourceVersion}, "status": {"used": {"pods": "5"}}}
            await cluster.api.patch(ResourceQuota, "q", "default", patch, subresource="status")
            await cluster.settled()
            assert await used(cluster) == {"pods": "0"}

    run(story())


@pytest.mark.parametrize("name", ["configmaps", "count/configmaps"])
def test_objects_of_any_kind_are_counted(name):
    async def story():
        async with Cluster([resourcequota.controller()]) as cluster:
            await cluster.apply(config("before"))
            await cluster.apply(QUOTA % f'{{{name}: "2"}}')
            await cluster.settled()
            assert await used(cluster) == {name: "1"}
            assert not await attempt(cluster, config("fits"))
            assert f"exceeded quota: q, requested: {name}=1, used: {name}=2, limited: {name}=2" in await attempt(
                cluster, config("too-many")
            )
            await cluster.api.delete(ConfigMap, "before", "default")
            await cluster.settled()
            assert await used(cluster) == {name: "1"}

    run(story())


def test_a_service_that_becomes_a_node_port_is_counted_anew():
    async def story():
        async with Cluster([resourcequota.controller()]) as cluster:
            await cluster.apply(QUOTA % '{services.nodeports: "1", services: "2"}')
            await cluster.settled()
            await cluster.apply(
                "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80, name: a},"
                " {port: 81, name: b}]}}"
            )
            with pytest.raises(Forbidden, match=r"requested: services\.nodeports=2, used: services\.nodeports=0"):
                await cluster.api.patch(Service, "s", "default", {"spec": {"type": "NodePort"}})
            assert await used(cluster) == {"services.nodeports": "0", "services": "1"}

    run(story())


def test_a_dry_run_is_counted_but_not_charged():
    async def story():
        async with Cluster([resourcequota.controller()]) as cluster:
            await cluster.apply(QUOTA % '{pods: "0", configmaps: "5"}')
            await cluster.settled()
            path = "/api/v1/namespaces/default/configmaps"
            body = b'{"metadata":{"name":"x"}}'
            headers = {"content-type": "application/json"}
            await cluster.api.raw("POST", path, query=[("dryRun", "All")], body=body, headers=headers)
            assert (await used(cluster))["configmaps"] == "0"

    run(story())
