"""Every store driver keeps the promises of `knarr.store.store`."""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from knarr.store.memory import open_memory
from knarr.store.sqlite import open_sqlite
from knarr.store.store import Closed, Compacted, Event, Future, Mismatch, Record


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    made = await (open_memory() if request.param == "memory" else open_sqlite(tmp_path / "store.db"))
    yield made
    await made.close()


async def take(watch, count):
    """The next `count` events of a watch."""
    events = []
    async for batch in watch:
        events += batch
        if len(events) >= count:
            return events
    raise AssertionError("the watch ended")


@asynccontextmanager
async def watching(store, prefix="", *, after):
    watch = store.watch(prefix, after=after)
    try:
        yield watch
    finally:
        await watch.aclose()


async def test_a_value_is_read_back_with_the_revision_of_its_write(store):
    assert await store.put("/a", b"1") == 1
    assert await store.put("/a", b"2") == 2
    assert await store.get("/a") == Record("/a", b"2", 2, 1)
    assert store.revision == 2


async def test_a_key_that_was_never_written_is_none(store):
    assert await store.get("/a") is None


async def test_a_key_begins_a_new_life_after_its_delete(store):
    await store.put("/a", b"1")
    assert await store.delete("/a") == 2
    assert await store.get("/a") is None
    await store.put("/a", b"3")
    assert await store.get("/a") == Record("/a", b"3", 3, 3)


REFUSED = {
    "a create of what exists": ("put", "/a", 0, 1),
    "a write that expects an older revision": ("put", "/a", 7, 1),
    "a write that expects what is absent": ("put", "/b", 1, 0),
    "a delete of what is absent": ("delete", "/b", None, 0),
    "a delete that expects another revision": ("delete", "/a", 2, 1),
}


@pytest.mark.parametrize("verb, key, expect, actual", REFUSED.values(), ids=REFUSED)
async def test_mismatch(store, verb, key, expect, actual):
    await store.put("/a", b"1")
    write = store.put(key, b"2", expect=expect) if verb == "put" else store.delete(key, expect=expect)
    with pytest.raises(Mismatch) as refused:
        await write
    assert (refused.value.key, refused.value.expected, refused.value.actual) == (key, expect, actual)
    assert (await store.range(""))[1] == [Record("/a", b"1", 1, 1)]


async def test_of_many_that_expect_the_same_revision_one_wins(store):
    await store.put("/a", b"0")
    answers = await asyncio.gather(*(store.put("/a", b"%d" % n, expect=1) for n in range(20)), return_exceptions=True)
    winners = [n for n, answer in enumerate(answers) if isinstance(answer, int)]
    assert len(winners) == 1
    assert all(isinstance(a, Mismatch) for n, a in enumerate(answers) if n != winners[0])
    assert (await store.get("/a")).value == b"%d" % winners[0]


async def test_a_range_is_sorted_by_key_and_keeps_to_its_prefix(store):
    for key in ("/b/2", "/a/1", "/b/10", "/b", "/c", "/b/1", "/bb"):
        await store.put(key, key.encode())
    revision, records = await store.range("/b/")
    assert revision == store.revision == 7
    assert [record.key for record in records] == ["/b/1", "/b/10", "/b/2"]


async def test_pages_of_a_snapshot_do_not_see_later_writes(store):
    for name in "abcd":
        await store.put(f"/x/{name}", b"old")
    revision, first = await store.range("/x/", limit=2)
    await store.put("/x/c", b"new")
    await store.put("/x/bb", b"new")
    await store.delete("/x/d")
    _, second = await store.range("/x/", revision=revision, after=first[-1].key, limit=2)
    assert [(r.key, r.value, r.revision) for r in first + second] == [
        ("/x/a", b"old", 1),
        ("/x/b", b"old", 2),
        ("/x/c", b"old", 3),
        ("/x/d", b"old", 4),
    ]


async def test_a_key_as_of_a_revision(store):
    await store.put("/a", b"1")
    await store.put("/a", b"2")
    await store.delete("/a")
    await store.put("/a", b"4")
    seen = [await store.get("/a", revision=revision) for revision in (1, 2, 3, 4)]
    assert seen == [Record("/a", b"1", 1, 1), Record("/a", b"2", 2, 1), None, Record("/a", b"4", 4, 4)]


async def test_a_snapshot_of_the_future_is_refused(store):
    await store.put("/a", b"1")
    for read in (store.get("/a", revision=2), store.range("/", revision=2)):
        with pytest.raises(Future):
            await read


EVENTS = [
    Event("put", "/a", b"1", 1, 1, None, 0),
    Event("put", "/a", b"2", 2, 1, b"1", 1),
    Event("delete", "/a", b"", 3, 1, b"2", 2),
    Event("put", "/a", b"4", 4, 4, None, 0),
]


async def write_events(store):
    await store.put("/a", b"1")
    await store.put("/a", b"2")
    await store.delete("/a")
    await store.put("/a", b"4")


@pytest.mark.parametrize("after", range(4))
async def test_a_watch_begins_after_its_revision(store, after):
    await write_events(store)
    async with watching(store, after=after) as watch:
        assert await take(watch, 4 - after) == EVENTS[after:]


async def test_a_watch_sees_what_is_written_while_it_waits(store):
    async with watching(store, "/b", after=0) as watch:
        waiting = asyncio.create_task(take(watch, 2))
        await store.put("/a", b"1")
        await store.put("/b", b"2")
        await store.put("/b", b"3")
        assert [event.value for event in await waiting] == [b"2", b"3"]


