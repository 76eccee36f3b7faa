"""What a server that a request is carried on to can do to this one, and to its client."""

import asyncio

import pytest

from knarr.client.transport import Request
from knarr.meta.errors import ServiceUnavailable, Timeout
from knarr.server.exchange import CHUNK, HEAD_MOST, exchange
from knarr.server.hijack import Hijack

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: any\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Said:
    """The writing end of a connection; it keeps whether it was closed."""

    closed = False

    def write(self, data):
        pass

    async def drain(self):
        pass

    def close(self):
        self.closed = True


async def asked(headers, *pieces):
    """The answer to a request with these headers, where the other end says these pieces; and the writing end."""
    reader, writer = asyncio.StreamReader(), Said()
    for piece in pieces:
        reader.feed_data(piece)
    reader.feed_eof()

    async def dial():
        return reader, writer

    try:
        return await exchange(Request("GET", "/", headers=headers), dial, "pod:80", "/"), writer
    except ServiceUnavailable as error:
        return error.message, writer


async def test_nobody_changes_the_protocol_of_a_client_that_has_not_asked_for_that():
    said, writer = await asked({}, SWITCHED)
    assert said == "error trying to reach service: it changes the protocol, and nobody has asked for that"
    assert writer.closed


async def test_a_protocol_that_was_asked_for_is_changed():
    answer, _ = await asked({"upgrade": "any"}, SWITCHED)
    assert isinstance(answer, Hijack)


async def test_trailers_are_no_headers():
    answer, _ = await asked({}, CHUNKED, b"2\r\nok\r\n0\r\nX-Late: yes\r\n\r\n")
    body = answer.body or b"".join([piece async for piece in answer.stream])
    assert (body, "x-late" in answer.headers) == (b"ok", False)


async def test_endless_trailers_are_not_kept():
    answer, writer = await asked({}, CHUNKED, b"2\r\nok\r\n0\r\nX-Late: " + b"y" * (HEAD_MOST + 3 * CHUNK))
    with pytest.raises(ServiceUnavailable, match="trailer too long"):
        async for _ in answer.stream:
            pass
    assert writer.closed


async def test_who_does_not_begin_to_answer_is_given_up():
    writer = Said()

    async def dial():
        return asyncio.StreamReader(), writer

    with pytest.raises(Timeout, match="did not complete within the allotted timeout"):
        await exchange(Request("GET", "/"), dial, "pod:80", "/", patience=0.01)
    assert writer.closed


async def test_a_body_may_take_longer_than_its_head():
    reader, writer = asyncio.StreamReader(), Said()
    reader.feed_data(CHUNKED)

    async def dial():
        return reader, writer

    answer = await exchange(Request("GET", "/"), dial, "pod:80", "/", patience=0.01)
    asyncio.get_running_loop().call_later(0.03, reader.feed_data, b"2\r\nok\r\n0\r\n\r\n")
    assert [piece async for piece in answer.stream] == [b"ok"]
