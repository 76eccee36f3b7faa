import asyncio

from knarr.loop.backoff import Backoff
from knarr.testing.virtual_time import run


def waits(failures, *, pause=None):
    """The wait after each of so many failures, `pause` seconds apart or as soon as each may be tried."""

    async def main():
        backoff, found = Backoff(1, 10), []
        for _ in range(failures):
            backoff.failed("k")
            found.append(backoff.left("k"))
            await asyncio.sleep(found[-1] if pause is None else pause)
        return found

    return run(main())


def test_a_wait_doubles_up_to_the_longest():
    assert waits(6) == [1, 2, 4, 8, 10, 10]


def test_after_twice_the_longest_wait_it_begins_anew():
    assert waits(3, pause=20.5) == [1, 1, 1]
    assert waits(3, pause=19.5) == [1, 2, 4]


def test_a_key_that_never_failed_may_be_tried():
    async def main():
        assert Backoff(1, 10).left("k") == 0

    run(main())


def test_keys_do_not_know_of_each_other_and_are_forgotten():
    async def main():
        backoff = Backoff(1, 10)
        backoff.failed("a")
        assert (backoff.left("a"), backoff.left("b")) == (1, 0)
        backoff.forget("a")
        assert backoff.left("a") == 0

    run(main())


def test_a_sweep_keeps_what_failed_lately():
    async def main():
        backoff = Backoff(1, 10)
        backoff.failed("old")
        await asyncio.sleep(15)
        backoff.failed("new")
        await asyncio.sleep(6)
        backoff.sweep()
        backoff.failed("old")
        backoff.failed("new")
        return backoff.left("old"), backoff.left("new")

    assert run(main()) == (1, 2)
