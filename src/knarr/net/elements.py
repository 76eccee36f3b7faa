"""Puts elements into the maps of a table and takes them out, in one transaction, without the `nft` command: that takes
50 ms to read a thousand services, of which the kernel needs four.

The numbers are linux/netfilter/nf_tables.h's. Of a key or a goal each field takes four bytes, an IPv6 address sixteen.
"""

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from threading import Lock
from typing import Final

from knarr.net import namespace
from knarr.net.base_rules import ADDRESS, MAPS, PORT, PROTOCOL, VERDICT
from knarr.net.families import Family
from knarr.net.netlink import CREATE, NESTED, NETFILTER, Netlink, attribute, text
from knarr.net.table import Change, by_map

SUBSYSTEM: Final = 10
NEW_ELEMENTS, DELETE_ELEMENTS = SUBSYSTEM << 8 | 12, SUBSYSTEM << 8 | 14
LIST_TABLE, LIST_SET, LIST_ELEMENTS, ELEMENT = 1, 2, 3, 1
KEY, DATA, DATA_VALUE, DATA_VERDICT, VERDICT_CODE, VERDICT_CHAIN = 1, 2, 1, 2, 1, 2
CODES: Final = {"drop": 0, "goto": -4}
ROOM: Final = 60_000  #: bytes of elements that go into one message; its lists are 64 KiB at most

VALUE: Final = struct.Struct("=HHHH")
BYTE, SHORT = struct.Struct("Bxxx"), struct.Struct("!Hxx")
FIELDS: Final[Mapping[str, Callable[[str, Family], bytes]]] = {
    ADDRESS: lambda given, family: socket.inet_pton(family.number, given),
    PROTOCOL: lambda given, family: BYTE.pack(int(given)),
    PORT: lambda given, family: SHORT.pack(int(given)),
}

PACKING: Final = Lock()  #: one thread at a time: what it has packed for its place, the others find

Request = tuple[int, int, bytes]


def load(table: str, family: Family, change: Change, place: str = "") -> str:
    """Carry out a change of elements, in a named network namespace or here; what the kernel says when it refuses it,
    else "". Blocking."""
    if place:
        with namespace.inside(place):
            return load(table, family, change)
    try:
        with PACKING:
            wanted = list(requests(table, family, change))
        with Netlink(NETFILTER) as kernel:
            kernel.transact(SUBSYSTEM, wanted)
    except (OSError, ValueError, struct.error) as error:  # the latter of what is no address or no port
        return str(error)
    return ""


def requests(table: str, family: Family, change: Change) -> Iterator[Request]:
    """The messages of a change."""
    yield from _requests(DELETE_ELEMENTS, 0, table, family, dict.fromkeys(change.gone, ""))
    yield from _requests(NEW_ELEMENTS, CREATE, table, family, change.new)


def _requests(
    kind: int, flags: int, table: str, family: Family, elements: Mapping[tuple[str, str], str]
) -> Iterator[Request]:
    for name, held in by_map(elements).items():
        where = struct.pack("!BBH", family.number, 0, 0) + attribute(LIST_TABLE, text(table))
        where += attribute(LIST_SET, text(name))
        parts: list[bytes] = []
        size = 0
        for key, goal in held:
            parts.append(element(name, key, goal, family))
            size += len(parts[-1])
            if size > ROOM:
                yield kind, flags, where + attribute(LIST_ELEMENTS | NESTED, b"".join(parts))
                parts, size = [], 0
        if parts:
            yield kind, flags, where + attribute(LIST_ELEMENTS | NESTED, b"".join(parts))


@lru_cache(maxsize=1 << 14)
def element(name: str, key: str, goal: str, family: Family) -> bytes:
    """One element of a map, or what it is taken out by; of all places of a cluster it is the same."""
    keys, goals = MAPS[name]
    data = _data(goals, goal, family) if goal else b""
    return attribute(ELEMENT | NESTED, _key(keys, key, family) + data)


@lru_cache(maxsize=1 << 14)
def _key(kinds: tuple[str, ...], given: str, family: Family) -> bytes:
    return _value(KEY, kinds, given, family)


def _data(kinds: tuple[str, ...], given: str, family: Family) -> bytes:
    return _verdict(given) if kinds == (VERDICT,) else _value(DATA, kinds, given, family)


@lru_cache(maxsize=1 << 10)
def _verdict(given: str) -> bytes:
    verb, _, chain = given.partition(" ")
    verdict = attribute(VERDICT_CODE, struct.pack("!i", CODES[verb]))
    verdict += attribute(VERDICT_CHAIN, text(chain)) if chain else b""
    return attribute(DATA | NESTED, attribute(DATA_VERDICT | NESTED, verdict))


def _value(attribute_: int, kinds: tuple[str, ...], given: str, family: Family) -> bytes:
    """An attribute that holds nothing but one of data; each of its fields is a multiple of four bytes long."""
    data = b"".join([FIELDS[kind](each, family) for kind, each in zip(kinds, given.split(" . "), strict=True)])
    return VALUE.pack(len(data) + VALUE.size, attribute_ | NESTED, len(data) + VALUE.size // 2, DATA_VALUE) + data
