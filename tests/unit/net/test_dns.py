"""Questions over real sockets on loopback, to a server whose informers are caches the test fills."""

import asyncio
import re
import socket
import struct
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from dnslib import CLASS, EDNS0, QTYPE, RCODE, RR, SOA, A, DNSHeader, DNSRecord

from knarr.client.cache import Cache
from knarr.kinds.types.core_v1 import Namespace, Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta import clock
from knarr.net import dns as dns_module
from knarr.net import wire
from knarr.net.dns import ClusterDns, others
from knarr.net.dns_sockets import listener, listeners
from knarr.net.forward import place_of

BASE = "kubia.default.svc.cluster.local"
PATIENCE = 60  #: seconds for what must come
ASIDE = "127.0.0.77"  #: of loopback, and nobody else's: a port that is free there stays so


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Nobody gives up only because the machine is busy."""
    for name in ("forward.SECONDS", "dns_sockets.IDLE", "dns_sockets.CROWDED"):
        monkeypatch.setattr(f"knarr.net.{name}", PATIENCE)


class FilledInformer:
    """Stands for an informer: what is put in is told at once."""

    def __init__(self):
        self.cache, self.listeners, self.synced = Cache(), [], True

    def on_change(self, listener):
        self.listeners.append(listener)

    async def wait_synced(self):
        pass

    def put(self, obj):
        old = self.cache.put(obj)
        for told in self.listeners:
            told(old, obj)

    def drop(self, name, namespace="default"):
        old = self.cache.drop((namespace, name))
        for told in self.listeners:
            told(old, None)


class FilledInformers:
    def __init__(self):
        self.by_type = {Service: FilledInformer(), EndpointSlice: FilledInformer(), Namespace: FilledInformer()}

    def of(self, kind):
        return self.by_type[kind]


def a_service(name="kubia", **spec) -> Service:
    ports = [ServicePort(name="http", port=80, protocol="TCP")]
    return Service(
        metadata=ObjectMeta(name=name, namespace="default", uid=name),
        spec=ServiceSpec(**{"clusterIP": "None", "ports": ports, **spec}),
    )


def a_slice(*ips: str, name="kubia-x", prefix="kubia", **annotations: str) -> EndpointSlice:
    labels = {"kubernetes.io/service-name": "kubia"}
    return EndpointSlice(
        metadata=ObjectMeta(name=name, namespace="default", uid=name, labels=labels, annotations=annotations),
        addressType="IPv4",
        endpoints=[Endpoint(addresses=[ip], hostname=f"{prefix}-{n}") for n, ip in enumerate(ips)],
        ports=[EndpointPort(name="http", port=8080, protocol="TCP")],
    )


@asynccontextmanager
async def serving(*objects, upstream=()):
    informers = FilledInformers()
    dns = ClusterDns(informers, upstream=upstream)
    for obj in (Namespace(metadata=ObjectMeta(name="default")), *objects):
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


async def exchange(dns, data: bytes) -> bytes:
    """Send bytes by UDP and give those that come back."""
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_datagram_endpoint(_Client, remote_addr=dns.addresses[0])
    try:
        transport.sendto(data)
        return await asyncio.wait_for(client.answer, PATIENCE)
    finally:
        transport.close()


async def ask(dns, name, kind="A", edns=0) -> DNSRecord:
    question = DNSRecord.question(name, kind)
    if edns:
        question.add_ar(EDNS0(udp_len=edns))
    return DNSRecord.parse(await exchange(dns, question.pack()))


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
    "a namespace": ("default.svc.cluster.local", "A", ("NOERROR", [])),
    "a pod's address as a name": ("10-1-2-3.default.pod.cluster.local", "A", ("NOERROR", ["10.1.2.3"])),
    "the version of the schema": ("dns-version.cluster.local", "TXT", ("NOERROR", ['"1.1.0"'])),
    "everything of a name at once, which nobody needs": (BASE, "ANY", ("NOERROR", [])),
    "the whole zone, which nobody gets": ("cluster.local", "AXFR", ("REFUSED", [])),
    "what changed of it neither": ("cluster.local", "IXFR", ("REFUSED", [])),
    "who is responsible for the zone": ("cluster.local", "NS", ("NOERROR", ["ns.dns.cluster.local."])),
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


async def test_the_zones_name_server_brings_its_addresses_along():
    spec = ServiceSpec(clusterIP="10.96.0.10", clusterIPs=["10.96.0.10", "fd00:10:96::a"])
    own = Service(metadata=ObjectMeta(name="kube-dns", namespace="kube-system", uid="dns"), spec=spec)
    async with serving(own) as (dns, _):
        for reply in (await ask(dns, "cluster.local", "NS"), await ask_tcp(dns, "cluster.local", "NS")):
            assert [str(record.rdata) for record in reply.rr] == ["ns.dns.cluster.local."]
            found = [(str(record.rname), str(record.rdata)) for record in reply.ar]
            assert found == [(f"{reply.rr[0].rdata}", ip) for ip in ("10.96.0.10", "fd00:10:96::a")]
        assert [str(record.rdata) for record in (await ask(dns, "cluster.local", "SOA")).ar] == []


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


class Outside(asyncio.DatagramProtocol):
    """A resolver of the test's own: it knows example.org, a long name by TCP only, and counts what it is asked."""

    def __init__(self):
        self.asked, self.place, self.silent, self.change, self.when_asked = [], "", False, None, lambda: None
        self.was_asked = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.place = "{}:{}".format(*transport.get_extra_info("sockname"))

    def datagram_received(self, data, addr):
        question = DNSRecord.parse(data)
        self.asked.append(str(question.q.qname))
        self.was_asked.set()
        self.when_asked()
        if self.silent:
            return
        reply = self.answer(question, tcp=False)
        if self.change:
            for wrong in self.change(reply):
                self.transport.sendto(bytes(wrong.pack()), addr)
        self.transport.sendto(bytes(reply.pack()), addr)

    def answer(self, question, tcp):
        reply = question.reply()
        name = str(question.q.qname)
        if name == "long.example." and not tcp:
            reply.header.tc = 1
        elif name == "long.example.":
            for number in range(200):
                reply.add_answer(RR(question.q.qname, QTYPE.A, rdata=A(f"192.0.2.{number}"), ttl=60))
        elif name.lower() == "example.org.":
            reply.add_answer(RR(question.q.qname, QTYPE.A, rdata=A("192.0.2.80"), ttl=60))
        else:
            reply.header.rcode = RCODE.NXDOMAIN
            reply.add_auth(RR("example", QTYPE.SOA, ttl=60, rdata=SOA("ns.example", "admin.example", (1, 1, 1, 1, 20))))
        return reply

    async def converse(self, reader, writer):
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        data = bytes(self.answer(DNSRecord.parse(await reader.readexactly(size)), tcp=True).pack())
        writer.write(struct.pack("!H", len(data)) + data)
        writer.close()


