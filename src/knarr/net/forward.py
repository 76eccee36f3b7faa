"""Asking other resolvers for what is not the cluster's: UDP first, TCP when cut off; what they say is kept for a while.

Keeps true: an answer is taken only from the resolver that was asked, for the ID and the question that it was asked;
equal questions under way share one; and there is a bound to how many are under way and how many answers are kept.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from knarr.meta import clock
from knarr.net import wire
from knarr.net.wire import Question

SECONDS = 2.0  #: how long one resolver may take
MOST_UNDER_WAY = 1000
KEPT = 10_000  #: answers
KEPT_SIZE = 4096  #: bytes of the longest
KEPT_SECONDS = 30  #: the longest an answer is kept, as the CoreDNS that kubeadm installs does
Key = tuple[str, int, int, bool, bool, int]
Told = Callable[[str, int | None, float], None]  #: of a resolver, its response code or None, and the seconds it took


class NoAnswer(Exception):
    """No resolver answered, or there is none, or too many are being asked."""


@dataclass(slots=True)
class Kept:
    """An answer without its ID, and where its times to live are."""

    data: bytes
    ttls: tuple[int, ...]
    since: float
    until: float

    def aged(self, now: float) -> bytes:
        """The answer as it is now: its times to live have run on."""
        passed = int(now - self.since)
        if not passed:
            return self.data
        data = bytearray(self.data)
        for at in self.ttls:
            struct.pack_into("!I", data, at, max(0, struct.unpack_from("!I", data, at)[0] - passed))
        return bytes(data)


class Forwarder:
    """Asks `resolvers` ("address" or "address:port") in turn, beginning with the one that answered last."""

    def __init__(self, resolvers: Sequence[str], told: Told = lambda place, code, seconds: None) -> None:
        self.places = [place_of(each) for each in resolvers]
        self.kept: dict[Key, Kept] = {}
        self.hits = self.misses = self.refused = 0
        self._under_way: dict[Key, asyncio.Task[bytes]] = {}
        self._best = 0
        self._told = told

    async def ask(self, question: Question) -> bytes:
        """The answer after its ID, whole, however long it is. NoAnswer when none came in time."""
        key = question.name, question.type, question.class_, question.edns, question.dnssec, question.flags & wire.CD
        loop = asyncio.get_running_loop()
        if (kept := self.kept.get(key)) is not None:
            if loop.time() < kept.until:
                self.hits += 1
                return kept.aged(loop.time())
            del self.kept[key]
        self.misses += 1
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= MOST_UNDER_WAY:
                self.refused += 1
                raise NoAnswer("too many questions are under way")
            task = self._under_way[key] = loop.create_task(self._ask(key, question))
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)

    async def stop(self) -> None:
        """Give up what is under way."""
        tasks = [*self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, key: Key, task: asyncio.Task[bytes]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # those who waited have got it; nobody may be left who does

    async def _ask(self, key: Key, question: Question) -> bytes:
        loop = asyncio.get_running_loop()
        first = self._best
        for turn in range(len(self.places)):
            number = (first + turn) % len(self.places)
            place, began = self.places[number], loop.time()
            try:
                async with asyncio.timeout(SECONDS):
                    data = await _ask_place(question, place)
                ttl, ttls = lifetime(data)
            except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError, IndexError, struct.error):
                self._told(f"{place[0]}:{place[1]}", None, loop.time() - began)
                continue
            self._told(f"{place[0]}:{place[1]}", data[3] & 0xF, loop.time() - began)
            self._best = number
            self._keep(key, data, min(ttl, KEPT_SECONDS), ttls)
            return data[2:]
        raise NoAnswer("no resolver has answered")

    def _keep(self, key: Key, data: bytes, seconds: int, ttls: tuple[int, ...]) -> None:
        if seconds <= 0 or len(data) > KEPT_SIZE:
            return
        if len(self.kept) >= KEPT:
            del self.kept[next(iter(self.kept))]
        now = asyncio.get_running_loop().time()
        self.kept[key] = Kept(data[2:], tuple(at - 2 for at in ttls), now, now + seconds)


def place_of(resolver: str) -> tuple[str, int]:
    """ "10.0.0.1", "10.0.0.1:5353", "fd00::1" and "[fd00::1]:5353". ValueError for anything else."""
    if resolver.startswith("["):
        host, _, port = resolver[1:].partition("]")
        port = port.removeprefix(":")
    elif resolver.count(":") == 1:
        host, _, port = resolver.partition(":")
    else:
        host, port = resolver, ""
    number = int(port) if port.isascii() and port.isdecimal() else 0
    if port and not 0 < number < 1 << 16:
        raise ValueError(f"{port!r} is no port")
    return str(ip_address(host)), number or 53


def lifetime(data: bytes) -> tuple[int, tuple[int, ...]]:
    """How many seconds an answer may be kept, and where its times to live are; 0 for one that says no such thing.

    Raise ValueError, IndexError or struct.error when it is no whole message. Of "there is nothing" it is the SOA that
    counts (RFC 2308).
    """
    _, flags, questions, answers, authorities, additional = struct.unpack_from("!6H", data)
    at = wire.HEAD
    for _ in range(questions):
        at = wire.skip(data, at) + 4
    places: list[int] = []
    shortest: int | None = None
    nothing = 0
    for number in range(answers + authorities + additional):
        at = wire.skip(data, at)
        type_, _, ttl, length = struct.unpack_from("!HHIH", data, at)
        if type_ != wire.OPT:
            places.append(at + 4)
        if number < answers:
            shortest = ttl if shortest is None else min(shortest, ttl)
        elif type_ == wire.SOA and number < answers + authorities and length >= 20:
            nothing = min(ttl, struct.unpack_from("!I", data, at + 10 + length - 4)[0])
        at += 10 + length
    if at > len(data):
        raise ValueError("the answer is cut off")
    if flags & wire.TC or flags & 0xF not in (wire.NOERROR, wire.NXDOMAIN):
        return 0, tuple(places)
    return nothing if shortest is None else shortest, tuple(places)


def fitted(question: Question, answer: bytes, *, tcp: bool) -> bytes:
    """A forwarded answer for this client: in its own spelling, and cut to its head when it does not fit by UDP."""
    (flags,) = struct.unpack_from("!H", answer)
    room = wire.TCP_MOST if tcp else question.room
    if len(answer) + 2 > room:
        return wire.head(question, flags & 0xF, flags=wire.TC) + wire.option(question)
    return answer[:10] + question.raw + answer[10 + len(question.raw) :]


async def _ask_place(question: Question, place: tuple[str, int]) -> bytes:
    """Ask one resolver; the whole message."""
    asked = _request(question)
    answer = await _ask_udp(asked, question, place)
    if answer[2] & wire.TC >> 8:
        answer = await _ask_tcp(asked, place)
        if not _fits(asked, question, answer):
            raise ValueError("that was not what was asked")
    return answer


def _request(question: Question) -> bytes:
    flags = wire.RD | question.flags & wire.CD
    id_ = clock.rng().getrandbits(16)
    head = struct.pack("!6H", id_, flags, 1, 0, 0, 1 if question.edns else 0)
    return head + question.raw + wire.option(question)


def _fits(asked: bytes, question: Question, data: bytes) -> bool:
    """Whether that is an answer to this question."""
    end = wire.HEAD + len(question.raw)
    same = data[:2] == asked[:2] and len(data) >= end and data[2] & 0x80
    name, rest = data[wire.HEAD : end - 4], data[end - 4 : end]
    ours = question.raw[:-4].lower(), question.raw[-4:]
    return bool(same) and data[4:6] == b"\0\1" and (name.lower(), rest) == ours


class _Answer(asyncio.DatagramProtocol):
    """Waits for the answer to one question; whatever else comes is somebody's guess."""

    def __init__(self, asked: bytes, question: Question) -> None:
        self._asked, self._question = asked, question
        self.future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.future.done() and _fits(self._asked, self._question, data):
            self.future.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(exc)


async def _ask_udp(asked: bytes, question: Question, place: tuple[str, int]) -> bytes:
    """From a socket of its own, so from a port that nobody can guess."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _Answer(asked, question), remote_addr=place)
    try:
        transport.sendto(asked)
        return await protocol.future
    finally:
        transport.close()


async def _ask_tcp(asked: bytes, place: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*place, family=socket.AF_UNSPEC)
    try:
        writer.write(struct.pack("!H", len(asked)) + asked)
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        return await reader.readexactly(size)
    finally:
        writer.close()
