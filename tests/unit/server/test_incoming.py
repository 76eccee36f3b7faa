"""Bodies that go on while they come."""

import asyncio

import pytest

from knarr.server.incoming import Incoming, is_carried
from knarr.server.limits import SLICE

TARGETS = {
    "a pod": (b"/api/v1/namespaces/a/pods/b/proxy", True),
    "a pod's path": (b"/api/v1/namespaces/a/pods/https:b:443/proxy/x?y", True),
    "a service": (b"/api/v1/namespaces/a/services/b:http/proxy/", True),
    "a node": (b"/api/v1/nodes/n/proxy/run/x", True),
    "a question": (b"/api/v1/nodes/n/proxy?x", True),
    "a pod itself": (b"/api/v1/namespaces/a/pods/b", False),
    "a pod called proxy": (b"/api/v1/namespaces/a/pods/proxy", False),
    "another subresource": (b"/api/v1/namespaces/a/pods/b/proxyish", False),
    "another kind": (b"/api/v1/namespaces/a/secrets/b/proxy", False),
    "another group": (b"/apis/x/v1/namespaces/a/pods/b/proxy", False),
    "a question that looks like it": (b"/api/v1/namespaces/a/pods?x=/b/proxy", False),
}


@pytest.mark.parametrize(("target", "wanted"), TARGETS.values(), ids=TARGETS)
def test_is_carried(target, wanted):
    assert is_carried(target) is wanted


async def test_pieces_come_in_order_until_the_last():
    incoming, said = Incoming([b"a", b"b"], print, print), []

    async def read():
        async for piece in incoming:
            said.extend((piece,))

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    assert said == [b"a", b"b"]
    incoming.feed(b"c")
    await asyncio.sleep(0)
    assert (said[2:], incoming.whole, reading.done()) == ([b"c"], False, False)
    incoming.finish()
    await reading
    assert incoming.whole


async def test_a_client_that_is_too_fast_is_held_back():
    held = []
    incoming = Incoming([], lambda: held.append("pause"), lambda: held.append("resume"))
    for _ in range(4):
        incoming.feed(bytes(SLICE // 2))
    incoming.finish()
    assert held == ["pause"]
    pieces = aiter(incoming)
    await anext(pieces)
    assert held == ["pause"]
    assert len([piece async for piece in pieces]) == 3
    assert held == ["pause", "resume"]