@asynccontextmanager
async def outside():
    udp, tcp = listeners(("127.0.0.1", 0))
    transport, resolver = await asyncio.get_running_loop().create_datagram_endpoint(Outside, sock=udp)
    server = await asyncio.start_server(resolver.converse, sock=tcp)
    yield resolver
    transport.close()
    server.close()


async def test_other_names_are_asked_elsewhere_once():
    async with outside() as resolver, serving(upstream=[resolver.place]) as (dns, _):
        assert shown(await ask(dns, "example.org")) == ("NOERROR", ["192.0.2.80"])
        again = await ask(dns, "Example.ORG")
        assert (str(again.q.qname), shown(again)) == ("Example.ORG.", ("NOERROR", ["192.0.2.80"]))
        assert resolver.asked == ["example.org."]


async def test_equal_questions_under_way_are_one():
    async with outside() as resolver, serving(upstream=[resolver.place]) as (dns, _):
        replies = await asyncio.gather(*(ask(dns, "example.org") for _ in range(20)))
        assert {shown(reply)[0] for reply in replies} == {"NOERROR"}
        assert len(resolver.asked) == 1


async def test_that_there_is_nothing_is_kept_too():
    async with outside() as resolver, serving(upstream=[resolver.place]) as (dns, _):
        for _ in range(2):
            assert shown(await ask(dns, "nobody.example")) == ("NXDOMAIN", [])
        assert len(resolver.asked) == 1


