"""SPDY and WebSocket framing: tables for what is said, hypothesis for how it is cut."""

import itertools
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.node.streams import spdy, websocket
from knarr.node.streams.spdy_dictionary import ADLER, DICTIONARY


def cut(data, points):
    edges = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def test_the_dictionary_is_the_protocols():
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, ADLER)


SAID = {
    "a stream": (lambda c: c.open(1, {"streamtype": "stdin"}), spdy.Opened(1, {"streamtype": "stdin"})),
    "a stream with nothing to come": (lambda c: c.open(3, {}, fin=True), spdy.Opened(3, {}, True)),
    "a welcome": (lambda c: c.reply(1, {"a": "b"}), spdy.Accepted(1, {"a": "b"})),
    "data": (lambda _: spdy.data(5, b"x" * 70_000), spdy.Data(5, b"x" * 70_000)),
    "an end": (lambda _: spdy.data(5, b"", fin=True), spdy.Data(5, b"", True)),
    "a reset": (lambda _: spdy.reset(7, 3), spdy.Reset(7, 3)),
    "a farewell": (lambda _: spdy.go_away(9), spdy.GoneAway(9)),
    "a ping, to be sent back": (
        lambda _: spdy.control(spdy.PING, 0, b"\0\0\0\1"),
        spdy.Pinged(spdy.control(spdy.PING, 0, b"\0\0\0\1")),
    ),
}


@pytest.mark.parametrize("say, heard", SAID.values(), ids=SAID)
def test_what_is_said_is_heard(say, heard):
    assert spdy.Connection().receive(say(spdy.Connection())) == [heard]


@pytest.mark.parametrize("type_", [spdy.SETTINGS, spdy.WINDOW_UPDATE, 11], ids=["settings", "windows", "the unknown"])
def test_what_needs_no_answer_is_skipped(type_):
    assert spdy.Connection().receive(spdy.control(type_, 0, b"\0" * 8)) == []


BROKEN = {
    "another version": spdy.HEADER.pack(0x8002, spdy.PING, 4) + b"\0" * 4,
    "a short frame": spdy.control(spdy.SYN_STREAM, 0, b"\0\0\0\1"),
    "headers that do not unpack": spdy.control(spdy.SYN_STREAM, 0, b"\0\0\0\1" + b"\0" * 6 + b"nonsense"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_peer_is_an_error(data):
    with pytest.raises(spdy.SpdyError):
        spdy.Connection().receive(data)


HEADERS = st.dictionaries(
    st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1), st.text(st.characters(codec="ascii"))
)


@given(st.lists(HEADERS, max_size=5), st.lists(st.integers(min_value=0), max_size=10))
def test_streams_survive_any_cut(openings, points):
    client, server = spdy.Connection(), spdy.Connection()
    data = b"".join(client.open(2 * n + 1, headers) for n, headers in enumerate(openings))
    heard = [event for piece in cut(data, points) for event in server.receive(piece)]
    assert heard == [spdy.Opened(2 * n + 1, headers) for n, headers in enumerate(openings)]


@given(st.binary(max_size=400))
def test_garbage_never_does_worse_than_an_error(data):
    for connection, error in (
        (spdy.Connection(), spdy.SpdyError),
        (websocket.Connection(), websocket.WebSocketError),
    ):
        try:
            assert isinstance(connection.receive(data), list)
        except error as said:
            assert str(said)


MASK = b"\x01\x02\x03\x04"


@given(st.lists(st.binary(max_size=70_000), max_size=4), st.lists(st.integers(min_value=0), max_size=10))
def test_messages_survive_any_cut(payloads, points):
    connection = websocket.Connection()
    data = b"".join(websocket.frame(payload, mask=MASK) for payload in payloads)
    heard = [event for piece in cut(data, points) for event in connection.receive(piece)]
    assert heard == [websocket.Message(payload) for payload in payloads]


def test_a_message_in_parts_is_put_together_around_a_ping():
    parts = [
        bytes([websocket.TEXT, 0x83]) + MASK + websocket.unmask(b"one", MASK),
        websocket.frame(b"!", websocket.PING, MASK),
        websocket.frame(b"two", websocket.CONTINUATION, MASK),
    ]
    assert websocket.Connection().receive(b"".join(parts)) == [
        websocket.Pinged(websocket.frame(b"!", websocket.PONG)),
        websocket.Message(b"onetwo", text=True),
    ]


def test_a_close_is_sent_back_with_its_code():
    heard = websocket.Connection().receive(websocket.frame(b"\x03\xe8bye", websocket.CLOSE, MASK))
    assert heard == [websocket.Closed(websocket.frame(b"\x03\xe8", websocket.CLOSE))]


RUDE = {
    "no mask": websocket.frame(b"x"),
    "a reserved bit": b"\xc2\x80" + MASK,
    "a long ping": websocket.frame(b"x" * 126, websocket.PING, MASK),
    "a continuation of nothing": websocket.frame(b"x", websocket.CONTINUATION, MASK),
    "a reserved opcode": websocket.frame(b"x", 3, MASK),
    "too much": b"\x82\xff" + (1 << 40).to_bytes(8, "big") + MASK,
}


@pytest.mark.parametrize("data", RUDE.values(), ids=RUDE)
def test_a_rude_client_is_an_error(data):
    with pytest.raises(websocket.WebSocketError):
        websocket.Connection().receive(data)


def test_the_handshake_is_answered_as_the_rfc_says():
    assert websocket.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_masking_is_its_own_inverse():
    data = os.urandom(1001)
    assert websocket.unmask(websocket.unmask(data, MASK), MASK) == data
