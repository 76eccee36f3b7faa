"""From a DNS question to its answer, by the table alone. Pure; `dns.py` calls it and keeps what it gives.

An answer is bytes without an ID. Addresses are a ring of records of one size: each time it is given, an answer begins
with the next one, so that clients that take the first spread over all, and where only some fit, all have their turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from knarr.meta import clock
from knarr.net import wire
from knarr.net.records import Record, Table, dashed, unreversed
from knarr.net.wire import Question

CHAIN = 8  #: how many aliases within the zone are followed
REFUSED_TYPES = (wire.AXFR, wire.IXFR)  #: nobody may have the whole zone


@dataclass(slots=True)
class Answer:
    """One answer to one question, as bytes after the ID."""

    code: int
    start: bytes  #: header, question and the aliases before the ring
    ring: bytes = b""  #: records of `step` bytes each, of which `window` bytes are shown
    step: int = 0
    window: int = 0
    end: bytes = b""
    turn: int = 0
    away: str = ""  #: the name outside where an alias leads; its addresses have to be asked for elsewhere

    @property
    def size(self) -> int:
        """Bytes that it takes to keep it."""
        return len(self.start) + len(self.ring) + len(self.end)

    def give(self, id_: bytes) -> bytes:
        """The message for this ID."""
        if not self.step:
            return id_ + self.start + self.end
        ring, at = self.ring, self.turn
        self.turn = (at + self.step) % len(ring)
        shown = ring[at : at + self.window]
        if len(shown) < self.window:
            shown += ring[: self.window - len(shown)]
        return id_ + self.start + shown + self.end


def ours(name: str, zone: str) -> bool:
    """Whether this name is for us to answer: the zone's, and reverse names of private addresses."""
    if name.endswith(zone) and (name == zone or name.endswith(f".{zone}")):
        return True
    if name.endswith((".in-addr.arpa", ".ip6.arpa")):
        address = unreversed(name)
        return bool(address) and ip_address(address).is_private
    return False


def answer(question: Question, table: Table, ttl: int, *, tcp: bool) -> Answer:
    """The authoritative answer to a question about one of our names, never larger than the client may be sent."""
    made = _whole(question, table, ttl, tcp=tcp)
    if 2 + len(made.start) + made.window + len(made.end) <= (wire.TCP_MOST if tcp else question.room):
        return made
    return Answer(made.code, wire.head(question, made.code, flags=wire.AA | wire.TC), end=wire.option(question))


def _whole(question: Question, table: Table, ttl: int, *, tcp: bool) -> Answer:
    if question.class_ != wire.IN or question.type in REFUSED_TYPES:
        return Answer(wire.REFUSED, wire.error(question, wire.REFUSED))
    if question.name == table.zone and question.type in (wire.SOA, wire.NS):
        return _apex(question, table, ttl, tcp=tcp)
    name, found = question.name, table.find(question.name)
    owner, before, aliases = wire.pointer(wire.HEAD), b"", 0
    followed: set[str] = set()
    while question.type != wire.CNAME and aliases < CHAIN and name not in followed:
        alias = next((record for record in found or () if record.kind == "CNAME"), None)
        if alias is None:
            break
        begins = wire.HEAD + len(question.raw) + len(before) + len(owner) + 10
        before += wire.record(owner, wire.CNAME, ttl, wire.encoded(alias.value))
        followed.add(name)
        owner, aliases, name = wire.pointer(begins), aliases + 1, alias.value
        if not ours(name, table.zone):
            start = wire.head(question, 0, answers=aliases) + before
            return Answer(wire.NOERROR, start, end=wire.option(question), away=name)
        found = table.find(name)
    kind = question.kind
    fitting = [record for record in found or () if record.kind == kind]
    room = (wire.TCP_MOST if tcp else question.room) - wire.HEAD - len(question.raw) - len(before)
    layout = _Layout(question, owner, before, aliases, ttl, room - len(wire.option(question)))
    if not fitting:
        code = wire.NXDOMAIN if found is None else wire.NOERROR
        return layout.nothing(code, name, table.zone)
    if question.type == wire.SRV:
        return layout.services([*dict.fromkeys(fitting)], table)
    values = [*dict.fromkeys(record.value for record in fitting)]
    if question.type in (wire.A, wire.AAAA):
        return layout.addresses(values)
    return layout.others(preferred(values, name) if question.type == wire.PTR else values)


