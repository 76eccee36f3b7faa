"""Delete: at once, by grace period, by finalizers, by precondition."""

import asyncio
import re

import pytest

from knarr.meta import clock
from knarr.meta.errors import Conflict, Invalid, NotFound
from knarr.registry.registry import DeleteOptions
from tests.unit.registry.conftest import K, a_config, a_pod, a_service


async def test_most_kinds_answer_with_a_status(registry):
    entry = await registry.create(K.ConfigMap, "ns", a_config())
    deleted = await registry.delete(K.ConfigMap, "ns", "x")
    assert (deleted.gone, deleted.shown) == (True, False)
    assert deleted.status()["details"] == {"name": "x", "kind": "configmaps", "uid": entry.uid}
    with pytest.raises(NotFound):
        await registry.get(K.ConfigMap, "ns", "x")


async def test_some_kinds_answer_with_the_object(registry):
    await registry.create(K.Service, "ns", a_service())
    deleted = await registry.delete(K.Service, "ns", "x")
    assert (deleted.gone, deleted.shown, deleted.entry.name) == (True, True, "x")


GRACE = {  # name: (node, phase, asked, what the pod then says, gone)
    "a pod without a node goes at once": ("", "Pending", None, 0, True),
    "a running pod gets its own period": ("n", "Running", None, 30, False),
    "a running pod gets the period that is asked for": ("n", "Running", 5, 5, False),
    "a finished pod goes at once": ("n", "Succeeded", None, 0, True),
    "a period of zero ends it at once": ("n", "Running", 0, 0, True),
    "a negative period is one second": ("n", "Running", -7, 1, False),
}


@pytest.mark.parametrize("node, phase, asked, grace, gone", GRACE.values(), ids=GRACE)
async def test_grace(registry, node, phase, asked, grace, gone):
    await registry.create(K.Pod, "ns", a_pod(node=node))
    await registry.patch(K.Pod, "ns", "x", "merge", {"status": {"phase": phase}}, subresource="status")
    began = clock.unix()
    deleted = await registry.delete(K.Pod, "ns", "x", DeleteOptions(grace=asked))
    ended = clock.unix()
    metadata = deleted.entry.tree()["metadata"]
    assert (metadata["deletionGracePeriodSeconds"], metadata["generation"]) == (grace, 2)
    assert (deleted.gone, deleted.shown) == (gone, True)
    assert began - 1 < clock.parse(metadata["deletionTimestamp"]).timestamp() - grace <= ended


@pytest.mark.parametrize("asked", [None, 2**62], ids=["of its own", "that is asked for"])
async def test_a_pod_whose_period_no_calendar_holds_can_be_deleted(registry, asked):
    pod = a_pod(node="n")
    pod["spec"]["terminationGracePeriodSeconds"] = 2**62
    await registry.create(K.Pod, "ns", pod)
    marked = (await registry.delete(K.Pod, "ns", "x", DeleteOptions(grace=asked))).entry.tree()["metadata"]
    assert marked["deletionGracePeriodSeconds"] == 2**62
    began = clock.unix()
    shorter = (await registry.delete(K.Pod, "ns", "x", DeleteOptions(grace=10))).entry.tree()["metadata"]
    assert began - 1 < clock.parse(shorter["deletionTimestamp"]).timestamp() <= clock.unix() + 10


MARKED = {  # name: (node, what was asked before, the periods that a watch then sees)
    "a pod without a node": ("", [], ["MODIFIED 0", "DELETED 0"]),
    "a pod that is forced": ("n", [], ["MODIFIED 0", "DELETED 0"]),
    "a pod whose node has let go of it": ("n", [None], ["MODIFIED 30", "MODIFIED 0", "DELETED 0"]),
}


@pytest.mark.parametrize("node, asked, seen", MARKED.values(), ids=MARKED)
async def test_a_watch_sees_a_pod_marked_before_it_is_gone(registry, node, asked, seen):
    created = await registry.create(K.Pod, "ns", a_pod(node=node))
    for grace in (*asked, 0):
        await registry.delete(K.Pod, "ns", "x", DeleteOptions(grace=grace))
    watch = registry.watch(K.Pod, "ns", resource_version=str(created.revision))
    items = [(item.type, item.entry.tree()["metadata"]) for item in await watch.batch()]
    watch.close()
    assert [f"{type_} {metadata['deletionGracePeriodSeconds']}" for type_, metadata in items] == seen
    (*_, last_but_one, last) = (metadata["deletionTimestamp"] for _, metadata in items)
    assert last == last_but_one
    assert {metadata["generation"] for _, metadata in items} == {2}


async def test_a_pod_that_goes_while_it_is_marked_is_gone(registry):
    await registry.create(K.Pod, "ns", a_pod())
    deletes = (registry.delete(K.Pod, "ns", "x", DeleteOptions(grace=0)) for _ in range(2))
    first, second = await asyncio.gather(*deletes, return_exceptions=True)
    assert first.gone
    assert isinstance(second, NotFound)


async def test_a_second_delete_can_only_shorten_the_period(registry):
    await registry.create(K.Pod, "ns", a_pod(node="n"))
    first = await registry.delete(K.Pod, "ns", "x")
    assert (await registry.delete(K.Pod, "ns", "x", DeleteOptions(grace=60))).entry.raw == first.entry.raw
    shorter = (await registry.delete(K.Pod, "ns", "x", DeleteOptions(grace=10))).entry.tree()["metadata"]
    assert (shorter["deletionGracePeriodSeconds"], shorter["generation"]) == (10, 2)
    assert (await registry.delete(K.Pod, "ns", "x", DeleteOptions(grace=0))).gone