async def test_what_is_long_is_fetched_by_tcp_and_given_by_tcp():
    async with outside() as resolver, serving(upstream=[resolver.place]) as (dns, _):
        short = await ask(dns, "long.example")
        assert short.header.tc and not short.rr
        assert len((await ask_tcp(dns, "long.example")).rr) == 200


async def test_a_resolver_that_is_silent_is_given_up_for_the_next_and_then_asked_last(monkeypatch):
    async with outside() as dead, outside() as alive, serving(upstream=[dead.place, alive.place]) as (dns, _):
        dead.silent = True
        monkeypatch.setattr("knarr.net.forward.SECONDS", 0.05)
        dead.when_asked = lambda: monkeypatch.setattr("knarr.net.forward.SECONDS", PATIENCE)
        assert shown(await ask(dns, "example.org"))[0] == "NOERROR"
        assert shown(await ask(dns, "nobody.example"))[0] == "NXDOMAIN"
        assert (len(dead.asked), len(alive.asked)) == (1, 2)


async def test_a_guessed_answer_is_not_believed():
    def guesses(reply):
        forged = DNSRecord.parse(reply.pack())
        forged.rr = [RR(reply.q.qname, QTYPE.A, rdata=A("192.0.2.66"), ttl=60)]
        forged.header.id = reply.header.id ^ 1
        other = DNSRecord.parse(reply.pack())
        other.questions = [DNSRecord.question("example.net").q]
        return [forged, other]

    async with outside() as resolver, serving(upstream=[resolver.place]) as (dns, _):
        resolver.change = guesses
        assert shown(await ask(dns, "example.org")) == ("NOERROR", ["192.0.2.80"])


async def test_an_external_name_is_followed_outside():
    external = a_service("away", clusterIP="", type="ExternalName", externalName="example.org", ports=[])
    async with outside() as resolver, serving(external, upstream=[resolver.place]) as (dns, _):
        reply = await ask(dns, "away.default.svc.cluster.local", edns=1232)
        assert shown(reply) == ("NOERROR", ["192.0.2.80", "example.org."])
        assert shown(await ask(dns, "away.default.svc.cluster.local", "CNAME")) == ("NOERROR", ["example.org."])


async def test_an_external_name_is_an_alias_when_nobody_is_asked():
    external = a_service("away", clusterIP="", type="ExternalName", externalName="example.org", ports=[])
    async with serving(external) as (dns, _):
        assert shown(await ask(dns, "away.default.svc.cluster.local")) == ("NOERROR", ["example.org."])


async def test_an_external_name_within_the_cluster_is_followed_at_once():
    near = a_service("near", clusterIP="", type="ExternalName", externalName=BASE, ports=[])
    async with serving(near, a_service(), a_slice("10.244.0.2", "10.244.0.3")) as (dns, _):
        wanted = ("NOERROR", ["10.244.0.2", "10.244.0.3", f"{BASE}."])
        assert shown(await ask(dns, "near.default.svc.cluster.local")) == wanted
        reply = await ask(dns, "near.default.svc.cluster.local", "SRV")
        assert [str(record.rname) for record in reply.rr] == ["near.default.svc.cluster.local.", f"{BASE}.", f"{BASE}."]


async def test_long_aliases_are_not_sent_by_udp_beyond_what_fits():
    end = ".default.svc.cluster.local"
    long = [
        a_service(f"{c * 63}", clusterIP="", type="ExternalName", externalName=f"{d * 63}{end}", ports=[])
        for c, d in ("ab", "bc", "cd", "de", "ef", "fg")
    ]
    async with serving(*long) as (dns, _):
        reply = await exchange(dns, bytes(DNSRecord.question("a" * 63 + end).pack()))
        assert len(reply) <= 512 and DNSRecord.parse(reply).header.tc
        assert len((await ask_tcp(dns, "a" * 63 + end)).rr) == 6


