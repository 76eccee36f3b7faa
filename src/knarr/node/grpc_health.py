"""The gRPC health check (grpc.health.v1.Health/Check) over a connection: as much HTTP/2 as one call needs.

Called by `probe` for gRPC probes.
"""

import asyncio
import struct
from collections.abc import AsyncIterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
FRAME_MOST = 1 << 20
STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class NoHealthService(Exception):
    """The server does not answer health checks."""


def frame(type_: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([type_, flags]) + struct.pack(">I", stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header field that touches no table."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request(authority: str, service: str) -> bytes:
    """Everything the client says."""
    headers = b"\x83\x86" + literal(b":path", b"/grpc.health.v1.Health/Check")
    headers += literal(b":authority", authority.encode()[:120]) + literal(b"content-type", b"application/grpc")
    headers += literal(b"te", b"trailers") + literal(b"user-agent", b"kube-probe/1.37")
    name = service.encode()[:120]
    message = b"\x0a" + bytes([len(name)]) + name if name else b""
    body = b"\x00" + len(message).to_bytes(4, "big") + message
    return PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, headers) + frame(DATA, END_STREAM, 1, body)


def status(message: bytes) -> str:
    """The serving status of a HealthCheckResponse."""
    number = message[1] if message[:1] == b"\x08" and len(message) > 1 else 0
    return STATUSES.get(number, str(number))


async def check(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str, service: str) -> str:
    """Ask; the status. NoHealthService when the server refuses, EOFError when it hangs up."""
    writer.write(request(authority, service))
    await writer.drain()
    body = b""
    async for type_, flags, stream, payload in frames(reader):
        if type_ == SETTINGS and not flags & ACK:
            writer.write(frame(SETTINGS, ACK, 0))
        elif type_ == PING and not flags & ACK:
            writer.write(frame(PING, ACK, 0, payload))
        elif type_ in (RST_STREAM, GOAWAY):
            raise NoHealthService("the server closed the call")
        elif type_ == DATA and stream == 1:
            body += payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
            if len(body) >= 5 and len(body) >= 5 + int.from_bytes(body[1:5], "big"):
                return status(body[5:])
        elif type_ == HEADERS and stream == 1 and flags & END_STREAM:
            raise NoHealthService("the call ended without an answer")
    raise EOFError


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, int, int, bytes]]:
    """Type, flags, stream and payload of each frame, until the server hangs up."""
    while True:
        try:
            head = await reader.readexactly(9)
            size = int.from_bytes(head[:3], "big")
            if size > FRAME_MOST:
                raise NoHealthService("this is no HTTP/2")
            payload = await reader.readexactly(size)
        except asyncio.IncompleteReadError:
            return
        yield head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF, payload
