import asyncio

import pytest

from knarr.client.transport import Request, Response
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from knarr.testing.notice import on_virtual_time


@pytest.mark.parametrize("before", ["", '299 - "old"'])
def test_every_answer_tells_that_time_is_virtual_and_which(before):
    async def main():
        async def handle(request):
            return Response(200, {"warning": before} if before else {})

        await asyncio.sleep(3600)
        answer = await on_virtual_time(handle)(Request("GET", "/version"))
        return answer.headers["warning"].splitlines()

    *first, last = virtual_time.run(main())
    assert first == ([before] if before else [])
    assert last.startswith('299 - "this cluster runs on virtual time: it is 2026-01-01T01:00:00Z there')


def test_a_seed_without_virtual_time_is_refused():
    with pytest.raises(ValueError, match="seed 7: chance follows a seed on virtual time only"):
        Cluster([], seed=7)


def test_virtual_time_on_a_real_loop_is_refused():
    async def main():
        async with Cluster([], virtual_time=True):
            pass

    with pytest.raises(RuntimeError, match="on a loop of real time"):
        asyncio.run(main())


def test_real_time_cannot_be_moved():
    async def main():
        async with Cluster([]) as cluster:
            with pytest.raises(RuntimeError, match="real time can neither be moved nor copied"):
                await cluster.advance(hours=1)

    asyncio.run(main())


def test_time_moves_by_exactly_so_much_and_all_that_is_due_happens():
    async def main():
        loop, happened = asyncio.get_running_loop(), []

        async def after(seconds):
            await asyncio.sleep(seconds)
            for _ in range(5):
                await asyncio.sleep(0)
            happened.append(seconds)

        async with Cluster([]) as cluster:
            began = loop.time()
            tasks = [asyncio.create_task(after(seconds)) for seconds in (60, 3600, 10800, 10801)]
            await cluster.advance(hours=3)
            assert (loop.time() - began, happened) == (10800, [60, 3600, 10800])
            await asyncio.gather(*tasks)
            with pytest.raises(ValueError, match="forward only"):
                await cluster.advance(seconds=-1)

    virtual_time.run(main())


def test_the_same_seed_gives_the_same_names_without_a_loop_of_ones_own():
    async def main():
        async with Cluster([], virtual_time=True, seed=7) as cluster:
            return [(await cluster.registry.store.get("/registry/core/namespaces/default")).value, cluster.seed]

    assert virtual_time.run(main(), seed=1) == virtual_time.run(main(), seed=2)