async def test_external_names_that_lead_to_each_other_end():
    names = [
        a_service(a, clusterIP="", type="ExternalName", externalName=f"{b}.default.svc.cluster.local", ports=[])
        for a, b in (("here", "there"), ("there", "here"))
    ]
    async with serving(*names) as (dns, _):
        reply = await ask(dns, "here.default.svc.cluster.local")
        assert [str(record.rname).partition(".")[0] for record in reply.rr] == ["here", "there"], "each of them once"


async def test_an_external_name_that_no_message_can_hold_is_a_server_failure():
    endless = a_service("away", clusterIP="", type="ExternalName", externalName=f"{'a' * 64}.example", ports=[])
    async with serving(endless) as (dns, _):
        assert shown(await ask(dns, "away.default.svc.cluster.local")) == ("SERVFAIL", [])


async def test_a_resolver_that_is_not_there_is_a_server_failure():
    async with outside() as resolver:
        gone = resolver.place
    async with serving(upstream=[gone]) as (dns, _):
        assert shown(await ask(dns, "example.org")) == ("SERVFAIL", [])


async def test_the_server_does_not_ask_itself():
    informers = FilledInformers()
    udp, tcp = listeners((ASIDE, 0))
    place = udp.getsockname()
    udp.close()
    tcp.close()
    dns = ClusterDns(informers, upstream=[f"{place[0]}:{place[1]}"])
    await dns.start([place])
    try:
        assert shown(await ask(dns, "example.org")) == ("REFUSED", [])
    finally:
        await dns.stop()


async def test_noise_is_ignored_and_the_next_question_answered():
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(_Client, remote_addr=dns.addresses[0])
        for noise in (b"", b"\x00", b"\xff" * 40):
            transport.sendto(noise)
        transport.close()
        assert shown(await ask(dns, BASE)) == ("NOERROR", ["10.244.0.2"])


async def test_a_second_slice_adds_and_a_slice_that_goes_takes_along_only_its_own():
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, informers):
        slices = informers.of(EndpointSlice)
        slices.put(a_slice("10.244.0.3", name="kubia-y"))
        assert shown(await ask(dns, BASE)) == ("NOERROR", ["10.244.0.2", "10.244.0.3"])
        slices.drop("kubia-x")
        assert shown(await ask(dns, BASE)) == ("NOERROR", ["10.244.0.3"])


async def test_a_service_that_goes_and_comes_again_has_its_endpoints_again():
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, informers):
        informers.of(Service).drop("kubia")
        assert shown(await ask(dns, BASE)) == ("NXDOMAIN", [])
        informers.of(Service).put(a_service())
        assert shown(await ask(dns, BASE)) == ("NOERROR", ["10.244.0.2"])


async def test_a_namespace_that_goes_takes_its_pod_domain_along():
    async with serving() as (dns, informers):
        assert shown(await ask(dns, "10-1-2-3.default.pod.cluster.local")) == ("NOERROR", ["10.1.2.3"])
        informers.of(Namespace).drop("default", namespace="")
        assert shown(await ask(dns, "10-1-2-3.default.pod.cluster.local")) == ("NXDOMAIN", [])


async def test_a_service_of_thousands_is_cut_by_udp_and_still_answered_by_tcp():
    slices = [a_slice(*(f"10.244.{n}.{m}" for m in range(100)), name=f"s{n}", prefix=f"s{n}") for n in range(60)]
    async with serving(a_service(), *slices) as (dns, _):
        short = await ask(dns, BASE)
        assert short.header.tc and len(short.rr) == (512 - 12 - len(BASE) - 6) // 16
        whole = await ask_tcp(dns, BASE)
        assert whole.header.tc and len(whole.rr) == (65535 - 12 - len(BASE) - 6) // 16
        names = await ask_tcp(dns, f"_http._tcp.{BASE}", "SRV")
        assert names.header.tc and len(names.rr) > 900


