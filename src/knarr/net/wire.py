"""DNS messages as bytes: questions read, answers laid out. Pure; RFC 1035, 2782, 3596, 6891.

A question is read by hand because anybody may send one: every length is checked before it is believed, names are
walked once, and a pointer is never followed (in a question there is nothing behind it to point at). Answers are laid
out so that records of one kind have one size: `answers.py` turns such a ring of records without building it anew.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV, OPT, IXFR, AXFR, ANY = 1, 2, 5, 6, 12, 16, 28, 33, 41, 251, 252, 255
IN = 1
TYPES = {
    A: "A", NS: "NS", CNAME: "CNAME", SOA: "SOA", PTR: "PTR", TXT: "TXT", AAAA: "AAAA", SRV: "SRV",
    15: "MX", 35: "NAPTR", 43: "DS", 48: "DNSKEY", 64: "SVCB", 65: "HTTPS", IXFR: "IXFR", AXFR: "AXFR", ANY: "ANY",
}  # fmt: skip
NUMBERS = {name: number for number, name in TYPES.items()}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 16: "BADVERS"}
QR, AA, TC, RD, RA, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0010
OPCODE = 0x7800
HEAD = 12  #: bytes before the question
NAME_MOST, LABEL_MOST = 255, 63  #: bytes, with the lengths
POINTER = 0xC0
POINTED = 0x4000  #: the first offset that no pointer reaches
UDP_SIZE, UDP_MOST, TCP_MOST = 512, 1232, 65535  #: bytes: without EDNS, what never gets fragmented, by TCP
DO = 0x8000


class NoQuestion(Exception):
    """Bytes that get no answer at all: no header, or an answer itself (two servers must not talk for ever)."""


class Wrong(Exception):
    """A question that gets an error; `code` is the response code, `question` what could be read of it."""

    def __init__(self, code: int, question: "Question") -> None:
        super().__init__(code)
        self.code, self.question = code, question


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked. `name` is in lower case, without the last dot, labels' own dots escaped."""

    flags: int
    name: str
    type: int
    class_: int
    raw: bytes  #: the question section, as it came; b"" when it could not be read
    room: int  #: bytes that an answer by UDP may have
    edns: bool = False
    dnssec: bool = False  #: the client would see signatures

    @property
    def kind(self) -> str:
        return TYPES.get(self.type, "other")


def parse(data: bytes) -> Question:
    """Read a question. Raise NoQuestion or Wrong."""
    if len(data) < HEAD:
        raise NoQuestion
    _, flags, questions, answers, authorities, additional = struct.unpack_from("!6H", data)
    if flags & QR:
        raise NoQuestion
    nothing = Question(flags, "", 0, IN, b"", UDP_SIZE)
    if flags & OPCODE:
        raise Wrong(NOTIMP, nothing)
    if questions != 1:
        raise Wrong(FORMERR, nothing)
    try:
        name, end = _name(data, HEAD)
        type_, class_ = struct.unpack_from("!2H", data, end)
        raw = data[HEAD : end + 4]
        plain = Question(flags, name, type_, class_, raw, UDP_SIZE)
        option = _option(data, end + 4, answers + authorities, additional) if additional else None
    except (struct.error, IndexError, ValueError):
        raise Wrong(FORMERR, nothing) from None
    if option is None:
        return plain
    size, extended = option
    room = min(max(UDP_SIZE, size), UDP_MOST)
    asked = Question(flags, name, type_, class_, raw, room, True, bool(extended & DO))
    if extended >> 16 & 0xFF:
        raise Wrong(BADVERS, asked)
    return asked


def _name(data: bytes, at: int) -> tuple[str, int]:
    """A name written in full, and where it ends; ValueError for a pointer, IndexError past the end."""
    labels: list[bytes] = []
    start = at
    while size := data[at]:
        if size > LABEL_MOST or at + 1 + size - start >= NAME_MOST:
            raise ValueError
        label = data[at + 1 : at + 1 + size]
        labels.append(label.replace(b"\\", b"\\\\").replace(b".", b"\\.") if b"." in label else label)
        at += 1 + size
    return b".".join(labels).decode("latin-1").lower(), at + 1


def _option(data: bytes, at: int, before: int, additional: int) -> tuple[int, int] | None:
    """The client's EDNS size and its extended flags, or None. ValueError for two of them, or one with a name."""
    found: tuple[int, int] | None = None
    for number in range(before + additional):
        start = at
        at = skip(data, at)
        type_, size, ttl, length = struct.unpack_from("!HHIH", data, at)
        at += 10 + length
        if at > len(data):
            raise ValueError
        if type_ == OPT and number >= before:
            if found is not None or data[start]:
                raise ValueError
            found = size, ttl
    return found


def skip(data: bytes, at: int) -> int:
    """Where a name ends, pointers or not; IndexError past the end, ValueError for a label of no known form."""
    while size := data[at]:
        if size >= POINTER:
            return at + 2
        if size > LABEL_MOST:
            raise ValueError
        at += 1 + size
    return at + 1


# Answers


@lru_cache(4096)
def encoded(name: str) -> bytes:
    """A name of ours in full. ValueError when it is no name: a label of 64 bytes, 256 in all."""
    labels = [label.encode("latin-1") for label in name.split(".")] if name else []
    if any(not 0 < len(label) <= LABEL_MOST for label in labels):
        raise ValueError(f"{name!r} has an empty label or one of more than {LABEL_MOST} bytes")
    data = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    if len(data) > NAME_MOST:
        raise ValueError(f"{name!r} has more than {NAME_MOST} bytes")
    return data


def pointer(offset: int) -> bytes:
    return struct.pack("!H", POINTER << 8 | offset)


def record(owner: bytes, type_: int, ttl: int, data: bytes) -> bytes:
    return owner + struct.pack("!HHIH", type_, IN, ttl, len(data)) + data


def address(text: str) -> bytes:
    """4 or 16 bytes."""
    return inet_pton(AF_INET6 if ":" in text else AF_INET, text)


def text(value: str) -> bytes:
    """TXT: a string of at most 255 bytes."""
    return bytes([len(value)]) + value.encode("latin-1")


def srv(weight: int, port: int, target: str) -> bytes:
    """Priority, weight, port and target; the target's name begins at byte 6, and is never a pointer (RFC 2782)."""
    return struct.pack("!3H", 0, weight, port) + encoded(target)


def soa(zone: str, serial: int, ttl: int) -> bytes:
    """Answers that there is nothing are kept for `ttl` seconds (RFC 2308)."""
    return (
        encoded(f"ns.dns.{zone}") + encoded(f"hostmaster.{zone}") + struct.pack("!5I", serial, 7200, 1800, 86400, ttl)
    )


def option(question: Question, code: int = NOERROR) -> bytes:
    """Our side of EDNS, when the client began it."""
    if not question.edns:
        return b""
    return b"\0" + struct.pack("!HHIH", OPT, UDP_MOST, code >> 4 << 24 | (DO if question.dnssec else 0), 0)


def head(
    question: Question, code: int, *, answers: int = 0, authorities: int = 0, more: int = 0, flags: int = AA
) -> bytes:
    """What follows the ID, up to the end of the question; `more` are additional records beside EDNS' own."""
    kept = question.flags & (OPCODE | RD | CD)
    counts = (1 if question.raw else 0), answers, authorities, more + question.edns
    return struct.pack("!5H", QR | flags | RA | kept | code & 0xF, *counts) + question.raw


def error(question: Question, code: int) -> bytes:
    """An answer with nothing but a response code, without its ID."""
    return head(question, code, flags=0) + option(question, code)
