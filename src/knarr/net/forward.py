"""Asking other resolvers for what is not the cluster's: raw questions and answers, UDP first, TCP when cut off."""

import asyncio
import socket
import struct
from collections.abc import Sequence

SECONDS = 2.0  #: how long one resolver may take
TRUNCATED = 0x02


class NoAnswer(Exception):
    """No resolver answered, or there is none."""


async def forward(question: bytes, resolvers: Sequence[str], *, tcp: bool = False) -> bytes:
    """The answer of the first resolver ("address" or "address:port") that gives one in time."""
    for resolver in resolvers:
        host, port = _place(resolver)
        try:
            async with asyncio.timeout(SECONDS):
                answer = b"" if tcp else await _ask_udp(question, host, port)
                if tcp or answer[2] & TRUNCATED:
                    answer = await _ask_tcp(question, host, port)
                return answer
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            continue
    raise NoAnswer


def _place(resolver: str) -> tuple[str, int]:
    if resolver.count(":") == 1:
        host, _, port = resolver.partition(":")
        return host, int(port)
    return resolver, 53


class _Answer(asyncio.DatagramProtocol):
    """Waits for the answer to one question: same ID, an answer at all."""

    def __init__(self, question: bytes) -> None:
        self._id = question[:2]
        self.future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[:2] == self._id and len(data) >= 12 and data[2] & 0x80 and not self.future.done():
            self.future.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(exc)


async def _ask_udp(question: bytes, host: str, port: int) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _Answer(question), remote_addr=(host, port))
    try:
        transport.sendto(question)
        return await protocol.future
    finally:
        transport.close()


async def _ask_tcp(question: bytes, host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port, family=socket.AF_UNSPEC)
    try:
        writer.write(struct.pack("!H", len(question)) + question)
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        return await reader.readexactly(size)
    finally:
        writer.close()
