"""What the registry forgets by itself."""

import asyncio

from knarr.kinds.table import BUILTIN
from knarr.registry import forgetting
from knarr.registry.registry import Registry
from knarr.store.store import Failed
from tests.unit.registry.conftest import K, a_config


def an_event(name):
    return {"metadata": {"name": name}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "ns"}}


async def test_events_go_when_they_were_not_written_for_long(registry):
    await registry.create(K.ConfigMap, "ns", a_config())
    await registry.create(K.Event, "ns", an_event("old"))
    await registry.create(K.Event, "ns", an_event("renewed"))
    revision = registry.revision
    await registry.patch(K.Event, "ns", "renewed", "merge", {"count": 2})
    await forgetting.expire_events(registry, revision)
    assert [entry.name for entry in (await registry.list(K.Event)).entries] == ["renewed"]
    assert len((await registry.list(K.ConfigMap)).entries) == 1


async def test_history_is_compacted_and_events_expire_as_time_goes_by(store, monkeypatch):
    monkeypatch.setattr(forgetting, "TICK", 0.001)
    monkeypatch.setattr(forgetting, "EVENT_TICKS", 2)
    registry = Registry(store, BUILTIN)
    await registry.start()
    await registry.create(K.ConfigMap, "ns", a_config())
    await registry.create(K.Event, "ns", an_event("e"))
    watch = registry.watch(K.Event, initial_events=False)
    async with asyncio.timeout(60):
        assert [item.type for item in await watch.batch()] == ["DELETED"]
    watch.close()
    assert store.compacted >= 2
    assert len((await registry.list(K.ConfigMap)).entries) == 1
    await registry.stop()


async def test_a_store_that_can_not_forget_is_asked_again(store, monkeypatch, caplog):
    compact, answers = store.compact, [Failed("the disk is full")]

    async def failing(revision):
        if answers:
            raise answers.pop()
        await compact(revision)

    monkeypatch.setattr(forgetting, "TICK", 0.001)
    monkeypatch.setattr(forgetting, "EVENT_TICKS", 2)
    monkeypatch.setattr(store, "compact", failing)
    registry = Registry(store, BUILTIN)
    await registry.start()
    await registry.create(K.Event, "ns", an_event("e"))
    watch = registry.watch(K.Event, initial_events=False)
    async with asyncio.timeout(60):
        assert [item.type for item in await watch.batch()] == ["DELETED"]
    assert "the disk is full" in caplog.text
    watch.close()
    await registry.stop()
