"""HTTP/1.1 over TLS: the only module that knows aiohttp's server side. Called by `knarr.app`.

It turns sockets into `Request`s for a handler and `Response`s into bytes. It keeps true that a watch ends with a proper
last chunk when the server stops, that a client's certificate is read once per connection, and that not one byte is lost
when a connection changes its protocol: bytes that came together with the Upgrade request are handed on.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from aiohttp import ClientConnectionResetError, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from knarr.client.transport import Request, Response, User
from knarr.meta.errors import RequestEntityTooLarge
from knarr.server import status
from knarr.server.authentication import certificates
from knarr.server.hijack import Hijack

LIMIT = 3 * 1024 * 1024  #: bytes of a request's body, upstream's
HEAD_LIMIT = 64 * 1024
IP_FREEBIND = 15  #: from linux/in.h; the socket module has no name for it before Python 3.13
STOP_SECONDS = 5.0  #: how long running requests may take when the server stops
log = logging.getLogger("knarr.server")

Handle = Callable[[Request], Awaitable[Response]]


class Listening:
    """A running server; `close` ends it."""

    def __init__(self, server: web.Server, exchange: "Exchange", sockets: Sequence[asyncio.Server]) -> None:
        self._server, self._exchange, self._sockets = server, exchange, sockets

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every listening socket."""
        return [socket.getsockname()[:2] for server in self._sockets for socket in server.sockets]

    async def close(self) -> None:
        """Stop listening, end the watches properly, let running requests finish, close every connection."""
        for server in self._sockets:
            server.close()
        self._exchange.end_streams()
        self._server.pre_shutdown()
        await self._server.shutdown(STOP_SECONDS)


async def serve(handle: Handle, *, hosts: Sequence[str], port: int, context: ssl.SSLContext | None = None) -> Listening:
    """Serve on every one of `hosts`; port 0 takes a free one (the same for all hosts)."""
    loop = asyncio.get_running_loop()
    exchange = Exchange(handle)
    server = web.Server(
        exchange.answer, request_factory=_request, handler_cancellation=True, access_log=None, logger=log
    )
    listening: list[asyncio.Server] = []
    for host in hosts:
        listening.append(
            await loop.create_server(
                lambda: Connection(server, loop=loop, access_log=None, logger=log),
                sock=_socket(host, port),
                ssl=context,
                backlog=1024,
            )
        )
        port = listening[0].sockets[0].getsockname()[1]
    return Listening(server, exchange, listening)


def _socket(host: str, port: int) -> socket.socket:
    """A bound socket; the address need not be there yet, as that of a bridge which another process is making."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def tls(certificate: Path, key: Path, clients: Path | None) -> ssl.SSLContext:
    """The server's end of TLS; `clients` holds the authorities whose client certificates count."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context


def _request(
    message: RawRequestMessage,
    payload: Any,
    protocol: RequestHandler,
    writer: Any,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=LIMIT)


class Connection(RequestHandler):
    """One client connection, which can be taken over whole."""

    def __init__(self, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._head = b""
        self._early: list[bytes] | None = None  # what came after an Upgrade request
        self._user: User | None = None
        self._known = False

    @property
    def user(self) -> User | None:
        """Whom the client's certificate names; read once."""
        if not self._known:
            self._known = True
            tls_object = self.transport.get_extra_info("ssl_object") if self.transport else None
            certificate = tls_object.getpeercert() if tls_object is not None else None
            self._user = certificates.user(certificate) if certificate else None
        return self._user

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            self._early.append(data)
            return
        if self._head or self._idle:
            data = self._head + data
            end = data.find(b"\r\n\r\n")
            if end < 0 and len(data) < HEAD_LIMIT:
                self._head = data
                return
            self._head = b""
            if end >= 0 and b"\r\nupgrade:" in data[:end].lower():
                self._early = [data[end + 4 :]]
                data = data[: end + 4]
        super().data_received(data)

    @property
    def _idle(self) -> bool:
        """Whether the next byte begins a request."""
        return self._current_request is None and not self._messages

    def take_over(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The raw connection; aiohttp sees nothing of it from here on."""
        assert self.transport is not None
        transport, loop = self.transport, asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        for data in self._early or []:
            if data:
                reader.feed_data(data)
        self._early = []
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class TakenOver(web.Response):
    """Stands for the response of a connection that is no longer HTTP: it sends nothing."""

    async def prepare(self, request: web.BaseRequest) -> None:
        self.force_close()

    async def write_eof(self, data: bytes = b"") -> None:
        return None


class Exchange:
    """Carries requests to the handler and answers to the client."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._streams: set[asyncio.Task[None]] = set()

    def end_streams(self) -> None:
        """End all streams as if each had reached its end."""
        for stream in self._streams:
            stream.cancel()

    async def answer(self, raw: web.BaseRequest) -> web.StreamResponse:
        connection = raw.protocol
        assert isinstance(connection, Connection)
        try:
            body = await raw.read() if raw.body_exists else b""
        except web.HTTPRequestEntityTooLarge:
            refused = status.response(RequestEntityTooLarge(f"Request entity too large: limit is {LIMIT}"))
            return web.Response(status=refused.status, headers=refused.headers, body=refused.body)
        headers: dict[str, str] = {}
        for key, value in raw.headers.items():
            key = key.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        request = Request(
            raw.method, raw.rel_url.raw_path, list(raw.rel_url.query.items()), headers, body, connection.user
        )
        response = await self._handle(request)
        if isinstance(response, Hijack):
            return await self._hijack(connection, response)
        if response.stream is not None:
            return await self._stream(raw, response, response.stream)
        plain = web.Response(status=response.status, body=response.body)
        _copy_headers(response, plain)
        if "upgrade" in headers:
            plain.force_close()
        return plain

    async def _hijack(self, connection: Connection, hijack: Hijack) -> web.StreamResponse:
        reader, writer = connection.take_over()
        assert hijack.run is not None
        try:
            await hijack.run(reader, writer)
        finally:
            writer.close()
        connection.connection_lost(None)
        return TakenOver()

    async def _stream(
        self, raw: web.BaseRequest, response: Response, stream: AsyncIterator[bytes]
    ) -> web.StreamResponse:
        out = web.StreamResponse(status=response.status)
        _copy_headers(response, out)
        if raw.version >= (1, 1):
            out.enable_chunked_encoding()
        await out.prepare(raw)
        task = asyncio.create_task(_send(out, stream))
        self._streams.add(task)
        try:
            await asyncio.wait([task])
        finally:
            self._streams.discard(task)
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a stream broke: %s %s", raw.path, error, exc_info=error)
            out.force_close()
        return out


async def _send(out: web.StreamResponse, stream: AsyncIterator[bytes]) -> None:
    """Write a stream's pieces; a client that left ends it."""
    try:
        async for piece in stream:
            await out.write(piece)
    except (ClientConnectionResetError, ConnectionResetError):
        return
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


def _copy_headers(response: Response, out: web.StreamResponse) -> None:
    for key, value in response.headers.items():
        if key == "warning":
            for text in value.split("\n"):
                out.headers.add("Warning", text)
        else:
            out.headers[key] = value
