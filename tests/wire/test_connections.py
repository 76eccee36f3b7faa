"""What one connection may take of the server's memory and patience."""

import asyncio

import pytest

from knarr.client.transport import Response
from knarr.server import http
from knarr.server.connection import HEAD_LIMIT, HEAD_SECONDS, LIMIT, SLICE, Connection

MIB = 1024 * 1024
READ = 512 * 1024  #: more than what one read from a socket gives


class Slow:
    """A handler that answers when it is told to, and a client of it."""

    def __init__(self):
        self.go_on = asyncio.Event()

    async def handle(self, request):
        await self.go_on.wait()
        return Response(200, {}, b"%d" % len(request.body))


@pytest.fixture
async def slow():
    found = Slow()
    found.listening = await http.serve(found.handle, hosts=["127.0.0.1"], port=0)
    found.reader, found.writer = await asyncio.open_connection(*found.listening.addresses[0])
    yield found
    found.go_on.set()
    found.writer.transport.abort()
    await found.listening.close()


async def first(slow, wanted) -> Connection:
    """The connection, as soon as it is as wanted."""
    async with asyncio.timeout(20):
        while True:
            for connection in slow.listening._connections:
                if wanted(connection):
                    return connection
            await asyncio.sleep(0)


async def stopped_reading(slow) -> Connection:
    return await first(slow, lambda each: not each._transport.is_reading())


async def test_what_follows_an_upgrade_is_not_read_without_bound(slow):
    slow.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n" + b"x" * 32 * MIB)
    connection = await stopped_reading(slow)
    assert sum(map(len, connection._early)) < HEAD_LIMIT + READ


async def test_bodies_that_wait_are_not_read_without_bound(slow):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % MIB
    slow.writer.write((head + b"x" * MIB) * 10)
    connection = await stopped_reading(slow)
    assert sum(received.size for received in connection._queue) <= SLICE + LIMIT
    slow.go_on.set()
    for _ in range(10):  # and none of them is lost
        assert (await slow.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await slow.reader.readexactly(7) == b"%d" % MIB


async def test_a_connection_that_was_idle_has_its_time_for_a_new_request(slow):
    connection = await first(slow, lambda each: each._arrival is not None)
    now = asyncio.get_running_loop().time()
    connection._since = now - HEAD_SECONDS - 1
    slow.writer.write(b"GET / HTTP/1.1\r\nHo")
    await first(slow, lambda each: each._head_bytes)
    connection.expire(now + 1)
    assert not connection._transport.is_closing()
    connection.expire(now + HEAD_SECONDS + 20)
    assert connection._transport.is_closing()
