from pathlib import Path

import pytest

from knarr.app import snapshots
from knarr.app.config import Cluster, ConfigError
from knarr.client.api import Api
from knarr.client.transport import InProcess
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.core_v1 import ConfigMap, Namespace
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta.errors import Conflict, Expired
from knarr.registry.registry import Registry
from knarr.server.server import build
from knarr.store.sqlite import open_sqlite


@pytest.fixture
def cluster(tmp_path):
    return Cluster(name="c", data_dir=tmp_path)


async def on_api(cluster, act):
    """Open the cluster's store, let something be done through its API, and close it."""
    store = await open_sqlite(cluster.data_dir / "store.db")
    registry = Registry(store, BUILTIN)
    await registry.start()
    try:
        return await act(Api(InProcess(build(registry).handle), BUILTIN, user_agent="test"))
    finally:
        await registry.stop()
        await store.close()


def settings(**data):
    return ConfigMap(metadata=ObjectMeta(name="m", namespace="default"), data=data)


async def begin(api):
    await api.create(Namespace(metadata=ObjectMeta(name="default")))
    return await api.create(settings(a="1"))


async def go_on(api):
    changed = await api.patch(ConfigMap, "m", "default", {"data": {"a": "2"}})
    return changed, (await api.list(ConfigMap, "default")).resource_version


async def test_who_saw_what_came_after_a_snapshot_is_told_that_it_is_gone(cluster):
    saved = await on_api(cluster, begin)
    snapshots.save(cluster, "before")
    changed, seen = await on_api(cluster, go_on)
    assert snapshots.load(cluster, "before") > int(seen)

    async def look(api):
        with pytest.raises(Expired, match="too old resource version"):
            async for _ in api.watch(ConfigMap, "default", resource_version=seen):
                pass
        with pytest.raises(Conflict):
            await api.update(changed)
        assert await api.get(ConfigMap, "m", "default") == saved
        listed = await api.list(ConfigMap, "default")
        written = await api.update(saved)
        return int(listed.resource_version), int(written.metadata.resourceVersion)

    listed, written = await on_api(cluster, look)
    assert int(seen) < listed < written


async def test_snapshots_are_listed_with_what_they_are_of_until_they_are_deleted(cluster):
    await on_api(cluster, begin)
    for name in ("one", "two"):
        snapshots.save(cluster, name)
    assert [(each.name, each.copy.revision) for each in snapshots.known(cluster)] == [("one", 2), ("two", 2)]
    snapshots.remove(cluster, "one")
    assert [each.name for each in snapshots.known(cluster)] == ["two"]


BAD_NAMES = ["", "..", "a/b", "-a", "A", "a" * 64]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_cannot_leave_the_folder(cluster, name):
    for act in (snapshots.save, snapshots.load, snapshots.remove):
        with pytest.raises(ConfigError, match="snapshot name"):
            act(cluster, name)


def test_what_cannot_be_is_said(cluster):
    with pytest.raises(ConfigError, match=r"has no snapshot 'x' \(known: none\)"):
        snapshots.load(cluster, "x")
    with pytest.raises(ConfigError, match="keeps its state in memory"):
        snapshots.save(Cluster(name="m", data_dir=Path("/nonexistent"), store="memory"), "x")
    with pytest.raises(ConfigError, match="no such file"):
        snapshots.save(cluster, "x")


async def test_a_name_is_given_once(cluster):
    await on_api(cluster, begin)
    snapshots.save(cluster, "x")
    with pytest.raises(ConfigError, match="has a snapshot 'x' already"):
        snapshots.save(cluster, "x")


async def test_a_damaged_snapshot_changes_nothing(cluster):
    await on_api(cluster, begin)
    snapshots.save(cluster, "x")
    snapshots.path(cluster, "x").write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigError, match="snapshot 'x' of cluster 'c'"):
        snapshots.load(cluster, "x")
    assert await on_api(cluster, lambda api: api.get(ConfigMap, "m", "default"))
