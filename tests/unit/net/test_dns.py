"""Questions over real sockets on loopback, to a server whose informers are caches the test fills."""

import asyncio
import struct
from contextlib import asynccontextmanager

import pytest
from dnslib import QTYPE, RCODE, RR, A, DNSRecord

from knarr.client.cache import Cache
from knarr.kinds.types.core_v1 import Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net.dns import ClusterDns

BASE = "kubia.default.svc.cluster.local"


class FilledInformer:
    """Stands for an informer: what is put in is told at once."""

    def __init__(self):
        self.cache, self.listeners = Cache(), []

    def on_change(self, listener):
        self.listeners.append(listener)

    def put(self, obj):
        old = self.cache.put(obj)
        for listener in self.listeners:
            listener(old, obj)


class FilledInformers:
    def __init__(self):
        self.by_type = {Service: FilledInformer(), EndpointSlice: FilledInformer()}

    def of(self, kind):
        return self.by_type[kind]


def a_service(name="kubia", **spec) -> Service:
    ports = [ServicePort(name="http", port=80, protocol="TCP")]
    return Service(
        metadata=ObjectMeta(name=name, namespace="default", uid=name),
        spec=ServiceSpec(**{"clusterIP": "None", "ports": ports, **spec}),
    )


def a_slice(*ips: str) -> EndpointSlice:
    labels = {"kubernetes.io/service-name": "kubia"}
    return EndpointSlice(
        metadata=ObjectMeta(name="kubia-x", namespace="default", uid="x", labels=labels),
        addressType="IPv4",
        endpoints=[Endpoint(addresses=[ip], hostname=f"kubia-{n}") for n, ip in enumerate(ips)],
        ports=[EndpointPort(name="http", port=8080, protocol="TCP")],
    )


@asynccontextmanager
async def serving(*objects, upstream=()):
    informers = FilledInformers()
    dns = ClusterDns(informers, upstream=upstream)
    for obj in objects:
        informers.of(type(obj)).put(obj)
    await dns.start([("127.0.0.1", 0)])
    try:
        yield dns, informers
    finally:
        await dns.stop()


class _Client(asyncio.DatagramProtocol):
    def __init__(self):
        self.answer = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, addr):
        self.answer.set_result(data)


async def ask(dns, name, kind="A", edns=0) -> DNSRecord:
    question = DNSRecord.question(name, kind)
    if edns:
        from dnslib import EDNS0

        question.add_ar(EDNS0(udp_len=edns))
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_datagram_endpoint(_Client, remote_addr=dns.addresses[0])
    try:
        transport.sendto(question.pack())
        return DNSRecord.parse(await asyncio.wait_for(client.answer, 5))
    finally:
        transport.close()


async def ask_tcp(dns, name, kind="A") -> DNSRecord:
    reader, writer = await asyncio.open_connection(*dns.addresses[0])
    question = DNSRecord.question(name, kind).pack()
    writer.write(struct.pack("!H", len(question)) + question)
    (size,) = struct.unpack("!H", await reader.readexactly(2))
    data = await reader.readexactly(size)
    writer.close()
    return DNSRecord.parse(data)


def shown(reply):
    return RCODE[reply.header.rcode], sorted(str(record.rdata) for record in reply.rr)


CASES = {
    "an address": (BASE, "A", ("NOERROR", ["10.244.0.2", "10.244.0.3"])),
    "a name in capitals": (BASE.upper(), "A", ("NOERROR", ["10.244.0.2", "10.244.0.3"])),
    "a pod": (f"kubia-1.{BASE}", "A", ("NOERROR", ["10.244.0.3"])),
    "no IPv6 address, but the name is there": (BASE, "AAAA", ("NOERROR", [])),
    "a name of the zone nobody has": ("nobody.default.svc.cluster.local", "A", ("NXDOMAIN", [])),
    "a short name with the search list's first end": ("kubia-1.kubia.svc.cluster.local", "A", ("NXDOMAIN", [])),
    "a name of the world outside, when nobody is asked": ("example.org", "A", ("REFUSED", [])),
    "a private address nobody has": ("9.9.9.10.in-addr.arpa", "PTR", ("NXDOMAIN", [])),
    "a pod's address": ("3.0.244.10.in-addr.arpa", "PTR", ("NOERROR", [f"kubia-1.{BASE}."])),
}


