"""The cluster's DNS server, in the server process: `app` gives it informers and addresses.

A change of a Service, EndpointSlice or Namespace marks what it concerns; the next question brings those records up to
date. So an answer is never older than what the informers know, and a burst of changes costs one pass. Answers are kept
by the question's bytes until anything changes.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Sequence

from aiohttp import web
from dnslib import QTYPE, RR, DNSError, DNSRecord

from knarr.client.informer import Informers
from knarr.kinds.types.core_v1 import Namespace, Service
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.meta import clock
from knarr.net import wire
from knarr.net.answers import Answer, answer, ours
from knarr.net.dns_metrics import DnsMetrics
from knarr.net.dns_sockets import Datagrams, Streams, listener, listeners
from knarr.net.forward import Forwarder, NoAnswer, fitted, place_of
from knarr.net.records import (
    SERVICE_NAME,
    TTL,
    Key,
    Owner,
    Table,
    headless,
    service_names,
    service_of,
    slice_names,
)
from knarr.net.wire import Question, Wrong

Place = tuple[str, int]  #: address and port
AT_ONCE = 16  #: changed services or slices that are brought up to date in one turn of the loop
CACHED = 4096  #: answers that are kept
CACHED_SIZE = 512  #: bytes of the longest question whose answer is
MOST_WAITING = 4096  #: datagrams whose answers others have to give
KEPT_SIZE = 16 << 20  #: bytes of all of them, whoever asks for what in however many spellings
log = logging.getLogger("knarr.net")
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"


class ClusterDns:
    """Answers for `zone`, asks `upstream` resolvers for the rest; with none the rest is refused at once."""

    def __init__(
        self, informers: Informers, *, zone: str = "cluster.local", upstream: Sequence[str] = (), ttl: int = TTL
    ) -> None:
        self.table = Table(zone)
        self.metrics = DnsMetrics(zone)
        self._ttl = ttl
        self._resolvers = tuple(upstream)
        self._forwarder = Forwarder(())
        self._services, self._slices = informers.of(Service), informers.of(EndpointSlice)
        self._namespaces = informers.of(Namespace)
        self._slices.cache.add_index(SERVICE_NAME, lambda each: ["/".join(service_of(each))])
        self._stale: set[Owner] = set()
        self._answers: dict[tuple[bytes, bool], tuple[Answer, list[int]]] = {}
        self._kept_size = 0
        self._datagrams: list[Datagrams] = []
        self._streams: list[Streams] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._counts: list[web.AppRunner] = []
        self._services.on_change(self._service_changed)
        self._slices.on_change(self._slice_changed)
        self._namespaces.on_change(self._namespace_changed)

    async def start(self, addresses: Sequence[Place], counts: Sequence[Place] = ()) -> None:
        """Listen on UDP and TCP, and at `counts` serve the metrics. OSError when one is taken; then nothing listens.

        Not before everything is known: that a name does not exist would be believed for a while.
        """
        await asyncio.gather(*(each.wait_synced() for each in (self._services, self._slices, self._namespaces)))
        while self._stale:
            self._refresh_some()
            await asyncio.sleep(0)
        try:
            for place in addresses:
                udp, tcp = listeners(place)
                self._datagrams.append(Datagrams(udp, self))
                self._streams.append(await Streams.start(tcp, self))
            for place in counts:
                self._counts.append(await self.metrics.serve(listener(socket.SOCK_STREAM, place)))
        except OSError:
            await self.stop()
            raise
        self._forwarder = Forwarder(others(self._resolvers, self.addresses), self.metrics.told)
        self.metrics.watch(self._forwarder, self._answers)
        self.metrics.server = ",".join(f"dns://{host}:{port}" for host, port in self.addresses)

    @property
    def addresses(self) -> list[Place]:
        """Where it listens."""
        return [each.address for each in self._datagrams]

    async def stop(self) -> None:
        for datagrams in self._datagrams:
            datagrams.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *(streams.stop() for streams in self._streams), return_exceptions=True)
        await self._forwarder.stop()
        await asyncio.gather(*(runner.cleanup() for runner in self._counts))
        self._counts.clear()
        self._datagrams.clear()
        self._streams.clear()

    # the table

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        if (service := new or old) is not None:
            self._mark((service.metadata.namespace, service.metadata.name))

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for each in (old, new):
            if each is not None:
                self._mark((*service_of(each), each.metadata.name))
        if new is not None and self._slices.synced:
            self._programmed(new)

    def _namespace_changed(self, old: Namespace | None, new: Namespace | None) -> None:
        if old is not None and new is None:
            self.table.namespaces.discard(old.metadata.name)
        elif new is not None:
            self.table.namespaces.add(new.metadata.name)
        if old is None or new is None:
            self._forget()

    def _mark(self, owner: Owner) -> None:
        """Something of this owner has changed: bring it up to date as soon as nobody waits, or at the next question."""
        if not self._stale and self._datagrams:
            asyncio.get_running_loop().call_soon(self._refresh_some)
        self._stale.add(owner)
        self._forget()

    def _forget(self) -> None:
        """Make every answer anew."""
        self._answers.clear()
        self._kept_size = 0

    def _programmed(self, each: EndpointSlice) -> None:
        """Count how long a change of pods took to come here, as CoreDNS does: of headless services with a selector."""
        namespace, name = service_of(each)
        service = self._services.cache.get(name, namespace)
        moment = each.metadata.annotations.get(TRIGGER_TIME)
        if service is None or not moment or not headless(service) or not service.spec.selector:
            return
        try:
            self.metrics.programmed(max(0.0, clock.unix() - clock.parse(moment).timestamp()))
        except ValueError:
            return  # somebody else's annotation

    def _refresh_some(self) -> None:
        """Bring a few of what is marked up to date, and go on in the loop's next turn: others wait as well."""
        for _ in range(AT_ONCE):
            if self._stale:
                self._renew(self._stale.pop())
        if self._stale and self._datagrams:
            asyncio.get_running_loop().call_soon(self._refresh_some)

    def _refresh(self) -> None:
        """Bring everything that is marked up to date."""
        while self._stale:
            self._renew(self._stale.pop())

    def _renew(self, owner: Owner) -> None:
        key = owner[0], owner[1]
        service = self._services.cache.get(key[1], key[0])
        if len(owner) == 2:
            self._replace(key, service)
        elif service is not None:
            found = self._slices.cache.get(owner[2], owner[0])
            mine = found is not None and service_of(found) == key
            self.table.replace(owner, slice_names(service, found, self.table.zone) if found and mine else {})

    def _replace(self, key: Key, service: Service | None) -> None:
        self.table.drop(key)
        if service is None:
            return
        self.table.replace(key, service_names(service, self.table.zone))
        for each in self._slices.cache.by_index(SERVICE_NAME, "/".join(key)):
            self.table.replace((*key, each.metadata.name), slice_names(service, each, self.table.zone))
            self._stale.discard((*key, each.metadata.name))

    # questions

    def known(self, data: bytes, *, tcp: bool) -> bytes | None:
        """The answer, when it can be given at once: kept, or from the table. NoQuestion when there is none to give."""
        key = data[2:], tcp
        kept = self._answers.get(key)
        if kept is not None:
            kept[1][0] += 1
            return kept[0].give(data[:2])
        try:
            question = wire.parse(data)
        except Wrong as wrong:
            self.metrics.counter(tcp, wrong.question.kind, wrong.code)[0] += 1
            return data[:2] + wire.error(wrong.question, wrong.code)
        made = self._made(question, tcp=tcp)
        if made is None:
            return None
        counter = self.metrics.counter(tcp, question.kind, made.code)
        counter[0] += 1
        if len(data) <= CACHED_SIZE:
            self._kept_size += len(data) + made.size
            if self._kept_size > KEPT_SIZE or len(self._answers) >= CACHED:
                self._forget()
            else:
                self._answers[key] = made, counter
        return made.give(data[:2])

    def _made(self, question: Question, *, tcp: bool) -> Answer | None:
        """An answer of our own; None when others have to be asked."""
        if not ours(question.name, self.table.zone) and question.class_ == wire.IN:
            if self._forwarder.places and question.type not in (wire.AXFR, wire.IXFR):
                return None
            return Answer(wire.REFUSED, wire.error(question, wire.REFUSED))
        self._refresh()
        try:
            made = answer(question, self.table, self._ttl, tcp=tcp)
        except ValueError:  # an object that the API took has a name that no message can hold
            return Answer(wire.SERVFAIL, wire.error(question, wire.SERVFAIL))
        return None if made.away and self._forwarder.places else made

    async def ask(self, data: bytes, *, tcp: bool) -> bytes:
        """The answer, asking other resolvers where it has to. NoQuestion when there is none to give."""
        if (made := self.known(data, tcp=tcp)) is not None:
            return made
        began = asyncio.get_running_loop().time()
        question = wire.parse(data)
        try:
            if ours(question.name, self.table.zone):
                reply = await self._followed(question, tcp=tcp)
            else:
                reply = fitted(question, await self._forwarder.ask(question), tcp=tcp)
        except (NoAnswer, DNSError):
            reply = wire.error(question, wire.SERVFAIL)
        self.metrics.counter(tcp, question.kind, reply[1] & 0xF)[0] += 1
        self.metrics.observe(asyncio.get_running_loop().time() - began)
        return data[:2] + reply

    async def _followed(self, question: Question, *, tcp: bool) -> bytes:
        """The aliases of ours and, behind them, what others say of the name outside where they lead."""
        made = answer(question, self.table, self._ttl, tcp=tcp)
        if not made.away:
            return made.give(b"")
        name = wire.encoded(made.away) + question.raw[-4:]
        outside = Question(wire.RD, made.away, question.type, question.class_, name, wire.UDP_MOST)
        said = DNSRecord.parse(b"\0\0" + await self._forwarder.ask(outside))
        reply = DNSRecord.parse(b"\0\0" + made.give(b""))
        own = [record for record in reply.ar if record.rtype == QTYPE.OPT]
        reply.ar = []
        records: list[RR] = said.rr
        for record in records:
            reply.add_answer(record)
        for record in own:
            reply.add_ar(record)
        reply.header.rcode = said.header.rcode
        whole: bytes = reply.pack()
        return fitted(question, whole[2:], tcp=tcp)

    def spawn(self, data: bytes, sock: socket.socket, source: Place) -> None:
        """Answer a datagram that has to wait for others; with a failure at once when too many do."""
        if len(self._tasks) >= MOST_WAITING:
            question = wire.parse(data)
            self.metrics.counter(False, question.kind, wire.SERVFAIL)[0] += 1
            with contextlib.suppress(OSError):  # gone, or its buffer is full
                sock.sendto(data[:2] + wire.error(question, wire.SERVFAIL), source)
            return
        task = asyncio.get_running_loop().create_task(self._answer_later(data, sock, source))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_later(self, data: bytes, sock: socket.socket, source: Place) -> None:
        reply = await self.ask(data, tcp=False)
        try:
            sock.sendto(reply, source)
        except OSError:
            return  # gone, or its buffer is full: it will ask again


def others(resolvers: Sequence[str], mine: Sequence[Place]) -> list[str]:
    """The resolvers that can be asked: not this server itself, and nothing that is no address."""
    found: list[str] = []
    for each in resolvers:
        try:
            place = place_of(each)
        except ValueError as error:
            log.warning("resolver %r is not asked: %s", each, error)
            continue
        if place not in mine:
            found.append(each)
    return found
