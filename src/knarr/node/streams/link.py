"""Where the frames travel: a connection after its HTTP upgrade, or a WebSocket that carries it as messages."""

import asyncio
import contextlib
from typing import Protocol

from knarr.node.streams import websocket

CHUNK = 64 * 1024


class Link(Protocol):
    """Bytes both ways."""

    async def read(self) -> bytes:
        """Some bytes; b"" at the end."""

    async def write(self, data: bytes) -> None:
        """Send bytes; OSError when the peer is gone."""

    async def close(self) -> None:
        """End it. Idempotent."""


class SocketLink:
    """An upgraded connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        try:
            return await self._reader.read(CHUNK)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class WebSocket:
    """A WebSocket over a link: messages both ways. Pings are answered by whoever reads."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._connection = websocket.Connection()
        self._events: list[websocket.Event] = []
        self._closed = False

    async def receive(self) -> websocket.Message | None:
        """The next message; None when the peer has closed."""
        while not self._closed:
            for number, event in enumerate(self._events):
                if isinstance(event, websocket.Message):
                    del self._events[: number + 1]
                    return event
                await self._link.write(event.answer)
                if isinstance(event, websocket.Closed):
                    self._closed = True
                    return None
            data = await self._link.read()
            try:
                self._events = self._connection.receive(data)
            except websocket.WebSocketError as error:
                await self._link.write(websocket.close(error.code, str(error)))
                self._closed = True
            self._closed = self._closed or not data
        return None

    async def send(self, payload: bytes, text: bool = False) -> None:
        await self._link.write(websocket.frame(payload, websocket.TEXT if text else websocket.BINARY))

    async def close(self, code: int = websocket.NORMAL) -> None:
        if not self._closed:
            self._closed = True
            with contextlib.suppress(OSError):
                await self._link.write(websocket.close(code))
        await self._link.close()


class TunnelLink:
    """A link whose bytes are the binary messages of a WebSocket: SPDY through a proxy that knows WebSocket only."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        while (message := await self._socket.receive()) is not None:
            if message.payload:
                return message.payload
        return b""

    async def write(self, data: bytes) -> None:
        await self._socket.send(data)

    async def close(self) -> None:
        await self._socket.close()
