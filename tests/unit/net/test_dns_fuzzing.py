"""DNS messages that mean harm: no crash, nothing but an answer of bounded size or silence.

`seeds/` holds one question a file, in hexadecimal digits; what fuzzing finds is added there.
"""

import struct
from pathlib import Path

import pytest
from dnslib import QTYPE, RR, DNSHeader, DNSQuestion, DNSRecord
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from knarr.kinds.types.core_v1 import Namespace, Service
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net import wire
from knarr.net.dns import ClusterDns
from knarr.net.forward import fitted, lifetime
from knarr.net.wire import NoQuestion, Wrong
from tests.unit.net.test_dns import BASE, FilledInformers, a_service, a_slice

SEEDS = {path.stem.replace("-", " "): bytes.fromhex(path.read_text()) for path in Path(__file__).parent.glob("seeds/*")}
END = ".default.svc.cluster.local"
LONG = f"{'a' * 63}.{'b' * 63}.{'c' * 63}."
NAMES = [
    f"far-0{END}",
    BASE,
    f"kubia-7.{BASE}",
    f"_http._tcp.{BASE}",
    "cluster.local",
    "x.cluster.local",
    "away.default.svc.cluster.local",
]
TOLD = {  # what some seeds have to come to: a response code, or silence
    "compression loop": "FORMERR",
    "many questions announced": "FORMERR",
    "a name of 255 bytes": "REFUSED",
    "a name of 256 bytes": "FORMERR",
    "a label of 64 bytes": "FORMERR",
    "a zone transfer": "REFUSED",
    "a dot within a label": "NXDOMAIN",
    "an update": "NOTIMP",
    "an answer": "silence",
    "nothing": "silence",
}


def a_server() -> ClusterDns:
    """One with a service of more endpoints than fit into a datagram."""
    informers = FilledInformers()
    away = a_service("away", clusterIP="", type="ExternalName", externalName="example.org", ports=[])
    far = [
        a_service(f"far-{n}", clusterIP="", type="ExternalName", externalName=f"{LONG}far-{n + 1}{END}", ports=[])
        for n in range(4)
    ]
    for obj in (a_service(), away, *far, a_slice(*(f"10.244.0.{n}" for n in range(100)))):
        informers.of({"Service": Service}.get(type(obj).__name__, EndpointSlice)).put(obj)
    informers.of(Namespace).put(Namespace(metadata=ObjectMeta(name="default")))
    return ClusterDns(informers)


SERVER = a_server()


def outcome(data: bytes) -> str:
    """Ask; check that the answer is whole, ours and no larger than it may be; its response code, or "silence"."""
    try:
        reply = SERVER.known(data, tcp=False)
    except NoQuestion:
        return "silence"
    assert reply is not None
    assert reply[:2] == data[:2]
    assert reply[2] & 0x80
    assert len(reply) <= room(data)
    assert len(reply) == len(SERVER.known(data, tcp=False))
    if max(data) < 128:  # the library that reads it here knows no others in names
        DNSRecord.parse(reply)
    return wire.CODES[reply[3] & 0xF]


def room(data: bytes) -> int:
    try:
        return wire.parse(data).room
    except Wrong as wrong:
        return wrong.question.room


@pytest.mark.parametrize("data", SEEDS.values(), ids=SEEDS)
def test_a_saved_message_is_answered_within_bounds_or_not_at_all(data):
    outcome(data)


@pytest.mark.parametrize(("seed", "told"), TOLD.items(), ids=TOLD)
def test_a_saved_message_is_told(seed, told):
    assert outcome(SEEDS[seed]) == told


@settings(deadline=None, max_examples=400)
@given(st.binary(max_size=600))
def test_any_bytes_are_answered_within_bounds_or_not_at_all(data):
    outcome(data)


@st.composite
def questions(draw):
    """A sound question, with some of its bytes changed, cut or doubled."""
    asked = DNSQuestion(draw(st.sampled_from(NAMES)), draw(st.sampled_from([*QTYPE.forward])))
    data = bytearray(DNSRecord(DNSHeader(id=draw(st.integers(0, 65535)), rd=1), q=asked).pack())
    if draw(st.booleans()):
        data[10:12] = b"\0\1"
        data += b"\0" + struct.pack("!HHIH", 41, draw(st.integers(0, 65535)), draw(st.sampled_from([0, 1 << 15])), 0)
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    end = draw(st.integers(0, len(data)))
    return bytes(data[:end] if draw(st.integers(0, 4)) == 0 else data)


@settings(deadline=None, max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(questions())
def test_a_question_that_was_tampered_with_is_answered_within_bounds_or_not_at_all(data):
    outcome(data)


def an_answer() -> bytes:
    """What a resolver says."""
    reply = DNSRecord.question("example.org").reply()
    reply.add_answer(*RR.fromZone("example.org. 60 IN A 192.0.2.1"))
    return bytes(reply.pack())


ANSWER = an_answer()
ASKED = wire.parse(bytes(DNSRecord.question("example.org").pack()))


@settings(deadline=None, max_examples=400)
@example(cut=12, changes=[])
@given(
    cut=st.integers(12, len(ANSWER)),
    changes=st.lists(st.tuples(st.integers(2, len(ANSWER) - 1), st.integers(0, 255)), max_size=4),
)
def test_what_a_resolver_says_is_taken_whole_or_refused(cut, changes):
    data = bytearray(ANSWER)
    for at, value in changes:
        data[at] = value
    try:
        seconds, places = lifetime(bytes(data[:cut]))
    except (ValueError, IndexError, struct.error):
        return  # what `Forwarder` takes for no answer
    assert seconds >= 0
    assert all(12 < at <= cut - 4 for at in places)
    assert len(fitted(ASKED, bytes(data[2:cut]), tcp=False)) <= max(cut, ASKED.room)
