"""Loads rules with the `nft` command, in this network namespace or in a named one. Each load is one transaction."""

import asyncio
import logging
import shutil

from knarr.net import namespace

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
