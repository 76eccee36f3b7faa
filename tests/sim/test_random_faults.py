"""Each fault that a schedule may name befalls the component that it names, in the way that is promised."""

import asyncio
import json
from contextlib import aclosing

import pytest

from knarr.client.transport import Request, TransportError
from knarr.kinds.types.core_v1 import Event, Node, Pod
from knarr.meta.errors import NotFound
from knarr.testing.sim.arena import Arena
from knarr.testing.sim.schedule import FAULTS, parse_line
from knarr.testing.virtual_time import run, wait_until
from knarr.testing.workloads.draw import draw
from knarr.testing.workloads.operations import OPERATIONS

MAPS = "/api/v1/namespaces/default/configmaps"
SET = "0 create replicaset/web replicas=1"


def elapsed(since):
    return asyncio.get_running_loop().time() - since


async def do(arena, line):
    await arena.do(parse_line(line, {**FAULTS, **OPERATIONS}))


async def make(arena, name="m"):
    """Have the replicaset's process write a ConfigMap: what became of it, how long that took, whether it is there."""
    began = asyncio.get_running_loop().time()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    request = Request("POST", MAPS, [], {"accept": "application/json", "content-type": "application/json"})
    request.body = json.dumps(body).encode()
    try:
        said = (await arena.components["replicaset"].link.send(request)).status
    except TransportError as error:
        said = str(error)
    took = elapsed(began)
    await wait_until(lambda: arena.server.up, every=1)
    return said, took, await there(arena, name)


async def there(arena, name):
    try:
        await arena.api.raw("GET", f"{MAPS}/{name}")
    except NotFound:
        return False
    return True


async def watched(arena, lines):
    """What a watch of the replicaset's process brings, and when, while ConfigMaps are made at 0, 1, 2 and 3 seconds;
    the faults begin after the first."""
    link = arena.components["replicaset"].link
    answer = await link.send(Request("GET", MAPS, [("watch", "true")], {"accept": "application/json"}))
    began, seen = asyncio.get_running_loop().time(), []

    async def write():
        for number in range(4):
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{number}"}}
            await arena.api.raw("POST", MAPS, body=json.dumps(body).encode())
            await asyncio.sleep(0.5)
            if not number:
                for line in lines:
                    await do(arena, line)
            await asyncio.sleep(0.5)

    writing = asyncio.create_task(write())
    try:
        async with aclosing(answer.stream) as stream, asyncio.timeout(20):
            async for chunk in stream:
                for text in chunk.splitlines():
                    found = json.loads(text)
                    seen.append((found["object"].get("code") or found["object"]["metadata"]["name"], elapsed(began)))
    except (TransportError, TimeoutError) as error:
        seen.append((type(error).__name__, elapsed(began)))
    await writing
    return seen


def in_an_arena(act, nodes=1):
    async def main():
        async with Arena(1, nodes, ("replicaset",)) as arena:
            await wait_until(lambda: len(arena.world.all(Node)) == nodes)
            return await act(arena)

    return run(main(), seed=1)


WRITES = {  # a fault, what the one who writes learns, in how many seconds, whether it is written
    "429 is the server's answer": ("errors replicaset code=429 rate=1 for=60", 429, (0, 0), False),
    "500 is the server's answer": ("errors replicaset code=500 rate=1 for=60", 500, (0, 0), False),
    "503 is the server's answer": ("errors replicaset code=503 rate=1 for=60", 503, (0, 0), False),
    "409 is for updates alone": ("errors replicaset code=409 rate=1 for=60", 201, (0, 0), True),
    "what is dropped times out": ("drop replicaset rate=1 for=60", "i/o timeout", (10, 10), False),
    "what is lost was written": ("lose replicaset rate=1 for=60", "the answer was lost", (0, 0), True),
    "slow writes come late": ("slow replicaset seconds=5 for=60", 201, (0.001, 5), True),
    "a partition lets nothing through": ("partition replicaset for=60", "i/o timeout", (10, 10), False),
    "a crash before a write": (
        "crash replicaset write=1 moment=before down=5", "the component is dead", (0, 0), False),
    "a crash after a write": ("crash replicaset write=1 moment=after down=5", "the component is dead", (0, 0), True),
    "a crash of the server before a write": (
        "crash server write=1 moment=before down=5", "connection reset by peer", (0, 0), False),
    "a crash of the server after a write": (
        "crash server write=1 moment=after down=5", "connection reset by peer", (0, 0), True),
    "another's faults are not one's own": ("partition scheduler for=60", 201, (0, 0), True),
}  # fmt: skip


