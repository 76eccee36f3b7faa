"""What one connection may take of the server's memory and patience."""

import asyncio
from types import SimpleNamespace

import pytest

from knarr.client.transport import Response
from knarr.server import http
from knarr.server.connection import Connection
from knarr.server.doors import TOLD, Doors
from knarr.server.limits import BODY_SECONDS, HEAD_LIMIT, HEAD_SECONDS, IDLE_SECONDS, LIMIT, SLICE, Live

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
    async with asyncio.timeout(60):
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
    connection.expire(connection._since + HEAD_SECONDS + 1)
    assert connection._transport.is_closing()


async def age(slow, said: bytes, wanted) -> tuple[Connection, float]:
    """The connection once it has said so much, and the moment since which the server waits for more."""
    slow.writer.write(said)
    connection = await first(slow, wanted)
    return connection, connection._since


#: what a client has said, how far the server must have got with it, and for how long it then may be silent
SILENCES = {
    "nothing yet": (b"", lambda each: each._arrival is not None, HEAD_SECONDS),
    "half a head": (b"GET / HTTP/1.1\r\nHo", lambda each: each._head_bytes, HEAD_SECONDS),
    "half a body": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
        lambda each: each._received.size == 3,
        BODY_SECONDS,
    ),
    "a whole request": (
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        lambda each: each._served and each._arrival is not None and not each._queue,
        IDLE_SECONDS,
    ),
}


@pytest.mark.parametrize(("said", "wanted", "seconds"), SILENCES.values(), ids=SILENCES)
async def test_a_client_falls_silent_after(slow, said, wanted, seconds):
    slow.go_on.set()
    connection, now = await age(slow, said, wanted)
    connection.expire(now + seconds - 5)
    assert not connection._transport.is_closing()
    connection.expire(now + seconds + 5)
    assert connection._transport.is_closing()


async def test_a_body_that_trickles_has_no_more_time_than_one_that_stops(slow):
    connection, now = await age(
        slow,
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na",
        lambda each: each._received.size == 1,
    )
    since = connection._since
    await age(slow, b"b", lambda each: each._received.size == 2)
    assert connection._since == since
    connection.expire(now + BODY_SECONDS + 5)
    assert connection._transport.is_closing()


async def test_one_connection_too_many_is_told_so_and_the_next_are_closed(slow):
    slow.listening._doors.most = 2  # and half of them for one address
    slow.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await first(slow, lambda each: each._served)
    address = slow.listening.addresses[0]
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"retry-after: 1\r\n" in answer
    assert b"too many connections, please try again later" in answer
    writer.close()
    slow.go_on.set()
    assert (await slow.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")  # the first is served all the same


async def test_the_longest_idle_go_when_it_gets_full(slow):
    slow.go_on.set()
    slow.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await slow.reader.readuntil(b"\r\n\r\n")
    connection = await first(slow, lambda each: each._arrival is not None)
    connection._since -= 60
    slow.listening._doors.most = 1
    _, writer = await asyncio.open_connection(*slow.listening.addresses[0])
    async with asyncio.timeout(60):
        await slow.reader.read()
    assert connection._transport.is_closing()
    writer.close()


async def flood():
    while True:
        yield bytes(MIB)


ANSWERS = {
    "a long answer": lambda: Response(200, {}, bytes(64 * MIB)),
    "a watch": lambda: Live(200, {}, stream=flood()),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_a_client_that_reads_nothing_is_cut_off_from(answer, monkeypatch):
    monkeypatch.setattr("knarr.server.connection.STALL_SECONDS", 0.05)

    async def large(request):
        return answer()

    listening = await http.serve(large, hosts=["127.0.0.1"], port=0)
    slow = SimpleNamespace(listening=listening)
    _, writer = await asyncio.open_connection(*listening.addresses[0], limit=1)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    connection = await first(slow, lambda each: True)
    await asyncio.wait([connection.task], timeout=60)
    assert connection._transport.is_closing()
    writer.transport.abort()
    await listening.close()


def test_an_address_has_half_of_the_doors():
    doors = Doors(4)
    doors.enter("a")
    assert not doors.crowded("a")
    doors.enter("a")
    assert doors.crowded("a")
    assert not doors.crowded("b")
    for _ in range(TOLD):
        assert not doors.closed("a")
        doors.enter("a")
    assert doors.closed("a")
    for _ in range(TOLD + 2):
        doors.leave("a")
    assert (doors.full, doors.crowded("a")) == (False, False)