def preferred(names: Sequence[str], name: str) -> list[str]:
    """What an address leads back to: the service whose own it is alone, else its pods' names, given ones first."""
    fewest = min(each.count(".") for each in names)
    made = dashed(unreversed(name)) + "."
    return sorted((each for each in names if each.count(".") == fewest), key=lambda each: each.startswith(made))


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the records of one answer go. `room` is what they may take, in bytes."""

    question: Question
    owner: bytes
    before: bytes
    aliases: int
    ttl: int
    room: int

    def addresses(self, found: Sequence[str]) -> Answer:
        """Addresses, which take turns. What does not fit is left out, and the answer says so."""
        start = wire.record(self.owner, self.question.type, self.ttl, wire.address(found[0]))
        size = 16 if self.question.type == wire.AAAA else 4
        before, step = start[:-size], len(start)
        ring = b"".join([before + wire.address(each) for each in found])
        shown = min(len(found), max(0, self.room // step))
        head = self._head(shown, cut=shown < len(found)) + self.before
        end = wire.option(self.question)
        if not shown:
            return Answer(wire.NOERROR, head, end=end)
        return Answer(wire.NOERROR, head, ring, step, shown * step, end, clock.rng().randrange(len(found)) * step)

    def others(self, found: Sequence[str]) -> Answer:
        """Names or texts."""
        made = wire.text if self.question.type == wire.TXT else wire.encoded
        laid = [wire.record(self.owner, self.question.type, self.ttl, made(each)) for each in found]
        shown = _fitting(laid, self.room)
        start = self._head(shown, cut=shown < len(laid)) + self.before
        return Answer(wire.NOERROR, start + b"".join(laid[:shown]), end=wire.option(self.question))

    def services(self, found: Sequence[Record], table: Table) -> Answer:
        """SRV records, and the addresses of what they point at as far as they fit, so that nobody has to ask again."""
        weight = max(1, 100 // len(found))
        laid: list[bytes] = []
        targets: dict[str, int] = {}
        at = wire.HEAD + len(self.question.raw) + len(self.before)
        room = self.room
        for record in found:
            piece = wire.record(self.owner, wire.SRV, self.ttl, wire.srv(weight, record.port, record.value))
            if len(piece) > room:
                break
            targets.setdefault(record.value, at + len(self.owner) + 16)
            laid.append(piece)
            at, room = at + len(piece), room - len(piece)
        more = self._addresses(targets, table, room) if len(laid) == len(found) else []
        start = self._head(len(laid), cut=len(laid) < len(found), more=len(more))
        return Answer(wire.NOERROR, start + self.before + b"".join(laid + more), end=wire.option(self.question))

    def _addresses(self, targets: dict[str, int], table: Table, room: int) -> list[bytes]:
        more: list[bytes] = []
        for target, offset in targets.items():
            owner = wire.pointer(offset) if offset < wire.POINTED else wire.encoded(target)
            for record in dict.fromkeys(table.find(target) or ()):
                if record.kind not in ("A", "AAAA"):
                    continue
                piece = wire.record(owner, wire.NUMBERS[record.kind], self.ttl, wire.address(record.value))
                if len(piece) > room:
                    return more
                more.append(piece)
                room -= len(piece)
        return more

    def nothing(self, code: int, name: str, zone: str) -> Answer:
        """No such name, or none of that kind: with the zone's SOA, which says for how long that may be believed."""
        if name != zone and not name.endswith(f".{zone}"):
            zone = "ip6.arpa" if name.endswith("ip6.arpa") else "in-addr.arpa"
        piece = wire.record(wire.encoded(zone), wire.SOA, self.ttl, wire.soa(zone, int(clock.unix()), self.ttl))
        start = wire.head(self.question, code, answers=self.aliases, authorities=1)
        return Answer(code, start + self.before + piece, end=wire.option(self.question))

    def _head(self, shown: int, *, cut: bool, more: int = 0) -> bytes:
        flags = wire.AA | (wire.TC if cut else 0)
        return wire.head(self.question, wire.NOERROR, answers=self.aliases + shown, more=more, flags=flags)


def _fitting(laid: Sequence[bytes], room: int) -> int:
    """How many of them fit, from the first on."""
    for number, piece in enumerate(laid):
        room -= len(piece)
        if room < 0:
            return number
    return len(laid)


def _apex(question: Question, table: Table, ttl: int, *, tcp: bool) -> Answer:
    """Who is responsible for the zone; a name server with its addresses."""
    zone, server = table.zone, f"ns.dns.{table.zone}"
    is_soa = question.type == wire.SOA
    data = wire.soa(zone, int(clock.unix()), ttl) if is_soa else wire.encoded(server)
    piece = wire.record(wire.pointer(wire.HEAD), question.type, ttl, data)
    end, more = wire.option(question), []
    if not is_soa:
        begins = wire.HEAD + len(question.raw)
        room = (wire.TCP_MOST if tcp else question.room) - begins - len(piece) - len(end)
        at = begins + len(piece) - len(data)
        more = _Layout(question, b"", b"", 0, ttl, room)._addresses({server: at}, table, room)
    return Answer(wire.NOERROR, wire.head(question, 0, answers=1, more=len(more)) + piece + b"".join(more), end=end)