@pytest.mark.parametrize("line, said, took, written", WRITES.values(), ids=WRITES)
def test_a_write_meets(line, said, took, written):
    async def act(arena):
        await do(arena, f"0 {line}")
        return await make(arena)

    learned, seconds, is_there = in_an_arena(act)
    assert (learned, is_there) == (said, written)
    assert took[0] <= seconds <= took[1]


WATCHES = {  # faults, what comes, and when
    "nothing": ([], [("m0", 0), ("m1", 1), ("m2", 2), ("m3", 3), ("TimeoutError", 20)]),
    "staleness: in bursts, at most so late": (
        ["0 stale replicaset seconds=2 for=60"],
        [("m0", 0), ("m1", 2), ("m2", 2), ("m3", 4), ("TimeoutError", 20)],
    ),
    "staleness of another resource": (
        ["0 stale replicaset seconds=2 for=60 of=pods"],
        [("m0", 0), ("m1", 1), ("m2", 2), ("m3", 3), ("TimeoutError", 20)],
    ),
    "a cut": (["0 cut replicaset"], [("m0", 0), ("TransportError", 1)]),
    "an end of history": (["0 expire replicaset"], [("m0", 0), (410, 1)]),
    "a partition": (["0 partition replicaset for=60"], [("m0", 0), ("TransportError", 1)]),
}


@pytest.mark.parametrize("lines, seen", WATCHES.values(), ids=WATCHES)
def test_a_watch_meets(lines, seen):
    async def act(arena):
        left = -asyncio.get_running_loop().time() % 2  # bursts come at whole multiples
        await asyncio.sleep(left)
        return await watched(arena, lines)

    assert [(what, round(when, 3)) for what, when in in_an_arena(act)] == seen


def test_a_component_that_died_begins_again_and_goes_on():
    async def act(arena):
        await do(arena, "0 crash replicaset down=30")
        await do(arena, SET)
        began = asyncio.get_running_loop().time()
        await wait_until(lambda: arena.world.all(Pod))
        return elapsed(began)

    assert 29 <= in_an_arena(act) <= 31


def test_a_components_clock_may_be_off_for_a_while():
    async def act(arena):
        await do(arena, "0 skew replicaset seconds=300 for=10")
        for number in range(2):
            await do(arena, f"0 create replicaset/r{number} replicas=1")
            await asyncio.sleep(20)
        told = (await arena.api.list(Event, "default")).items
        return sorted(event.lastTimestamp[14:16] for event in told if event.reason == "SuccessfulCreate")

    assert in_an_arena(act) == ["00", "05"]


def test_a_machine_that_loses_power_runs_nothing_until_it_boots_and_begins_its_pods_anew():
    async def act(arena):
        await do(arena, SET)
        await wait_until(lambda: list(arena.machines_run()))
        await do(arena, "0 kill node-0 for=30")
        await asyncio.sleep(0.1)
        during = list(arena.machines_run())
        began = asyncio.get_running_loop().time()
        await wait_until(lambda: list(arena.machines_run()))
        return during, elapsed(began)

    during, seconds = in_an_arena(act)
    assert not during
    assert 29 <= seconds <= 45


def test_a_node_that_is_cut_off_runs_its_pods_and_comes_back():
    async def act(arena):
        await do(arena, SET)
        await wait_until(lambda: list(arena.machines_run()))
        await do(arena, "0 partition node-0 for=100")
        ready = []
        for seconds in (90, 60):
            await asyncio.sleep(seconds)
            (node,) = arena.world.all(Node)
            ready += [each.status for each in node.status.conditions if each.type == "Ready"]
        return ready, len(list(arena.machines_run()))

    async def with_lifecycle():
        async with Arena(1, 1, ("replicaset", "nodes")) as arena:
            await wait_until(lambda: arena.world.all(Node))
            return await act(arena)

    assert run(with_lifecycle(), seed=1) == (["Unknown", "True"], 1)


def test_every_fault_is_drawn():
    drawn = {act.verb for seed in range(100) for act in draw(seed)} & FAULTS.keys()
    codes = {act.get("code") for seed in range(300) for act in draw(seed) if act.verb == "errors"}
    assert (drawn, codes) == (FAULTS.keys(), {"409", "429", "500", "503"})


def test_an_update_meets_a_conflict():
    async def act(arena):
        await make(arena)
        await do(arena, "0 errors replicaset code=409 rate=1 for=60")
        path, headers = f"{MAPS}/m", {"content-type": "application/merge-patch+json"}
        answer = await arena.components["replicaset"].link.send(Request("PATCH", path, [], headers, b'{"data":{}}'))
        return answer.status

    assert in_an_arena(act) == 409
