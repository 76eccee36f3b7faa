"""What an exec or attach talks to: five streams, whatever protocol carries them.

`spdy_remote` and `websocket_remote` make one; `copying.serve` copies between it and a runtime's session.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from knarr.node.runtimes.runtime import ByteReader, ByteWriter

#: newest first; SPDY knows up to v4
SPDY_PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
SOCKET_PROTOCOLS = (
    "v5.channel.k8s.io",
    "v5.base64.channel.k8s.io",
    "v4.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "v3.channel.k8s.io",
    "v2.channel.k8s.io",
    "channel.k8s.io",
    "base64.channel.k8s.io",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the client's query asks for."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


@dataclass(slots=True)
class Remote:
    """The client's end. Streams it did not ask for are None."""

    version: int  #: of the protocol: from 4 on the error stream carries a Status
    stdin: ByteReader | None
    stdout: ByteWriter | None
    stderr: ByteWriter | None
    error: ByteWriter | None
    resize: ByteReader | None
    gone: asyncio.Task[None]  #: ends when the client hangs up
    close: Callable[[], Awaitable[None]]


def version(protocol: str) -> int:
    """Of a subprotocol: v4.base64.channel.k8s.io is 4, channel.k8s.io is 1."""
    head = protocol.partition(".")[0]
    return int(head[1:]) if head[:1] == "v" and head[1:].isdigit() else 1


def chosen(offered: list[str], known: tuple[str, ...]) -> str | None:
    """The client's first offer that is known."""
    return next((each for each in offered if each in known), None)
