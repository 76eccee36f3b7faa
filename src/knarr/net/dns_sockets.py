"""Where questions come in: a UDP socket that is emptied in batches, and TCP with a length before each message."""

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from typing import Protocol

from knarr.net.wire import NoQuestion

BATCH = 64  #: datagrams read in one turn, so that nobody else of this process waits long
LONGEST = 4096  #: bytes of a question; by UDP what is longer is no question anybody needs
IDLE = 10.0  #: seconds a TCP connection may be silent
CROWDED = 2.0  #: the same while more than half of all connections are there
CONNECTIONS = 1000  #: by TCP at once; who comes then is turned away
CONNECTIONS_EACH = 100  #: of one client, so that it takes several to keep all others away
TRIES = 16  #: to find a port that is free for both protocols
IP_FREEBIND = 15
SO_RCVBUFFORCE = 33
WAITING = 4 << 20  #: bytes of questions the kernel keeps while this process does something else


class Tally(Protocol):
    """What counts how long answers took."""

    def observe(self, seconds: float, count: int = 1) -> None: ...

    def turned_away(self) -> None: ...


class Answering(Protocol):
    """What answers."""

    @property
    def metrics(self) -> Tally: ...

    def known(self, data: bytes, *, tcp: bool) -> bytes | None: ...

    async def ask(self, data: bytes, *, tcp: bool) -> bytes: ...

    def spawn(self, data: bytes, sock: socket.socket, source: tuple[str, int]) -> None: ...


class Datagrams:
    """What comes by UDP to one socket."""

    def __init__(self, sock: socket.socket, answering: Answering) -> None:
        self._sock, self._answering = sock, answering
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._read)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._sock.getsockname()[:2]
        return host, port

    def close(self) -> None:
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _read(self) -> None:
        sock, known = self._sock, self._answering.known
        began, count = self._loop.time(), 0
        for _ in range(BATCH):
            try:
                data, source = sock.recvfrom(LONGEST)
            except BlockingIOError:
                break
            except OSError:
                continue  # an earlier answer found nobody
            try:
                reply = known(data, tcp=False)
            except NoQuestion:
                continue  # silence is the only safe answer
            if reply is None:
                self._answering.spawn(data, sock, source)
                continue
            count += 1
            with contextlib.suppress(OSError):  # its buffer is full, or it has gone: it will ask again
                sock.sendto(reply, source)
        if count:
            self._answering.metrics.observe((self._loop.time() - began) / count, count)


class Streams:
    """What comes by TCP to one socket."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._clients: dict[asyncio.Task[None], str] = {}  #: by connection
        self._counts: Counter[str] = Counter()  #: connections by client
        self._server: asyncio.Server | None = None

    @classmethod
    async def start(cls, sock: socket.socket, answering: Answering) -> "Streams":
        streams = cls(answering)
        streams._server = await asyncio.start_server(streams._accept, sock=sock)
        return streams

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [*self._clients]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = (writer.get_extra_info("peername") or ("",))[0]  # none: it has gone again
        if len(self._clients) >= CONNECTIONS or self._counts[client] >= CONNECTIONS_EACH:
            self._answering.metrics.turned_away()
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._clients[task] = client
        self._counts[client] += 1
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        client = self._clients.pop(task)
        self._counts[client] -= 1
        if not self._counts[client]:
            del self._counts[client]

    def _patience(self) -> float:
        return CROWDED if len(self._clients) > CONNECTIONS // 2 else IDLE

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, question by question."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                async with asyncio.timeout(self._patience()):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    data = await reader.readexactly(size)
                began = loop.time()
                reply = self._answering.known(data, tcp=True)
                if reply is None:
                    reply = await self._answering.ask(data, tcp=True)
                else:
                    self._answering.metrics.observe(loop.time() - began)
                async with asyncio.timeout(IDLE):
                    writer.write(struct.pack("!H", len(reply)) + reply)
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, NoQuestion):
            pass  # the client has gone, is too slow, or does not speak DNS
        finally:
            writer.close()


def listeners(place: tuple[str, int]) -> tuple[socket.socket, socket.socket]:
    """UDP and TCP on the same port; port 0 is any that both have free."""
    tries = TRIES if place[1] == 0 else 1
    while True:
        tries -= 1
        udp = listener(socket.SOCK_DGRAM, place)
        try:
            return udp, listener(socket.SOCK_STREAM, udp.getsockname()[:2])
        except OSError:
            udp.close()
            if not tries:
                raise


def listener(kind: socket.SocketKind, place: tuple[str, int]) -> socket.socket:
    """A bound socket; the address may appear later, when the network is made."""
    sock = socket.socket(
        socket.AF_INET6 if ":" in place[0] else socket.AF_INET, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    )
    try:
        sock.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind == socket.SOCK_DGRAM:
            with contextlib.suppress(PermissionError):  # the usual size then
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, WAITING)
        sock.bind(place)
        if kind == socket.SOCK_STREAM:
            sock.listen(128)
    except OSError:
        sock.close()
        raise
    return sock