async def test_every_endpoint_of_a_cut_answer_comes_first_in_turn():
    async with serving(a_service(), a_slice(*(f"10.244.0.{n}" for n in range(100)))) as (dns, _):
        replies = [await ask(dns, BASE) for _ in range(100)]
        assert len({str(reply.rr[0].rdata) for reply in replies}) == 100


async def test_an_answer_has_a_time_to_live_and_so_has_nothing():
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        assert (await ask(dns, BASE)).rr[0].ttl == 30
        soa = (await ask(dns, f"x.{BASE}")).auth[0]
        assert (soa.ttl, soa.rdata.times[4]) == (30, 30)


def header(**bits) -> DNSRecord:
    """A question for an address of ours, with other bits in its header."""
    return DNSRecord(DNSHeader(rd=1, **bits), q=DNSRecord.question(BASE).q)


def two_questions() -> DNSRecord:
    question = header()
    question.add_question(DNSRecord.question("example.org").q)
    return question


def of_another_class() -> DNSRecord:
    question = header()
    question.q.qclass = CLASS.CH
    return question


def with_options(*options) -> DNSRecord:
    question = header()
    for option in options:
        question.add_ar(option)
    return question


WRONG = {
    "two questions": (two_questions(), "FORMERR"),
    "a status question": (header(opcode=2), "NOTIMP"),
    "an update": (header(opcode=5), "NOTIMP"),
    "another class": (of_another_class(), "REFUSED"),
    "EDNS twice": (with_options(EDNS0(), EDNS0()), "FORMERR"),
    "a later version of EDNS": (with_options(EDNS0(version=1)), "NOERROR"),  # and BADVERS in the option
}


@pytest.mark.parametrize(("question", "code"), WRONG.values(), ids=WRONG)
async def test_a_wrong_question_is_told_so(question, code):
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        reply = DNSRecord.parse(await exchange(dns, bytes(question.pack())))
        assert (RCODE[reply.header.rcode], reply.rr, reply.header.id) == (code, [], question.header.id)
        assert reply.header.opcode == question.header.opcode, "else it is no answer to what was asked"


async def test_a_later_version_of_edns_is_refused_in_the_option():
    async with serving() as (dns, _):
        reply = DNSRecord.parse(await exchange(dns, with_options(EDNS0(version=1)).pack()))
        assert [record.edns_ver for record in reply.ar] == [0]
        assert [record.edns_rcode for record in reply.ar] == [1]


async def test_who_speaks_edns_is_answered_in_it():
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        assert [record.edns_len for record in (await ask(dns, BASE, edns=4096)).ar] == [1232]
        assert (await ask(dns, BASE)).ar == []


async def test_an_answer_is_not_answered():
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_datagram_endpoint(_Client, remote_addr=dns.addresses[0])
        transport.sendto(bytes(header(qr=1).pack()))
        assert shown(await ask(dns, BASE)) == ("NOERROR", ["10.244.0.2"])
        assert not client.answer.done()
        transport.close()


async def test_what_is_asked_and_answered_is_counted():
    told = {"endpoints.kubernetes.io/last-change-trigger-time": clock.timestamp()}
    async with outside() as resolver, serving(a_service(), upstream=[resolver.place]) as (dns, informers):
        service = a_service(selector={"app": "kubia"})
        informers.of(Service).put(service)
        informers.of(EndpointSlice).put(a_slice("10.244.0.2", **told))
        for _ in range(3):
            await ask(dns, BASE)
        await ask_tcp(dns, f"x.{BASE}")
        await ask(dns, "example.org")
        await ask(dns, "example.org")
        text = dns.metrics.text()
    lines = {line.partition("{")[0] + line.rpartition("}")[2] for line in text.splitlines()}
    assert re.search(r'coredns_dns_requests_total{.*proto="udp",family="1",type="A"} 5\n', text), text
    assert re.search(r'coredns_dns_responses_total{.*rcode="NXDOMAIN",plugin="kubernetes"} 1\n', text)
    assert {
        "coredns_dns_request_duration_seconds_count 6",
        "coredns_kubernetes_dns_programming_duration_seconds_count 1",
        "coredns_cache_hits_total 1",
        "coredns_cache_misses_total 1",
        "coredns_proxy_request_duration_seconds_count 1",
    } <= lines, text


