"""What only the SQLite store has: a file that can be wrong, taken, full of history, or refuse a commit."""

import asyncio
from pathlib import Path

import apsw
import pytest

from knarr.store import sql
from knarr.store.sqlite import open_sqlite
from knarr.store.store import Corrupt, Failed, InUse, StoreError, TooNew


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


async def filled(path: Path) -> None:
    store = await open_sqlite(path)
    await asyncio.gather(*(store.put(f"/{n}", b"x" * 5000) for n in range(200)))
    await store.close()


async def test_what_was_written_is_there_after_a_restart_and_revisions_go_on(path):
    store = await open_sqlite(path)
    await store.put("/a", b"1")
    await store.put("/b", b"2")
    await store.delete("/b")
    await store.close()
    store = await open_sqlite(path)
    assert store.revision == 3
    assert [(r.key, r.value) for r in (await store.range(""))[1]] == [("/a", b"1")]
    assert await store.put("/c", b"4") == 4
    await store.close()


async def test_nobody_else_may_read_what_is_stored(path):
    store = await open_sqlite(path)
    await store.put("/a", b"secret")
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == dict.fromkeys(
        ("store.db", "store.db-wal", "store.db-shm", "store.db.lock"), "0o600"
    )
    await store.close()


async def test_a_revision_is_not_used_again_when_compaction_has_swept_the_last_write(path):
    store = await open_sqlite(path)
    await store.put("/a", b"1")
    await store.delete("/a")
    await store.compact(2)
    await store.close()
    store = await open_sqlite(path)
    assert (store.revision, store.compacted) == (2, 2)
    assert await store.put("/a", b"3") == 3
    await store.close()


async def test_a_commit_that_fails_is_refused_whole_and_its_revision_is_not_used_again(path):
    store = await open_sqlite(path)
    await store.put("/a", b"1")
    store._writer.set_commit_hook(lambda: True)
    answers = await asyncio.gather(store.put("/a", b"2"), store.put("/b", b"2"), return_exceptions=True)
    assert all(isinstance(answer, StoreError) for answer in answers)
    store._writer.set_commit_hook(None)
    assert [r.key for r in (await store.range(""))[1]] == ["/a"]
    assert store.revision == 1
    assert await store.put("/b", b"3") > 2
    assert [event.value for event in await store.history("/a")] == [b"1"]
    await store.close()


async def test_writes_that_arrive_during_a_commit_share_the_next_one(path):
    store = await open_sqlite(path)
    commits = []
    store._writer.set_commit_hook(lambda: bool(commits.append(1)))
    revisions = await asyncio.gather(*(store.put(f"/{n}", b"") for n in range(100)))
    assert sorted(revisions) == list(range(1, 101))
    assert len(commits) < 20
    await store.close()


async def test_the_writes_of_one_turn_of_the_loop_share_a_commit(path):
    store = await open_sqlite(path)
    commits = []
    store._writer.set_commit_hook(lambda: bool(commits.append(1)))
    revisions = await asyncio.gather(*(store.put(f"/k{number}", b"v") for number in range(20)))
    assert (revisions, len(commits)) == (list(range(1, 21)), 1)
    await store.close()


async def test_a_second_opening_is_told_that_the_store_is_in_use(path):
    store = await open_sqlite(path)
    with pytest.raises(InUse, match="in use by another process"):
        await open_sqlite(path)
    await store.close()
    await (await open_sqlite(path)).close()


async def test_a_newer_format_is_refused_and_left_alone(path):
    await filled(path)
    with apsw.Connection(str(path)) as connection:
        connection.execute(f"PRAGMA user_version={sql.SCHEMA + 1}")
    with pytest.raises(TooNew, match="written by a newer knarr"):
        await open_sqlite(path)


def scribble(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 20)


def foreign(path: Path) -> None:
    path.unlink()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE other (x)")
    connection.close()


DAMAGE = {
    "text": lambda path: path.write_bytes(b"this is not a database, not at all\n" * 200),
    "overwritten pages": scribble,
    "another program's database": foreign,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
async def test_a_damaged_file_is_refused_and_can_be_tried_again(path, damage):
    await filled(path)
    damage(path)
    for _ in range(2):
        with pytest.raises(Corrupt, match=r"knarr store|damaged"):
            await open_sqlite(path)


async def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(Failed, match="No such file or directory"):
        await open_sqlite(tmp_path / "missing" / "store.db")


async def test_compaction_gives_space_back(path):
    store = await open_sqlite(path)
    for _ in range(20):
        await asyncio.gather(*(store.put(f"/{n}", b"x" * 5000) for n in range(100)))
    await store.close()
    before = path.stat().st_size
    store = await open_sqlite(path)
    await store.compact(store.revision)
    assert len((await store.range(""))[1]) == 100
    await store.close()
    assert path.stat().st_size < before / 5


async def test_a_watch_far_in_the_past_reads_from_the_file_and_goes_on_live(path, monkeypatch):
    monkeypatch.setattr("knarr.store.sqlite.HELD", 5)
    store = await open_sqlite(path)
    for n in range(50):
        await store.put("/a", b"%d" % n)
    seen = []
    watch = store.watch(after=0)
    async for batch in watch:
        seen += [event.revision for event in batch]
        if seen[-1] == 50:
            await store.put("/a", b"last")
        elif seen[-1] > 50:
            break
    await watch.aclose()
    assert seen == list(range(1, 52))
    await store.close()


async def test_closing_finishes_the_writes_under_way(path):
    store = await open_sqlite(path)
    writes = [asyncio.create_task(store.put(f"/{n}", b"")) for n in range(10)]
    await asyncio.sleep(0)
    await store.close()
    assert sorted(await asyncio.gather(*writes)) == list(range(1, 11))
