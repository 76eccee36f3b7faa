"""A process that is killed in the middle of its writes loses nothing that it acknowledged.

A child writes under load and tells of every acknowledged write, and of every event its watch sees, on a pipe. It is
killed at a random moment, fifty times over the same file; after each time the file is opened and compared.
"""

import asyncio
import os
import random
import signal
import struct
import zlib

import pytest

from knarr.store.sqlite import open_sqlite
from knarr.store.store import Mismatch

KILLS = 50
WRITERS = 8
ROUNDS = 5  # each with a file of its own
TOLD = struct.Struct("<cqq")  # what, revision, checksum of key and value


def checksum(key, value):
    return zlib.crc32(value, zlib.crc32(key.encode()))


async def load(path, seed, resume, pipe):
    """Write, delete and compact until killed."""
    store = await open_sqlite(path)

    def tell(what, revision, sum_):
        os.write(pipe, TOLD.pack(what, revision, sum_))

    async def follow():
        async for batch in store.watch(after=resume):
            for event in batch:
                tell(b"s", event.revision, checksum(event.key, event.value))

    async def write(number):
        rng = random.Random(seed * 100 + number)
        while True:
            key = f"/{rng.randrange(30)}"
            value = rng.randbytes(rng.choice([10, 100, 5000]))
            try:
                if rng.random() < 0.25:
                    tell(b"a", await store.delete(key), checksum(key, b""))
                else:
                    tell(b"a", await store.put(key, value), checksum(key, value))
            except Mismatch:
                continue

    async with asyncio.TaskGroup() as group:
        group.create_task(follow())
        for number in range(WRITERS):
            group.create_task(write(number))


def run_and_kill(path, seed, resume, amount):
    """What a child told before it was killed, after some `amount` of it: acknowledged and seen writes by revision."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            asyncio.run(load(path, seed, resume, writing))
        finally:
            os._exit(1)
    os.close(writing)
    told = b""
    while len(told) < amount * TOLD.size:
        part = os.read(reading, 65536)
        assert part, "the child ended by itself"
        told += part
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    while part := os.read(reading, 65536):
        told += part
    os.close(reading)
    told = told[: len(told) // TOLD.size * TOLD.size]
    acknowledged, seen = {}, {}
    for what, revision, sum_ in TOLD.iter_unpack(told):
        target = acknowledged if what == b"a" else seen
        assert revision not in target, f"revision {revision} was told twice"
        target[revision] = sum_
    return acknowledged, seen


async def examine(path, known, seen):
    """Compare the reopened file with what was told; return its whole history, by revision."""
    store = await open_sqlite(path)
    try:
        history = {}
        if store.revision:
            watch = store.watch(after=0)
            async for batch in watch:
                for event in batch:
                    assert event.revision > max(history, default=0)
                    history[event.revision] = event
                if batch[-1].revision == store.revision:
                    break
            await watch.aclose()
        sums = {revision: checksum(event.key, event.value) for revision, event in history.items()}
        assert known.items() <= sums.items(), "an acknowledged write is gone or changed"
        last = max(seen, default=0)
        assert seen == {revision: sum_ for revision, sum_ in sums.items() if revision <= last}, "a watch missed some"
        current = {}
        for event in history.values():
            before = current.get(event.key)
            assert (event.previous, event.previous_revision) == (before or (None, 0))
            if event.type == "put":
                current[event.key] = (event.value, event.revision)
            else:
                del current[event.key]
        revision, records = await store.range("")
        assert revision == max(history, default=0)
        assert {record.key: (record.value, record.revision) for record in records} == current
        return sums
    finally:
        await store.close()


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_every_acknowledged_write_survives_a_kill(tmp_path, round_):
    rng = random.Random(round_)
    path = tmp_path / "store.db"
    known, seen = {}, {}
    for kill in range(KILLS // ROUNDS):
        before, resume = max(known, default=0), max(seen, default=0)
        acknowledged, shown = run_and_kill(path, round_ * 1000 + kill, resume, rng.randrange(600))
        assert min(acknowledged, default=before + 1) > before, "a revision was used again"
        assert min(shown, default=resume + 1) > resume, "a resumed watch repeated an event"
        seen |= shown
        known = asyncio.run(examine(path, known | acknowledged, seen))
    assert len(known) > 100
