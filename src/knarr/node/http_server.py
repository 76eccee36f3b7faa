"""HTTP/1.1 as the kubelet API needs it: small requests, whole or streamed answers, and upgraded connections.

Own framing, because whoever upgrades must get every byte that came with the request.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

HEAD_MOST = 64 * 1024
BODY_MOST = 1 << 20
IDLE = 120.0  #: seconds a connection may wait for its next request

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Request:
    """One request; header names are lower case, several values are joined by ", "."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: bytes = b""
    user: str = ""
    groups: tuple[str, ...] = ()

    def parameter(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.query if key == name), default)

    def asks(self, name: str) -> bool:
        """Whether a flag is set."""
        return self.parameter(name).lower() in ("1", "true")

    @property
    def connection(self) -> set[str]:
        """What the client says of the connection."""
        return {each.strip().lower() for each in self.headers.get("connection", "").split(",")}

    @property
    def upgrade(self) -> str:
        """The protocol the client wants to change to, lower case."""
        return self.headers.get("upgrade", "").lower() if "upgrade" in self.connection else ""


@dataclass(slots=True)
class Answer:
    """A whole body or a stream of pieces."""

    status: int = 200
    body: bytes = b""
    type: str = "text/plain; charset=utf-8"
    stream: AsyncIterator[bytes] | None = None


class Upgraded(Exception):
    """The handler has taken the connection, used and closed it."""


Handler = Callable[[Request], Awaitable[Answer]]


class BadHead(Exception):
    """Not an HTTP request."""


def parse_head(data: bytes) -> tuple[str, str, list[tuple[str, str]], dict[str, str]]:
    """Method, path, query and headers of a request's head; BadHead when it is none."""
    lines = data.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadHead(f"malformed request line {lines[0]!r}")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BadHead(f"malformed header {line!r}")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    url = urlsplit(words[1])
    return words[0], unquote(url.path), parse_qsl(url.query, keep_blank_values=True), headers


def identity(certificate: Mapping[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    """The user (common name) and groups (organisations) of a verified client certificate."""
    fields = [pair for relative in (certificate or {}).get("subject", ()) for pair in relative]
    name = next((value for key, value in fields if key == "commonName"), "")
    return name, tuple(value for key, value in fields if key == "organizationName")


@dataclass(slots=True)
class HttpServer:
    """Listens, and calls `handler` for each request."""

    handler: Handler
    _server: asyncio.Server | None = None
    _connections: set["asyncio.Task[None]"] = field(default_factory=set)

    async def start(self, host: str, port: int, context: ssl.SSLContext | None) -> int:
        """Listen; the port. OSError when it is taken."""
        self._server = await asyncio.start_server(self._connected, host, port, ssl=context, limit=HEAD_MOST)
        return self._port()

    async def start_on(self, listening: socket.socket, context: ssl.SSLContext | None) -> int:
        """Serve what comes to a socket that is bound already; the port."""
        self._server = await asyncio.start_server(self._connected, sock=listening, ssl=context, limit=HEAD_MOST)
        return self._port()

    def _port(self) -> int:
        assert self._server is not None
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._one(reader, writer):
                """One request after the other."""
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, Upgraded):
            log.debug("connection ended")
        except BadHead as error:
            with contextlib.suppress(OSError):
                await self._send(writer, Answer(400, str(error).encode()), keep=False)
        except asyncio.CancelledError:
            log.debug("server stops")
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; whether the connection lives on."""
        async with asyncio.timeout(IDLE):
            head = await reader.readuntil(b"\r\n\r\n")
        method, path, query, headers = parse_head(head[:-4])
        user, groups = identity(writer.get_extra_info("peercert"))
        request = Request(method, path, query, headers, reader, writer, user=user, groups=groups)
        size = headers.get("content-length", "0")
        if not size.isdigit() or int(size) > BODY_MOST:
            raise BadHead("request body too large")
        request.body = await reader.readexactly(int(size))
        answer = await self.handler(request)
        keep = "close" not in request.connection
        await self._send(writer, answer, keep)
        return keep

    async def _send(self, writer: asyncio.StreamWriter, answer: Answer, keep: bool) -> None:
        phrase = HTTPStatus(answer.status).phrase
        length = "Transfer-Encoding: chunked" if answer.stream else f"Content-Length: {len(answer.body)}"
        connection = "keep-alive" if keep else "close"
        head = f"HTTP/1.1 {answer.status} {phrase}\r\nContent-Type: {answer.type}\r\n{length}\r\n"
        writer.write(f"{head}Connection: {connection}\r\n\r\n".encode() + answer.body)
        await writer.drain()
        if answer.stream is not None:
            async with contextlib.aclosing(answer.stream) as pieces:  # type: ignore[type-var] # generators have aclose
                async for piece in pieces:
                    writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                    await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()


async def switch(request: Request, protocol: str, headers: Mapping[str, str]) -> None:
    """Answer 101: from here on the connection speaks `protocol`."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n"
    request.writer.write(f"{head}{lines}\r\n".encode())
    await request.writer.drain()
