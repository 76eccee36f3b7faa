import json
from urllib.parse import parse_qsl

import pytest

from knarr.client.transport import InProcess, Request, User
from knarr.kinds.types.core_v1 import ConfigMap
from knarr.meta.errors import BadRequest, Expired, Forbidden, NotFound
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}}


async def history(cluster, target="configmap/m", query="", user=None):
    transport = InProcess(cluster.handler.handle, user)
    request = Request("GET", f"/knarr/v1/history/{target}", parse_qsl(query))
    answer = await transport.send(request)
    tree = json.loads(answer.body)
    if answer.status != 200:
        raise {400: BadRequest, 403: Forbidden, 404: NotFound, 410: Expired}[answer.status](tree["message"])
    return tree


def on_a_cluster(act):
    async def main():
        async with Cluster([]) as cluster:
            await cluster.apply(json.dumps(MAP))
            await cluster.advance(seconds=60)
            await cluster.client("alice", "system:masters", agent="kubectl/1.37").patch(
                ConfigMap, "m", "default", {"data": {"a": "2"}}
            )
            return await act(cluster)

    return virtual_time.run(main())


def test_every_revision_tells_what_when_and_who():
    async def act(cluster):
        await cluster.api.delete(ConfigMap, "m", "default")
        return await history(cluster)

    first, second, last = on_a_cluster(act)["items"]
    assert [each["object"]["data"]["a"] for each in (first, second, last)] == ["1", "2", "2"]
    assert [each["type"] for each in (first, second, last)] == ["put", "put", "delete"]
    assert [each["user"] for each in (first, second, last)] == ["system:admin", "alice", "system:admin"]
    assert (second["manager"], second["time"]) == ("kubectl", "2026-01-01T00:01:00.000000Z")
    numbers = [int(each["resourceVersion"]) for each in (first, second, last)]
    assert numbers == sorted(numbers)
    assert second["object"]["metadata"]["resourceVersion"] == second["resourceVersion"]


def test_long_histories_come_in_pages():
    async def act(cluster):
        for number in range(7):
            await cluster.api.patch(ConfigMap, "m", "default", {"data": {"a": f"n{number}"}})
        pages, token = [], ""
        while not pages or token:
            query = f"limit=4{f'&continue={token}' if token else ''}"
            found = await history(cluster, query=query)
            pages.append([each["object"]["data"]["a"] for each in found["items"]])
            token = found["metadata"].get("continue", "")
        await cluster.store.compact(cluster.store.revision)
        with pytest.raises(Expired, match="what follows resourceVersion 2 was compacted, up to"):
            await history(cluster, query="continue=2")
        return pages

    assert on_a_cluster(act) == [["1", "2", "n0", "n1"], ["n2", "n3", "n4", "n5"], ["n6"]]


def test_what_was_before_the_compaction_is_where_history_begins():
    async def act(cluster):
        await cluster.store.compact(cluster.store.revision)
        return await history(cluster)

    found = on_a_cluster(act)
    assert [each["object"]["data"] for each in found["items"]] == [{"a": "2"}]
    assert found["compacted"] == found["metadata"]["resourceVersion"]


@pytest.mark.parametrize("word", ["cm", "configmaps", "configmap", "ConfigMap", "cm.", "namespaces/default"])
def test_a_kind_has_many_names(word):
    target = word if "/" in word else f"{word}/m"
    assert on_a_cluster(lambda cluster: history(cluster, target))["items"]


BAD = {
    "no such kind": ("unicorns/m", NotFound, 'a resource type "unicorns"'),
    "no such object": ("configmap/other", NotFound, 'configmaps "other" not found'),
    "no name": ("configmap", BadRequest, "must be /knarr/v1/history/KIND/NAME"),
}


@pytest.mark.parametrize(("target", "error", "text"), BAD.values(), ids=BAD)
def test_what_cannot_be_told_is_said(target, error, text):
    with pytest.raises(error, match=text):
        on_a_cluster(lambda cluster: history(cluster, target))


def test_only_who_may_read_the_path_reads_it():
    user = User(name="bob", groups=("system:authenticated",))
    with pytest.raises(Forbidden, match='User "bob" cannot get path "/knarr/v1/history/configmap/m"'):
        on_a_cluster(lambda cluster: history(cluster, user=user))
