"""Loads rules with the `nft` command, in this network namespace or in a named one. Each load is one transaction."""

import asyncio
import errno
import logging
import shutil
import socket
import struct
from typing import Final

from knarr.net import namespace
from knarr.net.netlink import NETFILTER, Netlink, attribute, text

GET_TABLE: Final = 10 << 8 | 1  #: linux/netfilter/nf_tables.h
TABLE_NAME: Final = 1

log = logging.getLogger("knarr.net")


def is_installed() -> bool:
    return shutil.which("nft") is not None


async def apply(text: str, place: str = "") -> bool:
    """Load rules, in a named network namespace or here; whether that worked. What nft refuses is logged."""
    prefix = ["nsenter", f"--net={namespace.path(place)}"] if place else []
    process = await asyncio.create_subprocess_exec(
        *prefix,
        "nft",
        "-f",
        "-",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate(text.encode())
    if process.returncode:
        log.warning("nft refused the rules of %s: %s", place or "the host", said.decode(errors="replace").strip()[:500])
    return process.returncode == 0


async def is_loaded(table: str, place: str = "") -> bool:
    """Whether an IPv4 table is there: somebody may have flushed all rules."""
    return await asyncio.to_thread(_is_loaded, table, place)


def _is_loaded(table: str, place: str) -> bool:
    if place:
        with namespace.inside(place):
            return _is_loaded(table, "")
    question = struct.pack("=BBH", socket.AF_INET, 0, 0) + attribute(TABLE_NAME, text(table))
    with Netlink(NETFILTER) as kernel:
        try:
            kernel.ask(GET_TABLE, 0, question)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            return False
        return True
