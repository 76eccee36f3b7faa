"""HTTP/1.1 over TLS: listening sockets, and the end of all their connections. Called by `knarr.app`.

`connection` turns their bytes into `Request`s for a handler and its `Response`s into bytes. A stop is orderly: a watch
ends with a proper last chunk, and running requests are answered.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from knarr.server.connection import Connection, Handle

IP_FREEBIND = 15  #: from linux/in.h; the socket module has no name for it before Python 3.13
STOP_SECONDS = 5.0  #: how long running requests may take when the server stops
LOOK_SECONDS = 10.0  #: how often idle connections are looked for


class Listening:
    """A running server; `close` ends it."""

    def __init__(self, connections: set[Connection], sockets: Sequence[asyncio.Server]) -> None:
        self._connections, self._sockets = connections, sockets
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(LOOK_SECONDS, self._expire)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every listening socket."""
        return [socket.getsockname()[:2] for server in self._sockets for socket in server.sockets]

    async def close(self) -> None:
        """Stop listening, end the watches properly, let running requests finish, close every connection."""
        self._timer.cancel()
        for server in self._sockets:
            server.close()
        tasks = [connection.task for connection in self._connections]
        for connection in list(self._connections):
            connection.finish()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for connection in list(self._connections):
            connection.abort()

    def _expire(self) -> None:
        now = self._loop.time()
        for connection in list(self._connections):
            connection.expire(now)
        self._timer = self._loop.call_later(LOOK_SECONDS, self._expire)


async def serve(handle: Handle, *, hosts: Sequence[str], port: int, context: ssl.SSLContext | None = None) -> Listening:
    """Serve on every one of `hosts`; port 0 takes a free one (the same for all hosts)."""
    loop = asyncio.get_running_loop()
    connections: set[Connection] = set()
    listening: list[asyncio.Server] = []
    for host in hosts:
        bound = _socket(host, port)
        made = await loop.create_server(lambda: Connection(handle, connections), sock=bound, ssl=context, backlog=1024)
        listening.append(made)
        port = listening[0].sockets[0].getsockname()[1]
    return Listening(connections, listening)


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