@pytest.mark.parametrize(("name", "kind", "expected"), CASES.values(), ids=CASES)
async def test_the_server_answers(name, kind, expected):
    async with serving(a_service(), a_slice("10.244.0.2", "10.244.0.3")) as (dns, _):
        assert shown(await ask(dns, name, kind)) == expected
        assert shown(await ask_tcp(dns, name, kind)) == expected


async def test_nothing_found_comes_with_the_zones_soa():
    async with serving() as (dns, _):
        reply = await ask(dns, "nobody.default.svc.cluster.local")
        assert [(str(record.rname), QTYPE[record.rtype]) for record in reply.auth] == [("cluster.local.", "SOA")]


async def test_srv_brings_the_addresses_along():
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        reply = await ask(dns, f"_http._tcp.{BASE}", "SRV")
        assert [str(record.rdata) for record in reply.rr] == [f"0 100 8080 kubia-0.{BASE}."]
        assert [str(record.rdata) for record in reply.ar] == ["10.244.0.2"]


async def test_a_change_is_in_the_very_next_answer():
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, informers):
        for address in ("10.244.0.7", "10.244.0.8"):
            await ask(dns, f"kubia-0.{BASE}")
            informers.of(EndpointSlice).put(a_slice(address))
            assert shown(await ask(dns, f"kubia-0.{BASE}")) == ("NOERROR", [address])


async def test_addresses_come_in_changing_order():
    async with serving(a_service(), a_slice(*(f"10.244.0.{n}" for n in range(2, 10)))) as (dns, _):
        replies = [await ask(dns, BASE) for _ in range(40)]
        assert len({str(reply.rr[0].rdata) for reply in replies}) > 1
        assert len({tuple(sorted(str(record.rdata) for record in reply.rr)) for reply in replies}) == 1


async def test_what_does_not_fit_into_a_datagram_comes_by_tcp():
    async with serving(a_service(), a_slice(*(f"10.244.0.{n}" for n in range(2, 102)))) as (dns, _):
        short, longer = await ask(dns, BASE), await ask(dns, f"kubia-1.{BASE}", edns=4096)
        assert short.header.tc
        assert not longer.header.tc
        assert len((await ask_tcp(dns, BASE)).rr) == 100


class _Outside(asyncio.DatagramProtocol):
    """A resolver that knows one name."""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        question = DNSRecord.parse(data)
        reply = question.reply()
        reply.add_answer(RR(question.q.qname, QTYPE.A, rdata=A("192.0.2.80"), ttl=60))
        self.transport.sendto(reply.pack(), addr)


@asynccontextmanager
async def outside():
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Outside, local_addr=("127.0.0.1", 0))
    host, port = transport.get_extra_info("sockname")
    yield f"{host}:{port}"
    transport.close()


async def test_other_names_are_asked_elsewhere():
    async with outside() as resolver, serving(upstream=[resolver]) as (dns, _):
        assert shown(await ask(dns, "example.org")) == ("NOERROR", ["192.0.2.80"])


async def test_an_external_name_is_followed_outside():
    external = a_service("away", clusterIP="", type="ExternalName", externalName="example.org", ports=[])
    async with outside() as resolver, serving(external, upstream=[resolver]) as (dns, _):
        reply = await ask(dns, "away.default.svc.cluster.local")
        assert shown(reply) == ("NOERROR", ["192.0.2.80", "example.org."])


async def test_a_resolver_that_is_not_there_is_a_server_failure():
    async with outside() as resolver:
        gone = resolver
    async with serving(upstream=[gone]) as (dns, _):
        assert shown(await ask(dns, "example.org")) == ("SERVFAIL", [])


async def test_noise_is_ignored_and_the_next_question_answered():
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(_Client, remote_addr=dns.addresses[0])
        for noise in (b"", b"\x00", b"\xff" * 40):
            transport.sendto(noise)
        transport.close()
        assert shown(await ask(dns, BASE)) == ("NOERROR", ["10.244.0.2"])
