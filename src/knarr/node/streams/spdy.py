"""SPDY/3.1 framing without I/O: bytes in, events out; method calls in, bytes out.

Only what Kubernetes' streams use: SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY, HEADERS and data. SETTINGS and
WINDOW_UPDATE are read and ignored, as the peers do not apply flow control. Works for either end of a connection.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from knarr.node.streams.spdy_dictionary import DICTIONARY

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
VERSION = 0x8003
FIN = 0x01
HEADER = struct.Struct(">HHI")
FRAME_MOST = 1 << 24


class SpdyError(Exception):
    """The peer does not speak SPDY/3.1."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer opened a stream."""

    stream: int
    headers: dict[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """The peer accepted a stream of ours."""

    stream: int
    headers: dict[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    stream: int
    payload: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """The peer gave a stream up."""

    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Pinged:
    """Bytes to send back."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class GoneAway:
    """The peer opens no more streams."""

    last: int


Event = Opened | Accepted | Data | Reset | Pinged | GoneAway


class Connection:
    """One end of a connection. A server's pings and streams are even, a client's odd."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    # -------------------------------------------------------------- receiving

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes as they come; give the events that are complete."""
        self._buffer += data
        return list(self._events())

    def _events(self) -> Iterator[Event]:
        while len(self._buffer) >= 8:
            first, second, rest = HEADER.unpack_from(self._buffer)
            flags, length = rest >> 24, rest & (FRAME_MOST - 1)
            if len(self._buffer) < 8 + length:
                return
            payload = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            if first & 0x8000:
                if first != VERSION:
                    raise SpdyError(f"version {first & 0x7FFF} is not 3")
                yield from self._control(second, flags, payload)
            else:
                yield Data((first << 16 | second) & 0x7FFFFFFF, payload, bool(flags & FIN))

    def _control(self, type_: int, flags: int, payload: bytes) -> Iterator[Event]:
        least = {SYN_STREAM: 10, SYN_REPLY: 4, RST_STREAM: 8, PING: 4, GOAWAY: 4, HEADERS: 4}.get(type_, 0)
        if len(payload) < least:
            raise SpdyError(f"control frame {type_} of {len(payload)} bytes is too short")
        number = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF if len(payload) >= 4 else 0
        if type_ == SYN_STREAM:
            yield Opened(number, self._read_headers(payload[10:]), bool(flags & FIN))
        elif type_ == SYN_REPLY:
            yield Accepted(number, self._read_headers(payload[4:]), bool(flags & FIN))
        elif type_ == HEADERS:
            self._read_headers(payload[4:])  # keeps the shared compression state in step
            if flags & FIN:
                yield Data(number, b"", True)
        elif type_ == RST_STREAM:
            yield Reset(number, int.from_bytes(payload[4:8], "big"))
        elif type_ == PING:
            yield Pinged(control(PING, 0, payload))
        elif type_ == GOAWAY:
            yield GoneAway(number)

    def _read_headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block)
        except zlib.error as error:
            raise SpdyError(f"header block: {error}") from None
        return dict(pairs(plain))

    # ---------------------------------------------------------------- sending

    def open(self, stream: int, headers: Mapping[str, str], fin: bool = False) -> bytes:
        """A SYN_STREAM."""
        payload = struct.pack(">IIH", stream, 0, 0) + self._write_headers(headers)
        return control(SYN_STREAM, FIN if fin else 0, payload)

    def reply(self, stream: int, headers: Mapping[str, str] | None = None) -> bytes:
        """A SYN_REPLY: the stream is welcome."""
        return control(SYN_REPLY, 0, struct.pack(">I", stream) + self._write_headers(headers or {}))

    def _write_headers(self, headers: Mapping[str, str]) -> bytes:
        plain = struct.pack(">I", len(headers)) + b"".join(
            struct.pack(">I", len(part)) + part for pair in headers.items() for part in map(str.encode, pair)
        )
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def data(stream: int, payload: bytes, fin: bool = False) -> bytes:
    """A data frame; `fin` closes our half of the stream."""
    assert len(payload) < FRAME_MOST
    return struct.pack(">II", stream, (FIN if fin else 0) << 24 | len(payload)) + payload


def reset(stream: int, status: int = 5) -> bytes:
    """An RST_STREAM; 5 is "cancel"."""
    return control(RST_STREAM, 0, struct.pack(">II", stream, status))


def go_away(last: int) -> bytes:
    return control(GOAWAY, 0, struct.pack(">II", last, 0))


def control(type_: int, flags: int, payload: bytes) -> bytes:
    return HEADER.pack(VERSION, type_, flags << 24 | len(payload)) + payload


def pairs(plain: bytes) -> Iterator[tuple[str, str]]:
    """Names (lower case) and values of a header block."""
    if len(plain) < 4:
        raise SpdyError("header block is too short")
    count, offset = int.from_bytes(plain[:4], "big"), 4
    for _ in range(count):
        name, offset = text(plain, offset)
        value, offset = text(plain, offset)
        yield name.lower(), value


def text(plain: bytes, offset: int) -> tuple[str, int]:
    start = offset + 4
    end = start + int.from_bytes(plain[offset:start], "big")
    if start > len(plain) or end > len(plain):
        raise SpdyError("header block is cut off")
    return plain[start:end].decode("latin-1"), end
