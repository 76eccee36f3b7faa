"""What controllers wait for, by the last pass over each key."""

import asyncio

from knarr.loop import waits
from knarr.loop.steps import Wait
from knarr.loop.waits import Waits

DB, WEB = ("default", "db"), ("shop", "web")


def test_a_pass_replaces_what_the_last_one_waited_for():
    known = Waits()
    with known.of_pass("statefulset", DB):
        waits.add(Wait("db-0", "not ready"))
        waits.add(Wait("db-1", "not there"))
    with known.of_pass("deployment", WEB):
        waits.add(Wait("web-1", "too young"))
    assert known.lines() == [
        "statefulset db: wait for db-0: not ready",
        "statefulset db: wait for db-1: not there",
        "deployment web: wait for web-1: too young",
    ]
    with known.of_pass("statefulset", DB):
        waits.add(Wait("db-1", "not ready"))
    assert known.lines("default") == ["statefulset db: wait for db-1: not ready"]
    with known.of_pass("statefulset", DB):
        pass
    assert known.lines("default") == []


def test_waits_are_found_by_whose_they_are_and_by_what_they_are_about():
    known = Waits()
    with known.of_pass("statefulset", DB):
        waits.add(Wait("db-0", "not ready"))
    assert known.lines("default", "db") == known.lines("default", "db-0") != []
    assert known.lines("default", "web") == []


def test_a_wait_outside_a_pass_is_nobodys():
    waits.add(Wait("db-0", "not ready"))


async def test_passes_beside_each_other_keep_theirs_apart():
    known = Waits()

    async def one(name):
        with known.of_pass("statefulset", ("default", name)):
            await asyncio.sleep(0)
            waits.add(Wait(f"{name}-0", "not ready"))

    await asyncio.gather(one("a"), one("b"))
    assert known.lines() == ["statefulset a: wait for a-0: not ready", "statefulset b: wait for b-0: not ready"]
