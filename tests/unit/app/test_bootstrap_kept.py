"""The cluster's own namespaces and services come back."""

import asyncio
from pathlib import Path

import pytest

from knarr.app import bootstrap, bootstrap_kept, config
from knarr.kinds.types.core_v1 import Endpoints, Service
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import run

OURS = config.Cluster(name="x", data_dir=Path("/nowhere"))
KUBERNETES, DNS = ("kubernetes", "default"), ("kube-dns", "kube-system")
GONE = {
    "the API's service": (Service, KUBERNETES),
    "its Endpoints": (Endpoints, KUBERNETES),
    "its slice": (EndpointSlice, KUBERNETES),
    "the DNS' service": (Service, DNS),
    "its Endpoints as well": (Endpoints, DNS),
    "its slice as well": (EndpointSlice, DNS),
}


@pytest.mark.parametrize(("type_", "name"), GONE.values(), ids=GONE)
async def test_what_is_deleted_comes_back(type_, name):
    async with Cluster([]) as cluster:
        await bootstrap.ensure(cluster.api, OURS)
        await cluster.api.delete(type_, *name)
        await bootstrap_kept.restore(cluster.api, OURS)
        assert await cluster.api.get(type_, *name)
        if type_ is Service:  # which took its Endpoints with it
            assert await cluster.api.get(Endpoints, *name)


async def test_what_leads_elsewhere_is_led_back_and_the_rest_left_alone():
    async with Cluster([]) as cluster:
        await bootstrap.ensure(cluster.api, OURS)
        service = await cluster.api.patch(Service, *KUBERNETES, {"metadata": {"labels": {"mine": "yes"}}})
        patch = {"subsets": [{"addresses": [{"ip": "10.9.9.9"}], "ports": [{"port": 1}]}]}
        await cluster.api.patch(Endpoints, *KUBERNETES, patch)
        await bootstrap_kept.restore(cluster.api, OURS)
        found = await cluster.api.get(Endpoints, *KUBERNETES)
        assert found.subsets == bootstrap.kubernetes_endpoints(OURS).subsets
        await bootstrap_kept.restore(cluster.api, OURS)
        assert await cluster.api.get(Endpoints, *KUBERNETES) == found
        assert await cluster.api.get(Service, *KUBERNETES) == service


def test_it_is_looked_at_every_ten_seconds():
    async def story():
        async with Cluster([]) as cluster:
            await bootstrap.ensure(cluster.api, OURS)
            keeping = asyncio.create_task(bootstrap_kept.keep(cluster.api, OURS))
            for _ in range(2):
                await cluster.api.delete(Service, *KUBERNETES)
                await asyncio.sleep(bootstrap_kept.SECONDS + 1)
                assert await cluster.api.get(Service, *KUBERNETES)
            keeping.cancel()
            await asyncio.wait((keeping,))

    run(story(), seed=1)
