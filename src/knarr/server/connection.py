"""One client connection: HTTP/1.1 requests out of bytes, answers into bytes. `http` makes one for each socket.

The parser is llhttp (through httptools); what it finds is queued, and one task for each connection answers in order.
It keeps true that a client's certificate is read once, that a client that leaves cancels what it asked for, and that
not one byte is lost when a connection changes its protocol: bytes that came with the Upgrade request are handed on.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast
from urllib.parse import parse_qsl

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from knarr.client.transport import Request, Response, User
from knarr.server.authentication import certificates
from knarr.server.hijack import Hijack, take_over
from knarr.server.incoming import Incoming, is_carried
from knarr.server.limits import (
    BODY_SECONDS,
    HEAD_LIMIT,
    HEAD_SECONDS,
    IDLE_SECONDS,
    LIMIT,
    LINGER_SECONDS,
    PIPELINED,
    READ,
    SLICE,
    STALL_SECONDS,
    Live,
)
from knarr.server.messages import CONTINUE, LAST_CHUNK, Received, asked_by, chunk, head, refusal

log = logging.getLogger("knarr.server")

Handle = Callable[[Request], Awaitable[Response]]


class Connection(asyncio.BufferedProtocol):
    """The protocol of one connection; `connections` holds it while it is open. `once`: it gets one answer only."""

    _buffer = memoryview(bytearray(READ))  # of all connections: nothing stays in it

    def __init__(self, handle: Handle, connections: set["Connection"], *, once: bool = False) -> None:
        self._handle, self._connections, self._once = handle, connections, once
        self._loop = asyncio.get_running_loop()
        self._parser = HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None]
        self._received = Received()
        self._queue: deque[Received] = deque()
        self._arrival: asyncio.Future[None] | None = None  # what the idle task waits for
        self._writable: asyncio.Future[None] | None = None  # while the client reads too slowly
        self._early: list[bytes] | None = None  # what came after an Upgrade request
        self._user: User | None = None
        self._peer = ""  # the client's address
        self._head_bytes = 0  # of a head that has not come whole
        self._since = self._loop.time()  # when it last began to wait for a request
        self._waiting = 0  # bytes of the bodies in the queue
        self._deaf = self._ending = self._streaming = self._full = False
        self._partial = self._served = False  # a request has come in part; one has come whole

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert() if tls is not None else None
        self._user = certificates.user(certificate) if certificate else None
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._connections.add(self)
        self._task = self._loop.create_task(self._serve())

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        self._task.cancel()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            self._early.append(data)
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT:
                self._transport.pause_reading()  # until somebody takes the connection over
            return
        if self._deaf:
            return
        if not self._head_bytes and not self._partial:
            self._since = self._loop.time()
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._early = [data[upgrade.args[0] :]]
        except HttpParserError:
            self._refuse(400)
        if self._head_bytes > HEAD_LIMIT:
            self._refuse(431)
        elif self._partial and self._received.method and self._received.incoming is None:
            self._carry(self._received)

    # What the parser calls

    def on_message_begin(self) -> None:
        self._received, self._partial = Received(), True

    def on_url(self, url: bytes) -> None:
        self._received.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        headers, key = self._received.headers, name.decode("latin-1").lower()
        text = value.decode(errors="surrogateescape").strip()
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        self._head_bytes = 0
        received = self._received
        received.method = self._parser.get_method().decode()
        received.modern = self._parser.get_http_version() == "1.1"
        if received.modern and received.headers.get("expect", "").lower() == "100-continue":
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        if self._received.incoming is not None:
            self._received.incoming.feed(body)
            return
        self._received.size += len(body)
        if self._received.size > LIMIT:
            self._refuse(413)
        else:
            self._received.body.append(body)

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        self._partial, self._served = False, True
        if self._received.incoming is not None:
            self._received.incoming.finish()
        elif not self._deaf:
            self._received.keep_alive = self._parser.should_keep_alive()
            self._arrived(self._received)

    def _arrived(self, received: Received) -> None:
        self._queue.append(received)
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)
        self._waiting += received.size
        if not self._full and (len(self._queue) >= PIPELINED or self._waiting > SLICE):
            self._full = True
            self._transport.pause_reading()

    def _carry(self, received: Received) -> None:
        """Let a request be answered whose body has not come whole, if that is for somebody behind the server."""
        if not self._deaf and is_carried(received.url):
            received.incoming = Incoming(received.body, self._transport.pause_reading, self._transport.resume_reading)
            received.body, received.keep_alive = [], self._parser.should_keep_alive()
            self._arrived(received)

    def _refuse(self, code: int) -> None:
        """Answer with an error after what was asked before, and listen no more; one that is answered is cut off."""
        if self._partial and self._received.incoming is not None:
            self.abort()
        elif not self._deaf:
            self._deaf = True
            refused = Received()
            refused.code, refused.keep_alive = code, False
            self._arrived(refused)

    # What the server calls

    def expire(self, now: float) -> None:
        """Close a connection that has been idle, or in the middle of a request, for too long."""
        if self._arrival is None:
            return
        whole = self._served and not self._head_bytes and not self._partial
        limit = IDLE_SECONDS if whole else BODY_SECONDS if self._partial and not self._head_bytes else HEAD_SECONDS
        if now - self._since > limit:
            self._transport.close()

    def idle(self, now: float) -> float:
        """For how many seconds nothing has been asked; 0 while something is answered."""
        return now - self._since if self._arrival is not None and not self._queue else 0.0

    def finish(self) -> None:
        """Take no more requests: end a stream as if it had reached its end, and close when what runs is answered."""
        self._ending = True
        if self._arrival is not None and not self._queue:
            self.abort()  # to say goodbye in TLS takes a client that reads, and one with nothing to read need not
        elif self._streaming:
            self._task.cancel()

    def abort(self) -> None:
        """Close at once, whatever runs."""
        self._task.cancel()
        self._transport.abort()

    @property
    def task(self) -> "asyncio.Task[None]":
        """What answers; it is over when the connection is."""
        return self._task

    # The connection's own task

    async def _serve(self) -> None:
        try:
            open_ = True
            while open_ and not self._ending:
                open_ = await self._answer(await self._next())
        except ConnectionAbortedError as error:
            log.info("a connection was ended: %s", error)
        except Exception:
            log.exception("a connection broke")
        finally:
            self._connections.discard(self)
            if (self._deaf or self._unread()) and not self._transport.is_closing():
                self._deaf = True
                self._transport.resume_reading()
                self._loop.call_later(LINGER_SECONDS, self._transport.close)
            else:
                self._transport.close()

    async def _next(self) -> Received:
        """The next request."""
        if not self._queue:
            self._since = self._loop.time()
            self._arrival = self._loop.create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        received = self._queue.popleft()
        self._waiting -= received.size
        if self._full and len(self._queue) < PIPELINED and self._waiting <= SLICE:
            self._full = False
            self._transport.resume_reading()
        return received

    async def _answer(self, received: Received) -> bool:
        """Answer one request; return whether the connection takes another."""
        if received.code:
            self._transport.write(refusal(received.code))
            return False
        path, asked = asked_by(received.url)
        query = parse_qsl(asked, keep_blank_values=True) if asked else []
        body = received.body[0] if len(received.body) == 1 else b"".join(received.body)
        request = Request(received.method, path, query, received.headers, body, self._user, asked, self._peer)
        request.incoming = received.incoming
        response = await self._handle(request)
        if isinstance(response, Hijack):
            await self._hijack(response)
            return False
        keep = received.keep_alive and self._early is None and not self._ending and "upgrade" not in received.headers
        keep = keep and not self._once and not self._unread()
        if response.stream is not None:
            return await self._stream(response, response.stream, received, keep)
        start = head(response, keep, received.modern, len(response.body))
        if received.method == "HEAD" or response.status in (204, 304):
            self._transport.write(start)
        elif len(response.body) <= SLICE:
            self._transport.write(start + response.body)
        else:
            await self._write_slices(start, response.body)
        await self._read_by_client(STALL_SECONDS)
        return keep

    def _unread(self) -> bool:
        """Whether what is answered has more of a body to come: the next request can not be told from it."""
        return self._received.incoming is not None and not self._received.incoming.whole

    async def _read_by_client(self, patience: float | None) -> None:
        """Return when the client has read enough to be sent more; cut it off when it does not for so many seconds."""
        while self._writable is not None:
            done, _ = await asyncio.wait((self._writable,), timeout=patience)
            if not done:
                self._transport.abort()
                raise ConnectionAbortedError("the client reads nothing of its answer")

    async def _write_slices(self, start: bytes, body: bytes) -> None:
        """Write a large answer without keeping other connections waiting."""
        self._transport.write(start)
        view = memoryview(body)
        for at in range(0, len(body), SLICE):
            self._transport.write(view[at : at + SLICE])
            await (asyncio.sleep(0) if self._writable is None else self._read_by_client(STALL_SECONDS))

    async def _stream(self, response: Response, stream: AsyncIterator[bytes], received: Received, keep: bool) -> bool:
        chunked = received.modern
        self._transport.write(head(response, keep and chunked, chunked, None))
        ended = received.method == "HEAD"
        try:
            if not ended:
                self._streaming = True
                patience = STALL_SECONDS if isinstance(response, Live) else None
                ended = await self._send(stream, chunked, received, patience)
                if ended and chunked:
                    self._transport.write(LAST_CHUNK)
        finally:
            self._streaming = False
            await response.close()
        return ended and keep and chunked

    async def _send(
        self, stream: AsyncIterator[bytes], chunked: bool, received: Received, patience: float | None
    ) -> bool:
        """Write a stream's pieces; return whether it came to a proper end. The server's stop is one."""
        try:
            async for piece in stream:
                if piece:
                    self._transport.write(chunk(piece) if chunked else piece)
                    await self._read_by_client(patience)
        except asyncio.CancelledError:
            if not self._ending or self._transport.is_closing():
                raise
            self._task.uncancel()
        except ConnectionAbortedError:
            raise
        except Exception as error:
            log.exception("a stream broke: %s %s", received.url.decode(errors="replace"), error)
            return False
        return True

    async def _hijack(self, hijack: Hijack) -> None:
        """Give the raw connection away; nothing of HTTP sees it from here on."""
        early, self._early = self._early or [], []
        assert hijack.run is not None
        await take_over(self._transport, early, hijack.run)
