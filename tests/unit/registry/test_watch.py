"""Watches: where they begin, what a selection makes of a change, bookmarks, and their end."""

import asyncio

import msgspec
import pytest

from knarr.kinds.table import BUILTIN
from knarr.meta.errors import BadRequest, Expired
from knarr.registry import resource as resource_module
from knarr.registry import watch as watch_module
from knarr.registry.registry import Registry
from knarr.store.store import Closed
from tests.unit.registry.conftest import K, a_config, a_pod


def shown(items):
    return [(item.type, item.entry.name if item.entry else "") for item in items]


async def label(registry, name, value):
    await registry.patch(K.ConfigMap, "ns", name, "merge", {"metadata": {"labels": {"n": value}}})


BEGINNINGS = {
    "without a revision it begins with what is there": ({}, ["ADDED b", "ADDED a", "ADDED c"]),
    "with revision 0 too": ({"resource_version": "0"}, ["ADDED b", "ADDED a", "ADDED c"]),
    "with a revision it tells what happened since": (
        {"resource_version": "1"},
        ["MODIFIED a", "ADDED b", "DELETED b", "ADDED b", "ADDED c"],
    ),
    "initial events come before a bookmark": (
        {"initial_events": True, "bookmarks": True, "resource_version": "1"},
        ["ADDED b", "ADDED a", "BOOKMARK ", "ADDED c"],
    ),
    "without initial events it begins with what comes": ({"initial_events": False}, ["ADDED c"]),
}


@pytest.mark.parametrize("wish, expected", BEGINNINGS.values(), ids=BEGINNINGS)
async def test_beginnings(registry, wish, expected):
    await registry.create(K.ConfigMap, "ns", a_config("a"))
    await label(registry, "a", "1")
    await registry.create(K.ConfigMap, "aa", a_config("b"))
    await registry.delete(K.ConfigMap, "aa", "b")
    await registry.create(K.ConfigMap, "aa", a_config("b"))
    watch = registry.watch(K.ConfigMap, **wish)
    await registry.create(K.ConfigMap, "ns", a_config("c"))
    assert [" ".join(pair) for pair in shown(await watch.batch())] == expected
    watch.close()


