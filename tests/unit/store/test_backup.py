import asyncio

import pytest

from knarr.store import backup
from knarr.store.sqlite import open_sqlite
from knarr.store.store import Compacted, Corrupt, Failed, InUse


@pytest.fixture
def places(tmp_path):
    return tmp_path / "store.db", tmp_path / "copy.db"


async def test_a_copy_holds_what_was_written_before_and_nothing_after(places):
    path, copy = places
    store = await open_sqlite(path)
    for number in range(50):
        await store.put(f"/k{number}", b"old")
    writing = asyncio.gather(*(store.put(f"/k{number}", b"new") for number in range(50)))
    revision = await store.backup(copy)
    await writing
    await store.close()
    copied = await open_sqlite(copy)
    assert (copied.revision, len(await copied.history("/k0"))) == (revision, 1 + (revision > 50))
    _, records = await copied.range("/")
    assert len(records) == 50
    assert sum(record.value == b"new" for record in records) == revision - 50
    await copied.close()


async def test_what_is_put_back_has_a_greater_revision_and_no_history(places):
    path, copy = places
    store = await open_sqlite(path)
    await store.put("/a", b"1")
    await store.backup(copy)
    for value in (b"2", b"3"):
        await store.put("/a", value)
    seen = await store.put("/b", b"later")
    await store.close()
    assert backup.load(copy, path) == seen + 1
    store = await open_sqlite(path)
    assert store.revision == store.compacted == seen + 1
    record = await store.get("/a")
    assert (record.value, record.revision, await store.get("/b")) == (b"1", 1, None)
    with pytest.raises(Compacted):
        await anext(aiter(store.watch("", after=seen)))
    with pytest.raises(Compacted):
        await store.range("/", revision=seen)
    assert await store.put("/a", b"4", expect=1) == seen + 2
    await store.compact(seen + 2)
    assert [record.value for record in (await store.range("/"))[1]] == [b"4"]
    await store.close()


async def test_a_store_in_use_is_not_replaced(places):
    path, copy = places
    store = await open_sqlite(path)
    await store.put("/a", b"1")
    await store.backup(copy)
    with pytest.raises(InUse):
        backup.load(copy, path)
    assert (await store.get("/a")).value == b"1"
    await store.close()


async def test_a_copy_is_nobody_elses_and_never_overwritten(places):
    path, copy = places
    store = await open_sqlite(path)
    await store.put("/a", b"1")
    await store.backup(copy)
    with pytest.raises(Failed, match="is there already"):
        await store.backup(copy)
    await store.close()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in path.parent.iterdir()) == ["copy.db", "store.db", "store.db.lock"]


def test_what_is_no_copy_is_refused_and_changes_nothing(places):
    path, copy = places
    copy.write_bytes(b"no database at all" * 100)
    path.write_bytes(b"untouched")
    with pytest.raises(Corrupt):
        backup.load(copy, path)
    with pytest.raises(Failed, match="no such file"):
        backup.load(copy.with_name("none"), path)
    assert path.read_bytes() == b"untouched"


async def test_a_copy_can_be_loaded_where_there_is_no_store(places):
    path, copy = places
    store = await open_sqlite(path)
    await store.put("/a", b"1")
    await store.backup(copy)
    await store.close()
    path.unlink()
    assert backup.load(copy, path) == 2
    assert backup.look(copy).revision == 1
