import asyncio

import pytest

from knarr.meta import clock
from knarr.testing.virtual_time import Stuck, run, wait_until


def test_hours_pass_in_no_time_and_in_order():
    async def main():
        woken = []

        async def sleeper(hours):
            await asyncio.sleep(hours * 3600)
            woken.append((hours, clock.timestamp()))

        await asyncio.gather(sleeper(5), sleeper(1), sleeper(3))
        return woken

    assert run(main()) == [
        (1, "2026-01-01T01:00:00Z"),
        (3, "2026-01-01T03:00:00Z"),
        (5, "2026-01-01T05:00:00Z"),
    ]


def test_the_same_seed_makes_the_same_choices():
    async def main():
        return [clock.uid(), clock.suffix(), clock.rng().random()]

    assert run(main(), seed=7) == run(main(), seed=7)
    assert run(main(), seed=7) != run(main(), seed=8)


def test_the_clock_before_is_back_afterwards():
    async def main():
        return clock.unix()

    before = clock.unix()
    assert run(main()) < before
    assert clock.unix() >= before


def test_a_time_out_comes_at_its_time():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run(main()) == 30


def test_work_in_a_thread_takes_no_virtual_time():
    async def main():
        late = asyncio.create_task(asyncio.sleep(1))
        total = await asyncio.to_thread(sum, range(1000))
        assert not late.done()
        await late
        return total

    assert run(main()) == 499500


def test_waiting_for_what_never_comes_is_said():
    async def main():
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        run(main())


def test_a_condition_is_awaited_or_given_up():
    async def main():
        loop = asyncio.get_running_loop()
        await wait_until(lambda: loop.time() > 5)
        with pytest.raises(TimeoutError, match="not so within 3"):
            await wait_until(lambda: False, timeout=3)

    run(main())


@pytest.mark.parametrize("days", [194, 195, 4000, 40_000])
def test_the_clock_goes_on_however_late_it_is(days):
    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(days * 86400)
        for _ in range(100):
            await asyncio.sleep(0.1)
        return loop.time() - days * 86400

    assert run(main()) == pytest.approx(10, abs=0.01)
