"""What one commit makes of its writes, whatever of their keys is remembered and whatever has to be read."""

import asyncio
import random
from pathlib import Path

import apsw
import pytest

from knarr.store import sql
from knarr.store.group import LARGE, Newest, Write, commit
from knarr.store.store import Mismatch

NOWHERE = Path("memory.db")
KEYS = [f"/{number}" for number in range(8)]


@pytest.fixture
def connection():
    connection = apsw.Connection(":memory:")
    connection.execute(sql.CREATE)
    yield connection
    connection.close()


def some_writes(rng, known):
    """Puts and deletes of a few keys, some of which expect what is not."""
    for key in rng.choices(KEYS, k=rng.randint(1, 4)):
        value = rng.choice((None, b"small", b"x" * (LARGE + 1)))
        yield Write(key, value, rng.choice((None, 0, known.get(key, 0))), asyncio.Future())


def expected(writes, known, revision):
    """The model: the revision of each write, or None where it is refused."""
    for write in writes:
        actual = known.get(write.key, 0)
        if write.expect not in (None, actual) or (write.value is None and not actual):
            yield None
            continue
        known[write.key] = 0 if write.value is None else revision
        yield revision
        revision += 1


@pytest.mark.parametrize("most", [0, 2, 100], ids=["nothing is remembered", "a little is", "all is"])
async def test_a_write_sees_what_was_written_before_it(connection, most):
    rng, newest, known, revision = random.Random(most), Newest(most), {}, 1
    for _ in range(300):
        writes = list(some_writes(rng, known))
        outcome = commit(connection, newest, writes, revision, NOWHERE)
        answers = dict(outcome.written) | {done: None for done, error in outcome.refused if isinstance(error, Mismatch)}
        assert [answers[write.done] for write in writes] == list(expected(writes, known, revision))
        revision += len(outcome.events)
    there = {key: at for key, _, at, _ in connection.execute(sql.heads(len(KEYS)), KEYS)}
    assert there == {key: at for key, at in known.items() if at}


async def test_what_a_failed_commit_would_have_written_is_not_remembered(connection):
    newest = Newest()
    commit(connection, newest, [Write("/a", b"1", None, asyncio.Future())], 1, NOWHERE)
    connection.set_commit_hook(lambda: True)
    failed = commit(connection, newest, [Write("/a", b"2", None, asyncio.Future())], 2, NOWHERE)
    assert len(failed.refused) == 1
    connection.set_commit_hook(None)
    (event,) = commit(connection, newest, [Write("/a", b"3", 1, asyncio.Future())], 3, NOWHERE).events
    assert (event.previous, event.previous_revision) == (b"1", 1)