async def test_the_end_of_the_initial_events_is_marked(registry):
    watch = registry.watch(K.ConfigMap, initial_events=True, bookmarks=True)
    (item,) = await watch.batch()
    found = msgspec.json.decode(item.line)
    assert found["type"] == "BOOKMARK"
    assert found["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert found["object"]["kind"] == "ConfigMap"
    watch.close()


async def test_a_line_holds_the_bytes_of_the_object(registry):
    watch = registry.watch(K.ConfigMap)
    entry = await registry.create(K.ConfigMap, "ns", a_config("a"))
    (item,) = await watch.batch()
    assert item.line == b'{"type":"ADDED","object":' + entry.raw + b"}\n"
    assert item.revision == entry.revision
    watch.close()


async def test_objects_enter_and_leave_a_selection(registry):
    watch = registry.watch(K.ConfigMap, "ns", labels="n=1")
    await registry.create(K.ConfigMap, "ns", a_config("a"))
    await label(registry, "a", "1")
    await registry.patch(K.ConfigMap, "ns", "a", "merge", {"data": {"b": "2"}})
    await label(registry, "a", "2")
    left = registry.store.revision
    await registry.delete(K.ConfigMap, "ns", "a")
    items = await watch.batch()
    assert shown(items) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    gone = items[-1].entry
    assert (gone.labels, gone.object().metadata.resourceVersion) == ({"n": "1"}, str(left))
    watch.close()


async def test_a_deleted_object_is_shown_as_it_last_was_with_the_revision_of_its_end(registry):
    watch = registry.watch(K.ConfigMap)
    entry = await registry.create(K.ConfigMap, "ns", a_config("a"))
    await registry.delete(K.ConfigMap, "ns", "a")
    last = (await watch.batch())[-1]
    tree = entry.tree()
    tree["metadata"]["resourceVersion"] = str(registry.store.revision)
    assert msgspec.json.decode(last.raw) == tree
    watch.close()


async def test_a_node_hears_of_its_own_pods_only(registry):
    watches = {node: registry.watch(K.Pod, fields=f"spec.nodeName={node}", initial_events=False) for node in "nm"}
    everything = registry.watch(K.Pod, initial_events=False)
    for name in "ab":
        await registry.create(K.Pod, "ns", a_pod(name))
    await registry.bind(K.Pod, "ns", "a", {"target": {"name": "n"}})
    await registry.bind(K.Pod, "ns", "b", {"target": {"name": "m"}})
    await registry.delete(K.Pod, "ns", "a")
    assert shown(await watches["n"].batch()) == [("ADDED", "a"), ("MODIFIED", "a")]
    assert shown(await watches["m"].batch()) == [("ADDED", "b")]
    assert len(await everything.batch()) == 5
    for watch in (everything, *watches.values()):
        watch.close()


async def test_a_watch_of_one_object(registry):
    watch = registry.watch(K.ConfigMap, "ns", fields="metadata.name=a")
    for name in "ab":
        await registry.create(K.ConfigMap, "ns", a_config(name))
    assert shown(await watch.batch()) == [("ADDED", "a")]
    watch.close()


async def test_a_revision_that_is_no_longer_held_is_expired(registry, monkeypatch):
    monkeypatch.setattr(resource_module, "HELD", 2)
    for name in "abcdef":
        await registry.create(K.ConfigMap, "ns", a_config(name))
    with pytest.raises(Expired, match=r"too old resource version: 1 \(3\)"):
        registry.watch(K.ConfigMap, resource_version="1")
    watch = registry.watch(K.ConfigMap, resource_version="3")
    assert shown(await watch.batch()) == [("ADDED", name) for name in "def"]
    watch.close()


NO_REVISIONS = {"abc": "invalid syntax", "-1": "invalid syntax", "9" * 21: "value out of range"}


@pytest.mark.parametrize("text, why", NO_REVISIONS.items(), ids=["a word", "a negative number", "a number too large"])
async def test_what_is_no_revision_is_a_bad_request(registry, text, why):
    wanted = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": {why}'
    with pytest.raises(BadRequest, match=wanted):
        registry.watch(K.ConfigMap, resource_version=text)


async def test_a_watch_goes_on_over_a_restart_from_its_last_revision(store):
    first = Registry(store, BUILTIN)
    await first.start()
    entry = await first.create(K.ConfigMap, "ns", a_config("a"))
    await first.create(K.ConfigMap, "ns", a_config("b"))
    await first.delete(K.ConfigMap, "ns", "a")
    await first.stop()
    second = Registry(store, BUILTIN)
    await second.start()
    watch = second.watch(K.ConfigMap, resource_version=str(entry.revision))
    assert shown(await watch.batch()) == [("ADDED", "b"), ("DELETED", "a")]
    assert [e.name for e in (await second.list(K.ConfigMap)).entries] == ["b"]
    await second.stop()


async def test_a_stopped_registry_ends_its_watches(registry):
    watch = registry.watch(K.ConfigMap)
    waiting = asyncio.create_task(watch.batch())
    await asyncio.sleep(0)
    await registry.stop()
    assert await waiting == []


async def test_a_closed_store_ends_the_watches_and_refuses_writes(registry, store):
    watch = registry.watch(K.ConfigMap)
    waiting = asyncio.create_task(watch.batch())
    await asyncio.sleep(0)
    await store.close()
    assert await waiting == []
    with pytest.raises(Closed):
        await registry.create(K.ConfigMap, "ns", a_config("a"))


async def test_a_watch_ends_in_its_time_after_a_bookmark(registry):
    watch = registry.watch(K.ConfigMap, bookmarks=True, timeout=0.01)
    items = [item async for item in watch]
    assert [item.type for item in items] == ["BOOKMARK"]
    assert msgspec.json.decode(items[0].raw)["metadata"]["resourceVersion"] == str(registry.revision)


async def test_a_watch_that_is_not_read_is_ended(registry, monkeypatch):
    monkeypatch.setattr(watch_module, "QUEUED", 3)
    watch = registry.watch(K.ConfigMap)
    for name in "abcdef":
        await registry.create(K.ConfigMap, "ns", a_config(name))
    assert [item.entry.name async for item in watch] == list("abcd")
