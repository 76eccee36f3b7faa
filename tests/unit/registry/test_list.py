"""Lists: order, selection, pages of one snapshot, revisions."""

import re

import msgspec
import pytest

from knarr.client.transport import Request, User
from knarr.meta.errors import BadRequest, Expired, Timeout
from knarr.testing.cluster import Cluster
from tests.unit.registry.conftest import K, a_config, a_pod


@pytest.fixture
async def five(registry):
    for name in "cabed":
        await registry.create(K.ConfigMap, "ns", a_config(name, labels={"n": name}))
    await registry.create(K.ConfigMap, "ns2", a_config("a"))
    return registry


def names(page):
    return [entry.name for entry in page.entries]


async def test_a_list_is_sorted_by_namespace_and_name(five):
    page = await five.list(K.ConfigMap)
    assert [(e.namespace, e.name) for e in page.entries] == [*(("ns", n) for n in "abcde"), ("ns2", "a")]
    assert names(await five.list(K.ConfigMap, "ns")) == list("abcde")
    assert names(await five.list(K.ConfigMap, "n")) == []


async def test_the_bytes_of_a_list_are_its_items_without_their_kinds(five):
    found = msgspec.json.decode((await five.list(K.ConfigMap, "ns2")).raw)
    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert found["metadata"] == {"resourceVersion": str(five.store.revision)}
    assert [sorted(item) for item in found["items"]] == [["data", "metadata"]]


SELECTED = {
    "a label": ({"labels": "n=a"}, "a"),
    "a set of labels": ({"labels": "n in (a,c),n!=c"}, "a"),
    "a missing label": ({"labels": "!n"}, ""),
    "a name": ({"fields": "metadata.name=b"}, "b"),
    "not a name": ({"fields": "metadata.name!=b", "labels": "n"}, "acde"),
}


@pytest.mark.parametrize("selectors, expected", SELECTED.values(), ids=SELECTED)
async def test_selection(five, selectors, expected):
    assert names(await five.list(K.ConfigMap, "ns", **selectors)) == list(expected)


async def test_fields_of_a_kind_select(registry):
    await registry.create(K.Pod, "ns", a_pod("a", node="n1"))
    await registry.create(K.Pod, "ns", a_pod("b"))
    assert names(await registry.list(K.Pod, fields="spec.nodeName=n1")) == ["a"]
    assert names(await registry.list(K.Pod, fields="status.phase=Pending,spec.nodeName!=n1")) == ["b"]


REFUSED = {
    "an unknown field": (
        {"fields": "spec.nope=1"},
        '"spec.nope" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ),
    "a bad revision": (
        {"resource_version": "abc"},
        'invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid',
    ),
    "a bad token": ({"token": "!"}, "continue key is not valid: "),
    "a token of another making": ({"token": "e30"}, "continue key is not valid: "),
}


@pytest.mark.parametrize("wish, message", REFUSED.values(), ids=REFUSED)
async def test_a_list_is_refused_for(five, wish, message):
    with pytest.raises(BadRequest, match=re.escape(message)):
        await five.list(K.ConfigMap, "ns", **wish)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
async def test_pages_are_of_one_snapshot(five, limit):
    revision = five.store.revision
    page = await five.list(K.ConfigMap, "ns", limit=limit)
    assert page.remaining == (5 - limit if limit < 5 else None)
    await five.delete(K.ConfigMap, "ns", "e")
    await five.create(K.ConfigMap, "ns", a_config("aa"))
    await five.patch(K.ConfigMap, "ns", "d", "merge", {"data": {"a": "2"}})
    entries, pages = page.entries, 1
    while page.token:
        page = await five.list(K.ConfigMap, "ns", limit=limit, token=page.token)
        entries, pages = entries + page.entries, pages + 1
        assert page.revision == revision
    assert [entry.name for entry in entries] == list("abcde")
    assert all(entry.object().data == {"a": "1"} for entry in entries)
    assert pages == -(-5 // limit)


async def test_a_page_of_a_selection_does_not_count_what_remains(five):
    page = await five.list(K.ConfigMap, "ns", limit=1, labels="n in (b,d)")
    assert (names(page), page.remaining) == (["b"], None)
    await five.delete(K.ConfigMap, "ns", "d")
    assert names(await five.list(K.ConfigMap, "ns", limit=1, labels="n in (b,d)", token=page.token)) == ["d"]


async def test_a_token_of_compacted_history_is_expired(five):
    page = await five.list(K.ConfigMap, "ns", limit=1)
    await five.create(K.ConfigMap, "ns", a_config("f"))
    await five.store.compact(five.store.revision)
    with pytest.raises(Expired, match="The provided continue parameter is too old to display a consistent list"):
        await five.list(K.ConfigMap, "ns", limit=1, token=page.token)


async def test_exactly_a_revision(five):
    assert names(await five.list(K.ConfigMap, resource_version="2", match="Exact")) == ["a", "c"]
    assert len(names(await five.list(K.ConfigMap, resource_version="2", match="NotOlderThan"))) == 6
    await five.store.compact(3)
    with pytest.raises(Expired, match=r"The resourceVersion for the provided list is too old\."):
        await five.list(K.ConfigMap, resource_version="2", match="Exact")


async def test_a_revision_of_the_future_is_too_large(five):
    for match in ("", "Exact"):
        with pytest.raises(Timeout, match="Too large resource version: 99, current: 6"):
            await five.list(K.ConfigMap, resource_version="99", match=match)


async def test_a_page_whose_revision_is_gone_comes_with_a_token_to_go_on():
    async with Cluster([]) as cluster:
        for name in "abcd":
            await cluster.apply(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}")
        path = "/api/v1/namespaces/default/configmaps"
        first = msgspec.json.decode((await cluster.api.raw("GET", path, query=[("limit", "2")])).body)
        await cluster.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: e}}")
        await cluster.store.compact(cluster.store.revision)
        query = [("limit", "2"), ("continue", first["metadata"]["continue"])]
        request = Request("GET", path, query, {}, b"", User())
        refused = await cluster.handler.handle(request)
        status = msgspec.json.decode(refused.body)
        assert (refused.status, status["reason"]) == (410, "Expired")
        query = [("continue", status["metadata"]["continue"])]
        rest = msgspec.json.decode((await cluster.api.raw("GET", path, query=query)).body)
        assert [item["metadata"]["name"] for item in rest["items"]] == ["c", "d", "e"]
