"""From a DNS question to its answer, by the table alone. Pure but for the shuffling; `dns.py` calls it."""

from collections.abc import Sequence
from ipaddress import ip_address

from dnslib import CLASS, CNAME, NS, PTR, QTYPE, RCODE, RR, SOA, SRV, TXT, A, DNSRecord

from knarr.meta import clock
from knarr.net.records import TTL, Record, Table

IN = CLASS.IN
TYPES = {"A": (QTYPE.A, A), "CNAME": (QTYPE.CNAME, CNAME), "PTR": (QTYPE.PTR, PTR), "TXT": (QTYPE.TXT, TXT)}
REVERSE = ".in-addr.arpa"
UDP_SIZE, LARGEST = 512, 1232  #: without EDNS; and what never gets fragmented
CHAIN = 8  #: how many aliases within the zone are followed


def ours(name: str, zone: str) -> bool:
    """Whether this name is for us to answer: the zone's, and reverse names of private addresses."""
    if name == zone or name.endswith(f".{zone}"):
        return True
    if name.endswith(REVERSE):
        try:
            return ip_address(".".join(reversed(name.removesuffix(REVERSE).split(".")))).is_private
        except ValueError:
            return False
    return False


def answer(question: DNSRecord, table: Table) -> DNSRecord:
    """The authoritative answer to a question about one of our names. Addresses come in a new order each time."""
    reply = question.reply(ra=1, aa=1)
    name = normal(question)
    kind = QTYPE[question.q.qtype]
    found = table.find(name)
    asked = question.q.qname
    if name == table.zone and kind in ("SOA", "NS"):
        reply.add_answer(_soa(table.zone) if kind == "SOA" else _ns(table.zone))
        return reply
    for _ in range(CHAIN):
        alias = next((record for record in found or () if record.kind == "CNAME"), None)
        if alias is None or kind == "CNAME":
            break
        reply.add_answer(RR(asked, QTYPE.CNAME, IN, TTL, CNAME(alias.value)))
        asked, found = alias.value, table.find(alias.value)
        if not ours(alias.value, table.zone):
            return reply
    fitting = [record for record in found or () if record.kind == kind or kind == "ANY"]
    clock.rng().shuffle(fitting)
    for record in fitting:
        reply.add_answer(resource(asked, record))
    _add_targets(reply, table, fitting)
    if not fitting:
        reply.header.rcode = RCODE.NXDOMAIN if found is None else RCODE.NOERROR
        reply.add_auth(_soa(table.zone))
    return reply


def alias_outside(reply: DNSRecord, zone: str) -> str:
    """Where an answer's last alias leads when that is not ours to answer, else ""."""
    last = reply.rr[-1] if reply.rr else None
    if last is None or last.rtype != QTYPE.CNAME:
        return ""
    goal = str(last.rdata.label).rstrip(".").lower()
    return "" if ours(goal, zone) else goal


def resource(name: object, record: Record) -> RR:
    if record.kind == "SRV":
        return RR(name, QTYPE.SRV, IN, TTL, SRV(0, record.weight, record.port, record.value))
    number, make = TYPES[record.kind]
    return RR(name, number, IN, TTL, make(record.value))


def _add_targets(reply: DNSRecord, table: Table, found: Sequence[Record]) -> None:
    """The addresses of what SRV records point at, so that nobody has to ask again."""
    for target in dict.fromkeys(record.value for record in found if record.kind == "SRV"):
        for record in table.find(target) or ():
            if record.kind == "A":
                reply.add_ar(resource(target, record))


def _soa(zone: str) -> RR:
    times = (int(clock.unix()), 7200, 1800, 86400, TTL)
    return RR(zone, QTYPE.SOA, IN, TTL, SOA(f"ns.dns.{zone}", f"hostmaster.{zone}", times))


def _ns(zone: str) -> RR:
    return RR(zone, QTYPE.NS, IN, TTL, NS(f"ns.dns.{zone}"))


def refused(question: DNSRecord, code: int) -> DNSRecord:
    reply = question.reply(ra=1, aa=0)
    reply.header.rcode = code
    return reply


def normal(question: DNSRecord) -> str:
    return str(question.q.qname).rstrip(".").lower()


def packed(reply: DNSRecord, question: DNSRecord, *, tcp: bool) -> bytes:
    """The bytes; over UDP an answer that does not fit is cut to its head, so that the client comes by TCP."""
    data: bytes = reply.pack()
    options = [record for record in question.ar if record.rtype == QTYPE.OPT]
    room = min(max(UDP_SIZE, int(options[0].rclass)), LARGEST) if options else UDP_SIZE
    if tcp or len(data) <= room:
        return data
    return bytes(reply.truncate().pack())
