"""Exec and attach over WebSocket: a message's first byte says which stream it belongs to."""

import asyncio
import base64
import binascii

from knarr.node.streams.link import WebSocket
from knarr.node.streams.pipe import Pipe
from knarr.node.streams.remote import Remote, Wanted, version
from knarr.node.streams.websocket import INTERNAL

MAKING = 0.05  #: seconds that kubectl has to make its streams: until 1.32 it throws away what comes before
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


class Channel:
    """One stream towards the client."""

    def __init__(self, socket: WebSocket, number: int, encoded: bool) -> None:
        self._socket, self._number, self._encoded = socket, number, encoded

    async def write(self, data: bytes, /) -> None:
        if self._encoded:
            await self._socket.send(b"%d" % self._number + base64.b64encode(data), text=True)
        else:
            await self._socket.send(bytes([self._number]) + data)

    async def close(self) -> None:
        """The protocol has no way to end one stream towards the client: the connection's end ends all."""


async def connect(socket: WebSocket, wanted: Wanted, protocol: str) -> Remote:
    """Open all streams, as the client's query asks."""
    encoded = "base64" in protocol
    stdin, resize = Pipe(), Pipe()
    running = asyncio.create_task(demultiplex(socket, stdin, resize, encoded), name="websocket")

    async def close() -> None:
        await socket.close()
        running.cancel()

    first = STDOUT if wanted.stdout else STDERR if wanted.stderr and not wanted.tty else ERROR
    try:
        await asyncio.sleep(MAKING)
        await Channel(socket, first, encoded).write(b"")  # the sign that all is well
    except BaseException:
        running.cancel()
        raise
    return Remote(
        version(protocol),
        stdin if wanted.stdin else None,
        Channel(socket, STDOUT, encoded) if wanted.stdout else None,
        Channel(socket, STDERR, encoded) if wanted.stderr and not wanted.tty else None,
        Channel(socket, ERROR, encoded),
        resize if wanted.tty else None,
        running,
        close,
    )


async def demultiplex(socket: WebSocket, stdin: Pipe, resize: Pipe, encoded: bool) -> None:
    """Sort messages until the client hangs up."""
    pipes = {STDIN: stdin, RESIZE: resize}
    try:
        while (message := await socket.receive()) is not None:
            if not message.payload:
                continue
            if encoded:
                number, payload = message.payload[0] - ord("0"), decode(message.payload[1:])
            else:
                number, payload = message.payload[0], message.payload[1:]
            if number == CLOSE and payload:  # v5: the client closes one of its streams
                if payload[0] in pipes:
                    await pipes[payload[0]].end()
            elif number in pipes:
                await pipes[number].put(payload)
    except (OSError, ValueError):
        await socket.close(INTERNAL)
    finally:
        for pipe in (stdin, resize):
            ending = asyncio.ensure_future(pipe.end())
            await asyncio.wait([ending], timeout=0.1)
            ending.cancel()


def decode(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
