"""The cluster's DNS server, in the server process: `app` gives it informers and addresses.

A change of a Service or EndpointSlice marks that service; the next question brings its records up to date. So an
answer is never older than what the informers know, and a burst of changes costs one pass. Answers are kept by the
question's bytes until anything changes.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sequence
from typing import cast

from dnslib import QTYPE, RCODE, DNSError, DNSQuestion, DNSRecord

from knarr.client.informer import Informers
from knarr.kinds.types.core_v1 import Service
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.net.answers import alias_outside, answer, normal, ours, packed, refused
from knarr.net.forward import NoAnswer, forward
from knarr.net.records import SERVICE_NAME, Key, Table, names, service_of

VARIANTS = 8  #: how many orders of one answer are kept
CACHED = 4096
IDLE = 30.0  #: seconds a TCP connection may be silent
TRIES = 16  #: to find a port that is free for both protocols
IP_FREEBIND = 15


class ClusterDns:
    """Answers for `zone`, asks `upstream` resolvers for the rest; with none the rest is refused at once."""

    def __init__(self, informers: Informers, *, zone: str = "cluster.local", upstream: Sequence[str] = ()) -> None:
        self.table = Table(zone)
        self._upstream = tuple(upstream)
        self._services = informers.of(Service)
        self._slices = informers.of(EndpointSlice)
        self._slices.cache.add_index(SERVICE_NAME, lambda each: ["/".join(service_of(each))])
        self._stale: set[Key] = set()
        self._answers: dict[tuple[bytes, bool], list[bytes]] = {}
        self._transports: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._services.on_change(self._service_changed)
        self._slices.on_change(self._slice_changed)

    async def start(self, addresses: Sequence[tuple[str, int]]) -> None:
        """Listen on UDP and TCP. OSError when an address is taken; then nothing listens."""
        loop = asyncio.get_running_loop()
        try:
            for place in addresses:
                udp, tcp = _listeners(place)
                transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)
                self._transports.append(transport)
                self._servers.append(await asyncio.start_server(self._converse, sock=tcp))
        except OSError:
            await self.stop()
            raise

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens."""
        return [transport.get_extra_info("sockname") for transport in self._transports]

    async def stop(self) -> None:
        for transport in self._transports:
            transport.close()
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._transports.clear()
        self._servers.clear()

    # the table

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        if (service := new or old) is not None:
            self._mark((service.metadata.namespace, service.metadata.name))

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for each in (old, new):
            if each is not None:
                self._mark(service_of(each))

    def _mark(self, key: Key) -> None:
        self._stale.add(key)
        self._answers.clear()

    def _refresh(self) -> None:
        for namespace, name in self._stale:
            service = self._services.cache.get(name, namespace)
            slices = self._slices.cache.by_index(SERVICE_NAME, f"{namespace}/{name}")
            self.table.replace((namespace, name), names(service, slices, self.table.zone) if service else {})
        self._stale.clear()

    # questions

    def known(self, data: bytes, tcp: bool) -> bytes | None:
        """The answer, when it can be given at once: kept, or from the table."""
        key = data[2:], tcp
        kept = self._answers.get(key)
        if kept is not None and len(kept) == VARIANTS:
            kept.append(kept.pop(0))
            return data[:2] + kept[0]
        question = DNSRecord.parse(data)
        if question.header.qr or len(question.questions) != 1:
            return bytes(refused(question, RCODE.FORMERR).pack())
        name = normal(question)
        if not ours(name, self.table.zone):
            return None if self._upstream else bytes(refused(question, RCODE.REFUSED).pack())
        self._refresh()
        reply = answer(question, self.table)
        if self._upstream and alias_outside(reply, self.table.zone) and question.q.qtype != QTYPE.CNAME:
            return None
        made = packed(reply, question, tcp=tcp)
        if len(self._answers) >= CACHED:
            self._answers.clear()
        self._answers.setdefault(key, []).extend([made[2:]] * (1 if len(reply.rr) > 1 else VARIANTS))
        return made

    async def ask(self, data: bytes, tcp: bool) -> bytes:
        """The answer, asking other resolvers where it has to. DNSError when that is no question."""
        if (made := self.known(data, tcp)) is not None:
            return made
        question = DNSRecord.parse(data)
        try:
            if not ours(normal(question), self.table.zone):
                return await forward(data, self._upstream, tcp=tcp)
            reply = answer(question, self.table)
            goal = DNSRecord(q=DNSQuestion(alias_outside(reply, self.table.zone), question.q.qtype))
            goal.header.rd = 1
            more = DNSRecord.parse(await forward(bytes(goal.pack()), self._upstream))
            for record in more.rr:
                reply.add_answer(record)
            return packed(reply, question, tcp=tcp)
        except (NoAnswer, DNSError):
            return bytes(refused(question, RCODE.SERVFAIL).pack())

    def spawn(self, data: bytes, transport: asyncio.DatagramTransport, source: tuple[str, int]) -> None:
        """Answer a datagram that has to wait for others."""
        task = asyncio.get_running_loop().create_task(self._answer_later(data, transport, source))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_later(self, data: bytes, transport: asyncio.DatagramTransport, source: tuple[str, int]) -> None:
        reply = await self.ask(data, False)
        if not transport.is_closing():
            transport.sendto(reply, source)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TCP connection: a length before each question and answer."""
        try:
            while True:
                async with asyncio.timeout(IDLE):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    data = await reader.readexactly(size)
                reply = await self.ask(data, True)
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, DNSError, struct.error):
            pass  # the client has gone, or does not speak DNS
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    """What comes by UDP."""

    def __init__(self, dns: ClusterDns) -> None:
        self._dns = dns
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is no subclass

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        with contextlib.suppress(DNSError, struct.error):  # not a question: silence is the only safe answer
            reply = self._dns.known(data, False)
            if reply is None:
                self._dns.spawn(data, self._transport, addr)
            else:
                self._transport.sendto(reply, addr)


def _listeners(place: tuple[str, int]) -> tuple[socket.socket, socket.socket]:
    """UDP and TCP on the same port; port 0 is any that both have free."""
    tries = TRIES if place[1] == 0 else 1
    while True:
        tries -= 1
        udp = _listener(socket.SOCK_DGRAM, place)
        try:
            return udp, _listener(socket.SOCK_STREAM, udp.getsockname())
        except OSError:
            udp.close()
            if not tries:
                raise


def _listener(kind: socket.SocketKind, place: tuple[str, int]) -> socket.socket:
    """A bound socket; the address may appear later, when the network is made."""
    sock = socket.socket(
        socket.AF_INET6 if ":" in place[0] else socket.AF_INET, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    )
    try:
        sock.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(place)
        if kind == socket.SOCK_STREAM:
            sock.listen(128)
    except OSError:
        sock.close()
        raise
    return sock
