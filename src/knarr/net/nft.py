"""Loads rules with the `nft` command, in this network namespace or in a named one. Each load is one transaction."""

import asyncio
import contextlib
import errno
import logging
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from knarr.net import namespace
from knarr.net.netlink import NETFILTER, Netlink, attribute, attributes, text

GET_TABLE, GET_CHAIN = 10 << 8 | 1, 10 << 8 | 4  #: linux/netfilter/nf_tables.h
TABLE_NAME: Final = 1
CHAIN_TABLE, CHAIN_NAME, CHAIN_USE = 1, 3, 6
FAMILIES: Final = {"ip": 2, "ip6": 10, "bridge": 7}  #: the kernel's numbers
LONGEST_ERROR: Final = 500  #: characters that are told of what nft says

log = logging.getLogger("knarr.net")


def is_installed() -> bool:
    return shutil.which("nft") is not None


@contextlib.contextmanager
def _in_memory(text: str) -> Iterator[int]:
    """A file that exists only while it is open: nft reads it at once, where a pipe would have to be fed."""
    number = os.memfd_create("rules", os.MFD_CLOEXEC)
    try:
        with open(number, "wb", closefd=False) as file:
            file.write(text.encode())
        os.lseek(number, 0, os.SEEK_SET)
        yield number
    finally:
        os.close(number)


async def apply(text: str, place: str = "") -> bool:
    """Load rules, in a named network namespace or here; whether that worked. What nft refuses is logged."""
    if said := await load(text, place):
        log.warning("nft refused the rules of %s: %s", place or "the host", said)
    return not said


async def load(text: str, place: str = "", *, check: bool = False) -> str:
    """Load rules, in a named network namespace or here, or only see whether they would be taken; give what nft says
    when it refuses them, else ""."""
    return await asyncio.to_thread(_load, text, place, ["-c"] if check else [])


def _load(text: str, place: str, options: Sequence[str]) -> str:
    try:
        with _in_memory(text) as rules, namespace.inside(place) if place else contextlib.nullcontext():
            command = ["nft", *options, "-f", "-"]
            done = subprocess.run(command, stdin=rules, capture_output=True, check=False)  # noqa: S603
    except OSError as error:  # no such namespace any more, or no nft
        return str(error)
    if not done.returncode:
        return ""
    return done.stderr.decode(errors="replace").strip()[:LONGEST_ERROR] or f"exit code {done.returncode}"


async def is_loaded(table: str, chain: str, place: str = "", family: int = socket.AF_INET) -> bool:
    """Whether a chain of a table is there and has rules: somebody may have flushed them."""
    return await asyncio.to_thread(has_rules, [(table, chain, family)], place)


def has_rules(chains: Iterable[tuple[str, str, int]], place: str = "") -> bool:
    """Whether each of the chains, given by its table, its name and its family, is there and has rules. Blocking."""
    if place:
        with namespace.inside(place):
            return has_rules(chains)
    with Netlink(NETFILTER) as kernel:
        return all(_rules(kernel, *each) > 0 for each in chains)


def has_table(table: str, family: int, place: str = "") -> bool:
    """Whether there is a table of that name, whatever is in it. Blocking."""
    if place:
        with namespace.inside(place):
            return has_table(table, family)
    with Netlink(NETFILTER) as kernel:
        return bool(_found(kernel, GET_TABLE, _head(family) + attribute(TABLE_NAME, text(table))))


def _rules(kernel: Netlink, table: str, chain: str, family: int) -> int:
    """How many rules a chain has, and others that lead to it."""
    asked = _head(family) + attribute(CHAIN_TABLE, text(table)) + attribute(CHAIN_NAME, text(chain))
    answer = _found(kernel, GET_CHAIN, asked)
    return int.from_bytes(dict(attributes(answer[len(_head(family)) :])).get(CHAIN_USE, b""))


def _head(family: int) -> bytes:
    return struct.pack("=BBH", family, 0, 0)


def _found(kernel: Netlink, kind: int, asked: bytes) -> bytes:
    """What the kernel answers, b"" when there is no such thing."""
    try:
        ((_, answer), *_) = kernel.ask(kind, 0, asked)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return b""
    return answer
