"""The health check ports of services whose traffic stays on the node it came to: a balancer asks each node there
whether it has a ready endpoint. Answers as kube-proxy's: 200 or 503, with the number in the body.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from knarr.net import namespace
from knarr.net.records import Key

PATIENCE = 5.0  #: seconds that a request may take to arrive
LONGEST = 8192  #: bytes of a request's head

Port = tuple[str, int]  #: a node's network namespace, and the number
log = logging.getLogger("knarr.net")


class HealthPorts:
    """Keeps listening what `serve` was last told of."""

    def __init__(self) -> None:
        self._counts: dict[Port, tuple[Key, int]] = {}
        self._servers: dict[Port, asyncio.Server] = {}

    async def serve(self, wanted: Mapping[Port, tuple[Key, int]]) -> None:
        """Listen on these ports and on no others. A port that somebody else has is tried again the next time."""
        self._counts = dict(wanted)
        for port in self._servers.keys() - wanted.keys():
            self._servers.pop(port).close()
        for port in wanted.keys() - self._servers.keys():
            try:
                listening = await asyncio.to_thread(_listen, *port)
            except OSError as error:
                log.warning("health check port %d of %s: %s", port[1], port[0], error)
                continue
            self._servers[port] = await asyncio.start_server(
                lambda reader, writer, port=port: self._answer(port, reader, writer),  # type: ignore[misc]
                sock=listening,
                limit=LONGEST,
            )

    def forget(self, spaces: Iterable[str]) -> None:
        """Listen anew in these network namespaces: there may be others now under their names."""
        gone = set(spaces)
        for port in [port for port in self._servers if port[0] in gone]:
            self._servers.pop(port).close()

    async def close(self) -> None:
        await self.serve({})

    async def _answer(self, port: Port, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(PATIENCE):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer(*self._counts.get(port, (("", ""), 0))))
                await writer.drain()
        writer.close()


def answer(service: Key, count: int) -> bytes:
    """The whole response about a service with that many ready endpoints on the node."""
    body = json.dumps(
        {
            "service": {"namespace": service[0], "name": service[1]},
            "localEndpoints": count,
            "serviceProxyHealthy": True,
        }
    )
    head = [
        f"HTTP/1.1 {'200 OK' if count else '503 Service Unavailable'}",
        "Content-Type: application/json",
        "X-Content-Type-Options: nosniff",
        f"X-Load-Balancing-Endpoint-Weight: {count}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*head, "", body]).encode()


def _listen(space: str, number: int) -> socket.socket:
    """A socket in a node's network namespace, where it stays whoever uses it; of both families where there are two."""
    with namespace.inside(space):
        six = has_six()
        made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if six:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            made.bind(("::" if six else "0.0.0.0", number))  # noqa: S104 (no address of a node is beyond this machine)
            made.listen(128)
            made.setblocking(False)
        except OSError:
            made.close()
            raise
        return made


def has_six() -> bool:
    """Whether the network namespace of this thread has addresses of IPv6."""
    listed = Path("/proc/thread-self/net/if_inet6")
    return listed.exists() and any(line.split()[-1] != "lo" for line in listed.read_text().splitlines())