async def test_the_counts_can_be_read_over_http():
    dns = ClusterDns(FilledInformers())
    with listener(socket.SOCK_STREAM, (ASIDE, 0)) as free:
        place = free.getsockname()
    await dns.start([("127.0.0.1", 0)], counts=[place])
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://{ASIDE}:{place[1]}/metrics") as answer:
            assert answer.status == 200
            assert "# TYPE coredns_dns_requests_total counter" in await answer.text()
    finally:
        await dns.stop()


HOSTILE = {
    "a length and nothing more": b"\xff\xff",
    "a length of nothing": b"\0\0",
    "a length too small for what it holds": struct.pack("!H", 5) + b"\0" * 40,
    "noise": b"\xff" * 70_000,
    "half a length": b"\0",
    "an answer": struct.pack("!H", 12) + b"\0\1\x80\0" + b"\0" * 8,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
async def test_who_speaks_no_dns_by_tcp_is_hung_up_on(monkeypatch, data):
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        with monkeypatch.context() as impatient:
            impatient.setattr("knarr.net.dns_sockets.IDLE", 0.05)
            reader, writer = await asyncio.open_connection(*dns.addresses[0])
            writer.write(data)
            with suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
            writer.close()
        assert shown(await ask_tcp(dns, BASE)) == ("NOERROR", ["10.244.0.2"])


async def test_no_more_connections_are_held_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr("knarr.net.dns_sockets.CONNECTIONS", 2)
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        held = [await asyncio.open_connection(*dns.addresses[0]) for _ in range(2)]
        await ask(dns, BASE)  # by then the server has seen both
        reader, writer = await asyncio.open_connection(*dns.addresses[0])
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        for _, each in [*held, (reader, writer)]:
            each.close()


async def converse(reader, writer):
    """The answer to a question over a connection that is there; b"" when it has been hung up on."""
    asked = DNSRecord.question(BASE).pack()
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        writer.write(struct.pack("!H", len(asked)) + asked)
        (size,) = struct.unpack("!H", await asyncio.wait_for(reader.readexactly(2), PATIENCE))
        return await reader.readexactly(size)
    return b""


async def test_one_client_that_holds_all_it_may_leaves_room_for_others(monkeypatch):
    monkeypatch.setattr("knarr.net.dns_sockets.CONNECTIONS_EACH", 2)
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        place = dns.addresses[0]
        held = [await asyncio.open_connection(*place) for _ in range(2)]
        assert all([await converse(*each) for each in held])
        more = await asyncio.open_connection(*place)
        other = await asyncio.open_connection(*place, local_addr=("127.0.0.2", 0))
        assert (await converse(*more), len(await converse(*other)) > 0) == (b"", True)
        assert "knarr_dns_connections_refused_total 1\n" in dns.metrics.text()
        held.pop()[1].close()
        for each in (*held, more, other):
            each[1].close()
        async with asyncio.timeout(PATIENCE):
            while not await converse(*(again := await asyncio.open_connection(*place))):
                again[1].close()  # until the server has heard of the one that closed
        again[1].close()


async def test_who_is_silent_is_hung_up_on_sooner_when_many_are_there(monkeypatch):
    monkeypatch.setattr("knarr.net.dns_sockets.CONNECTIONS", 4)
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        held = [await asyncio.open_connection(*dns.addresses[0]) for _ in range(3)]
        assert all([await converse(*each) for each in held])
        monkeypatch.setattr("knarr.net.dns_sockets.CROWDED", 0.05)
        await converse(*held[-1])  # from its next silence on
        assert await asyncio.wait_for(held[-1][0].read(), PATIENCE) == b""
        for each in held:
            each[1].close()


async def test_several_questions_go_over_one_connection():
    async with serving(a_service(), a_slice("10.244.0.2")) as (dns, _):
        reader, writer = await asyncio.open_connection(*dns.addresses[0])
        asked = [DNSRecord.question(name).pack() for name in (BASE, f"x.{BASE}", f"kubia-0.{BASE}")]
        writer.write(b"".join(struct.pack("!H", len(each)) + each for each in asked))
        for each, code in zip(asked, ("NOERROR", "NXDOMAIN", "NOERROR"), strict=True):
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            reply = DNSRecord.parse(await reader.readexactly(size))
            assert (reply.header.id, RCODE[reply.header.rcode]) == (int.from_bytes(each[:2], "big"), code)
        writer.close()


async def test_questions_beyond_what_may_be_under_way_fail_at_once(monkeypatch):
    monkeypatch.setattr("knarr.net.forward.MOST_UNDER_WAY", 1)
    async with outside() as resolver, serving(upstream=[resolver.place]) as (dns, _):
        resolver.silent = True
        waiting = asyncio.ensure_future(ask(dns, "slow.example"))
        await resolver.was_asked.wait()
        assert shown(await ask(dns, "example.org")) == ("SERVFAIL", [])
        assert "coredns_forward_max_concurrent_rejects_total 1\n" in dns.metrics.text()
        waiting.cancel()


PLACES = {
    "an address": ("192.0.2.1", ("192.0.2.1", 53)),
    "an address and a port": ("192.0.2.1:5353", ("192.0.2.1", 5353)),
    "an address of IPv6": ("fd00::1", ("fd00::1", 53)),
    "in brackets": ("[fd00::1]", ("fd00::1", 53)),
    "in brackets, with a port": ("[fd00::1]:5353", ("fd00::1", 5353)),
    "one of a link": ("fe80::1%lo", ("fe80::1%lo", 53)),
}


@pytest.mark.parametrize(("text", "place"), PLACES.values(), ids=PLACES)
def test_a_resolver_is(text, place):
    assert place_of(text) == place


@pytest.mark.parametrize("text", ["", "dns.example", "192.0.2.1:0x35", "192.0.2.1:65536", "192.0.2.1:0", "::1::"])
def test_what_is_no_resolver_is_left_out(text, caplog):
    assert others([text, "192.0.2.1"], []) == ["192.0.2.1"]
    assert f"resolver {text!r} is not asked" in caplog.text


async def test_however_a_question_is_spelled_its_answers_take_bounded_memory(monkeypatch):
    monkeypatch.setattr("knarr.net.dns.KEPT_SIZE", 50_000)
    async with serving(a_service(), a_slice(*(f"10.244.0.{n}" for n in range(200)))) as (dns, _):
        for number in range(40):
            name = "".join(c.upper() if number >> n & 1 else c for n, c in enumerate("kubia"))
            dns.known(bytes(DNSRecord.question(BASE.replace("kubia", name)).pack()), tcp=False)
            assert sum(kept.size for kept, _ in dns._answers.values()) <= 50_000
        assert shown(await ask_tcp(dns, BASE))[0] == "NOERROR"


async def test_when_too_many_wait_for_others_the_next_is_told_so_at_once(monkeypatch):
    monkeypatch.setattr(dns_module, "MOST_WAITING", 0)
    said = []

    class Sock:
        def sendto(self, data, place):
            said.append((data[:2], data[3] & 0xF, place))

    async with serving(upstream=("127.0.0.1:9",)) as (dns, _):
        dns.spawn(DNSRecord.question("far.example.com").pack(), Sock(), ("127.0.0.1", 1))
    assert [(code, place) for _, code, place in said] == [(wire.SERVFAIL, ("127.0.0.1", 1))]
