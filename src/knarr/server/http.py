"""HTTP/1.1 over TLS: listening sockets, and the end of all their connections. Called by `knarr.app`.

`connection` turns their bytes into `Request`s for a handler and its `Response`s into bytes. A stop is orderly: a watch
ends with a proper last chunk, and running requests are answered. `doors` says how many may come in.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from knarr.client.transport import Request, Response
from knarr.meta.errors import TooManyRequests
from knarr.server import status
from knarr.server.connection import Connection, Handle
from knarr.server.doors import AT_ONCE, IDLE_ENOUGH, Doors, most

IP_FREEBIND = 15  #: from linux/in.h; the socket module has no name for it before Python 3.13
STOP_SECONDS = 5.0  #: how long running requests may take when the server stops
LOOK_SECONDS = 10.0  #: how often idle connections are looked for
HANDSHAKE_SECONDS = 10.0  #: in which a client must have agreed on TLS
BACKLOG = 1024
PAUSE = 0.1  #: seconds to wait when no connection can be accepted: when descriptors run out
log = logging.getLogger("knarr.server")


class Listening:
    """A running server; `close` ends it. It owns its sockets, the tasks that accept, and all connections."""

    def __init__(self, handle: Handle, sockets: Sequence[socket.socket], context: ssl.SSLContext | None) -> None:
        self._handle, self._context, self._sockets = handle, context, sockets
        self._doors = Doors(most())
        self._connections: set[Connection] = set()
        self._arriving: set[asyncio.Task[None]] = set()  # in their handshake
        self._loop = asyncio.get_running_loop()
        self._accepting = [self._loop.create_task(self._accept(each)) for each in sockets]
        self._timer = self._loop.call_later(LOOK_SECONDS, self._expire)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every listening socket."""
        return [each.getsockname()[:2] for each in self._sockets]

    async def close(self) -> None:
        """Stop listening, end the watches properly, let running requests finish, close every connection."""
        self._timer.cancel()
        for task in (*self._accepting, *self._arriving):
            task.cancel()
        await asyncio.wait((*self._accepting, *self._arriving))
        for each in self._sockets:
            each.close()
        tasks = [connection.task for connection in self._connections]
        for connection in list(self._connections):
            connection.finish()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for connection in list(self._connections):
            connection.abort()

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                accepted, place = await self._loop.sock_accept(listening)
            except OSError as error:
                log.warning("no connection accepted: %s", error)
                await asyncio.sleep(PAUSE)
                continue
            address: str = place[0]
            if self._doors.full:
                self._make_room()
            if self._doors.closed(address):
                accepted.close()
                continue
            crowded = self._doors.crowded(address)
            self._doors.enter(address)
            task = self._loop.create_task(self._welcome(accepted, address, crowded))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    async def _welcome(self, accepted: socket.socket, address: str, crowded: bool) -> None:
        """Agree on TLS and make the connection, which from then on counts until its end."""
        connection = Connection(_too_many if crowded else self._handle, self._connections, once=crowded)
        limit = HANDSHAKE_SECONDS if self._context is not None else None
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(
                lambda: connection, accepted, ssl=self._context, ssl_handshake_timeout=limit
            )
        except BaseException as error:
            accepted.close()
            self._doors.leave(address)
            if not isinstance(error, OSError | asyncio.TimeoutError):
                raise  # a client that does not speak TLS is no news; all else is
        else:
            connection.task.add_done_callback(lambda task: self._doors.leave(address))

    def _make_room(self) -> None:
        """Close those that have been idle longest."""
        now = self._loop.time()
        idle = [(each.idle(now), number, each) for number, each in enumerate(self._connections)]
        for _, _, each in sorted((found for found in idle if found[0] > IDLE_ENOUGH), reverse=True)[:AT_ONCE]:
            each.abort()

    def _expire(self) -> None:
        now = self._loop.time()
        for connection in list(self._connections):
            connection.expire(now)
        self._timer = self._loop.call_later(LOOK_SECONDS, self._expire)


async def _too_many(request: Request) -> Response:
    return status.response(TooManyRequests("too many connections, please try again later", retry_after=1))


async def serve(handle: Handle, *, hosts: Sequence[str], port: int, context: ssl.SSLContext | None = None) -> Listening:
    """Serve on every one of `hosts`; port 0 takes a free one (the same for all hosts)."""
    sockets: list[socket.socket] = []
    try:
        for host in hosts:
            sockets.append(_socket(host, port))
            port = sockets[0].getsockname()[1]
    except OSError:
        for each in sockets:
            each.close()
        raise
    return Listening(handle, sockets, context)


def _socket(host: str, port: int) -> socket.socket:
    """A bound socket; the address need not be there yet, as that of a bridge which another process is making."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        bound.bind((host, port))
        bound.listen(BACKLOG)
        bound.setblocking(False)
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
