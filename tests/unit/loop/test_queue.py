import asyncio

from knarr.loop.queue import WorkQueue
from knarr.testing.virtual_time import run


def story(main):
    """Run a coroutine function over a queue on virtual time."""
    return run(main(WorkQueue()))


async def drained(queue):
    keys = []
    while len(queue):
        keys.append(await queue.get())
        queue.done(keys[-1])
    return keys


def test_a_key_is_queued_once_however_often_it_is_added():
    async def main(queue):
        for key in ("a", "b", "a", "a"):
            queue.add(key)
        assert await drained(queue) == ["a", "b"]

    story(main)


def test_a_key_added_while_worked_on_comes_again_when_done():
    async def main(queue):
        queue.add("a")
        key = await queue.get()
        queue.add("a")
        queue.add("a")
        assert len(queue) == 0
        queue.done(key)
        assert await drained(queue) == ["a"]
        assert queue.idle

    story(main)


def test_a_worker_waits_for_the_next_key():
    async def main(queue):
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(1)
        queue.add("a")
        assert await waiting == "a"

    story(main)


def test_many_workers_each_get_a_key():
    async def main(queue):
        workers = [asyncio.create_task(queue.get()) for _ in range(3)]
        await asyncio.sleep(1)
        for key in "abc":
            queue.add(key)
        assert sorted(await asyncio.gather(*workers)) == ["a", "b", "c"]

    story(main)


def test_failures_wait_twice_as_long_each_time_up_to_the_longest():
    async def main(queue):
        delays = [queue.retry("a") for _ in range(20)]
        assert delays[:3] == [0.005, 0.01, 0.02]
        assert delays[-1] == 1000
        queue.forget("a")
        assert queue.retry("a") == 0.005

    story(main)


def test_of_two_later_times_the_earlier_counts():
    async def main(queue):
        loop = asyncio.get_running_loop()
        queue.add_after("a", 60)
        queue.add_after("a", 5)
        queue.add_after("a", 30)
        assert await queue.get() == "a"
        assert loop.time() == 5
        queue.done("a")
        await asyncio.sleep(120)
        assert len(queue) == 0

    story(main)


def test_no_time_at_all_is_now():
    async def main(queue):
        queue.add_after("a", 0)
        queue.add_after("b", -1)
        assert await drained(queue) == ["a", "b"]

    story(main)


def test_a_closed_queue_wakes_nobody_later():
    async def main(queue):
        queue.add_after("a", 5)
        queue.close()
        await asyncio.sleep(10)
        assert len(queue) == 0

    story(main)


def test_a_key_that_took_long_rests_before_it_comes_again():
    async def main(queue):
        loop = asyncio.get_running_loop()
        queue.add("a")
        key = await queue.get()
        await asyncio.sleep(0.02)
        queue.add("a")
        queue.done(key)
        done = loop.time()
        queue.add("b")
        assert await queue.get() == "b"
        assert not queue.idle
        assert await queue.get() == "a"
        assert round(loop.time() - done, 3) == 0.08

    story(main)


def test_a_key_that_is_wanted_only_after_its_rest_comes_at_once():
    async def main(queue):
        loop = asyncio.get_running_loop()
        queue.add("a")
        key = await queue.get()
        await asyncio.sleep(5)
        queue.done(key)
        assert queue.idle
        await asyncio.sleep(0.1)
        queue.add("a")
        asked = loop.time()
        assert await queue.get() == "a"
        assert loop.time() == asked

    story(main)
