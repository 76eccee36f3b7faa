import json

from knarr.client.api import Api
from knarr.client.discovery import discover
from knarr.client.transport import InProcess, Response
from knarr.testing.cluster import Cluster

STALE = {
    "items": [
        {
            "metadata": {"name": "far.example"},
            "versions": [{"version": "v1", "freshness": "Stale", "resources": []}, {"version": "v0"}],
        }
    ]
}


async def test_both_forms_of_discovery_tell_the_same():
    async with Cluster([]) as cluster:

        async def old(request):
            request.headers["accept"] = "application/json"
            return await cluster.handler.handle(request)

        at_once, one_by_one = await discover(cluster.api), await discover(Api(InProcess(old)))
    key = str
    assert sorted(at_once.resources, key=key) == sorted(one_by_one.resources, key=key)
    assert at_once.preferred == one_by_one.preferred
    assert not at_once.failed


async def test_what_is_stale_is_named():
    async def handle(request):
        headers = {"content-type": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
        return Response(200, headers, json.dumps(STALE if request.path == "/apis" else {"items": []}).encode())

    found = await discover(Api(InProcess(handle)))
    assert (list(found.failed), found.resources) == (["far.example/v1"], [])