async def test_an_object_with_finalizers_waits_for_the_last_one(registry):
    await registry.create(K.ConfigMap, "ns", a_config(finalizers=["a.b/c", "a.b/d"]))
    deleted = await registry.delete(K.ConfigMap, "ns", "x")
    assert (deleted.gone, deleted.shown) == (False, True)
    assert deleted.entry.tree()["metadata"]["deletionGracePeriodSeconds"] == 0
    revision = registry.store.revision
    await registry.delete(K.ConfigMap, "ns", "x")
    assert registry.store.revision == revision
    message = (
        'ConfigMap "x" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is '
        'being deleted, found new finalizers []string{"a.b/e"}'
    )
    with pytest.raises(Invalid, match=re.escape(message) + "$"):
        await registry.patch(K.ConfigMap, "ns", "x", "merge", {"metadata": {"finalizers": ["a.b/c", "a.b/e"]}})
    await registry.patch(K.ConfigMap, "ns", "x", "merge", {"metadata": {"finalizers": ["a.b/d"]}})
    last = await registry.patch(K.ConfigMap, "ns", "x", "merge", {"metadata": {"finalizers": None}})
    assert last.revision == registry.store.revision
    with pytest.raises(NotFound):
        await registry.get(K.ConfigMap, "ns", "x")


async def test_a_pod_in_its_grace_period_outlives_its_last_finalizer(registry):
    await registry.create(K.Pod, "ns", a_pod(node="n", finalizers=["a.b/c"]))
    await registry.delete(K.Pod, "ns", "x")
    await registry.patch(K.Pod, "ns", "x", "merge", {"metadata": {"finalizers": None}})
    assert (await registry.get(K.Pod, "ns", "x")).name == "x"
    assert (await registry.delete(K.Pod, "ns", "x", DeleteOptions(grace=0))).gone


PROPAGATION = {  # name: (finalizers before, wish, finalizers after; None when it is gone)
    "background is the default": ([], DeleteOptions(), None),
    "orphan": ([], DeleteOptions(propagation="Orphan"), ["orphan"]),
    "foreground": ([], DeleteOptions(propagation="Foreground"), ["foregroundDeletion"]),
    "the older orphanDependents": ([], DeleteOptions(orphan=True), ["orphan"]),
    "a finalizer that is there counts as a wish": (["orphan"], DeleteOptions(), ["orphan"]),
    "background takes an earlier wish back": (["foregroundDeletion"], DeleteOptions(propagation="Background"), None),
    "other finalizers stay": (["a.b/c"], DeleteOptions(propagation="Orphan"), ["a.b/c", "orphan"]),
}


@pytest.mark.parametrize("before, wish, after", PROPAGATION.values(), ids=PROPAGATION)
async def test_propagation(registry, before, wish, after):
    await registry.create(K.ConfigMap, "ns", a_config(finalizers=before))
    deleted = await registry.delete(K.ConfigMap, "ns", "x", wish)
    assert deleted.gone is (after is None)
    assert deleted.entry.object().metadata.finalizers == (after or [])


async def test_preconditions(registry):
    entry = await registry.create(K.ConfigMap, "ns", a_config())
    why = {
        "the UID in the precondition (u) does not match the UID in record": DeleteOptions(uid="u"),
        "the ResourceVersion in the precondition (9) does not match": DeleteOptions(resource_version="9"),
    }
    for message, wish in why.items():
        with pytest.raises(Conflict, match=re.escape(f'Operation cannot be fulfilled on ConfigMap "x": {message}')):
            await registry.delete(K.ConfigMap, "ns", "x", wish)
    wish = DeleteOptions(uid=entry.uid, resource_version=str(entry.revision))
    assert (await registry.delete(K.ConfigMap, "ns", "x", wish)).gone


async def test_a_namespace_ends_when_it_is_finalized(registry):
    await registry.create(K.Namespace, "", {"metadata": {"name": "n"}})
    deleted = await registry.delete(K.Namespace, "", "n")
    assert (deleted.gone, deleted.entry.object().status.phase) == (False, "Terminating")
    assert deleted.entry.object().metadata.deletionGracePeriodSeconds is None
    tree = deleted.entry.tree()
    tree["spec"]["finalizers"] = []
    await registry.update(K.Namespace, "", "n", tree, subresource="finalize")
    with pytest.raises(NotFound):
        await registry.get(K.Namespace, "", "n")


async def test_a_collection_goes_by_selection(registry):
    for name in "abc":
        await registry.create(K.ConfigMap, "ns", a_config(name, labels={"n": name}))
    await registry.create(K.ConfigMap, "other", a_config("a", labels={"n": "a"}))
    page = await registry.delete_collection(K.ConfigMap, "ns", labels="n in (a,b)")
    assert [entry.name for entry in page.entries] == ["a", "b"]
    left = await registry.list(K.ConfigMap)
    assert [(entry.namespace, entry.name) for entry in left.entries] == [("ns", "c"), ("other", "a")]


async def test_a_collection_goes_up_to_a_limit(registry):
    for name in "abc":
        await registry.create(K.ConfigMap, "ns", a_config(name))
    page = await registry.delete_collection(K.ConfigMap, "ns", limit=2)
    assert [entry.name for entry in page.entries] == ["a", "b"]
    assert [entry.name for entry in (await registry.list(K.ConfigMap, "ns")).entries] == ["c"]
