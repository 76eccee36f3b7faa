"""Who is to blame when things that are loaded together are refused, and when they are tried again."""

import asyncio

import pytest

from knarr.net.refusals import FIRST, LONGEST, UNTRIED, Refusals, fitting
from knarr.testing import virtual_time

BLAMED = {
    "nobody": (8, set(), {}),
    "one of many": (1000, {371}, {371: "no"}),
    "a few": (100, {0, 50, 99}, dict.fromkeys((0, 50, 99), "no")),
    "all": (4, {0, 1, 2, 3}, dict.fromkeys(range(4), "no")),
    "none of nothing": (0, set(), {}),
}


@pytest.mark.parametrize("count, bad, refused", BLAMED.values(), ids=BLAMED)
async def test_fitting(count, bad, refused):
    asked = []

    async def accepts(group):
        asked.append(group)
        return "no" if bad & set(group) else ""

    kept, found = await fitting(range(count), accepts)
    assert (sorted(kept), found) == (sorted(set(range(count)) - bad), refused)
    assert len(asked) < 25 * (len(bad) + 1)


async def test_two_that_do_not_go_together_lose_one():
    async def accepts(group):
        return "no" if {2, 5} <= set(group) else ""

    kept, refused = await fitting(range(8), accepts)
    assert (len(kept), refused) == (7, {5: "no"})


async def test_what_is_not_asked_about_in_time_waits():
    async def accepts(group):
        return "no"

    kept, refused = await fitting(range(64), accepts, most=10)
    assert (kept, len(refused), UNTRIED in refused.values()) == ([], 64, True)


def test_what_was_refused_waits_longer_each_time_unless_it_is_another():
    async def main():
        refusals = Refusals()
        waits = []
        for _ in range(9):
            refusals.note("a", "thing", "no")
            began = asyncio.get_running_loop().time()
            while refusals.holds("a", "thing"):
                assert refusals.due() == {}
                await asyncio.sleep(1)
            waits.append(asyncio.get_running_loop().time() - began)
        assert (waits[0], waits[1], waits[-1]) == (FIRST, 2 * FIRST, LONGEST)
        assert refusals.due() == {"a": "thing"}
        refusals.note("a", "thing", "no")
        assert not refusals.holds("a", "another thing")
        assert "a" not in refusals

    virtual_time.run(main())