async def test_history_tells_a_keys_events(store):
    await write_events(store)
    await store.put("/b", b"5")
    assert await store.history("/a") == EVENTS
    assert await store.history("/a", limit=2) == EVENTS[:2]
    assert await store.history("/a", after=EVENTS[1].revision, limit=1) == EVENTS[2:3]
    with pytest.raises(Future):
        await store.history("/a", after=99)


async def test_compaction_forgets_history_and_keeps_values(store):
    await write_events(store)
    await store.put("/b", b"5")
    await store.delete("/b")
    await store.compact(4)
    assert store.compacted == 4
    assert (await store.range("/")) == (6, [Record("/a", b"4", 4, 4)])
    assert [record.key for record in (await store.range("/", revision=5))[1]] == ["/a", "/b"]
    assert await store.get("/a", revision=4) == Record("/a", b"4", 4, 4)
    assert [event.revision for event in await store.history("/b")] == [5, 6]
    with pytest.raises(Compacted):
        await store.history("/b", after=3)
    for read in (store.get("/a", revision=3), store.range("/", revision=3)):
        with pytest.raises(Compacted):
            await read
    async with watching(store, after=3) as watch:
        with pytest.raises(Compacted) as gone:
            await take(watch, 1)
    assert gone.value.revision == 4
    async with watching(store, after=4) as watch:
        assert [event.revision for event in await take(watch, 2)] == [5, 6]


async def test_a_write_is_seen_by_a_waiting_watch_before_it_is_acknowledged(store):
    order = []

    async def follow():
        async for batch in store.watch(after=0):
            order.extend(f"seen {event.revision}" for event in batch)

    follower = asyncio.create_task(follow())
    await asyncio.sleep(0)
    write = asyncio.create_task(store.put("/a", b"1"))
    write.add_done_callback(lambda _: order.append("acknowledged"))
    await write
    await asyncio.sleep(0)
    follower.cancel()
    assert order == ["seen 1", "acknowledged"]


async def test_a_closed_store_ends_watches_and_refuses_everything(store):
    watch = store.watch(after=0)
    waiting = asyncio.create_task(take(watch, 1))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(Closed):
        await waiting
    for act in (store.put("/a", b""), store.get("/a"), store.range("/"), store.delete("/a"), store.history("/a")):
        with pytest.raises(Closed):
            await act
    await store.close()


class Naive:
    """What a store should do, as plainly as possible: every state it ever had."""

    def __init__(self):
        self.states = [{}]
        self.events = []

    def put(self, key, value):
        state = dict(self.states[-1])
        revision = len(self.states)
        old = state.get(key)
        state[key] = Record(key, value, revision, old.created if old else revision)
        self._add(state, Event("put", key, value, revision, state[key].created, *self._before(old)))

    def delete(self, key):
        state = dict(self.states[-1])
        old = state.pop(key)
        self._add(state, Event("delete", key, b"", len(self.states), old.created, *self._before(old)))

    def _before(self, old):
        return (old.value, old.revision) if old else (None, 0)

    def _add(self, state, event):
        self.states.append(state)
        self.events.append(event)

    def range(self, prefix, revision, after, limit):
        state = self.states[revision]
        records = [state[key] for key in sorted(state) if key.startswith(prefix) and key > after]
        return records[:limit] if limit else records


@pytest.mark.parametrize("seed", range(4))
async def test_a_random_workload_agrees_with_a_naive_model(store, seed):
    rng = random.Random(seed)
    model = Naive()
    keys = [f"/{a}/{b}" for a in ("x", "y", "é") for b in ("1", "2", "10", "ü")]
    compacted = 0
    for step in range(400):
        key = rng.choice(keys)
        exists = key in model.states[-1]
        if exists and rng.random() < 0.3:
            await store.delete(key, expect=rng.choice([None, model.states[-1][key].revision]))
            model.delete(key)
        else:
            current = model.states[-1][key].revision if exists else 0
            await store.put(key, b"%d" % step, expect=rng.choice([None, current]))
            model.put(key, b"%d" % step)
        assert store.revision == len(model.states) - 1
        if step % 100 == 99:
            compacted = rng.randint(compacted, store.revision)
            await store.compact(compacted)
        await compare(store, model, rng, keys, compacted)


async def compare(store, model, rng, keys, compacted):
    revision = rng.randint(max(compacted, 1), store.revision)
    prefix = rng.choice(["", "/x", "/x/1", "/é/", "/z"])
    after = rng.choice(["", *keys])
    limit = rng.choice([0, 1, 3])
    assert await store.range(prefix, revision=revision, after=after, limit=limit) == (
        revision,
        model.range(prefix, revision, after, limit),
    )
    assert await store.range(prefix, after=after, limit=limit) == (
        store.revision,
        model.range(prefix, store.revision, after, limit),
    )
    key = rng.choice(keys)
    assert await store.get(key, revision=revision) == model.states[revision].get(key)
    assert await store.history(key) == [e for e in model.events if e.key == key and e.revision > compacted]
    start = rng.randint(compacted, store.revision - 1) if store.revision > compacted else None
    if start is not None:
        async with watching(store, after=start) as watch:
            assert await take(watch, store.revision - start) == model.events[start:]
