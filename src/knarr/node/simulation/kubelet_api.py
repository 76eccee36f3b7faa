"""One kubelet API for all simulated nodes of a process: a single socket, which tells by the address it was reached at
which node is meant.

Every simulated node has an address of 127.0.0.0/8 of its own; the socket takes connections of the loopback link alone,
so that nothing of it can be reached from outside. Where a socket cannot be tied to a link, all nodes share 127.0.0.1
and the pod that is asked for tells the node.
"""

import asyncio
import socket
import sys
from collections.abc import Callable

from knarr.node.api import KubeletApi, serving_context
from knarr.node.config import NodeConfig
from knarr.node.http_server import Answer, HttpServer, Request
from knarr.node.simulation.machine import SimulatedNode

BACKLOG = 512
SHARED = "127.0.0.1"  #: the address of every simulated node where nodes cannot have their own

Find = Callable[[str], SimulatedNode | None]


def own_addresses() -> bool:
    """Whether nodes can have loopback addresses of their own: on Linux all of 127.0.0.0/8 is there."""
    return sys.platform == "linux"


def loopback_socket() -> socket.socket:
    """A socket bound to all loopback addresses, or where that cannot be to 127.0.0.1."""
    listening = socket.socket()
    try:
        if own_addresses():
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
            listening.bind(("0.0.0.0", 0))  # noqa: S104 - of the loopback link alone
        else:
            listening.bind((SHARED, 0))
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


class SharedKubeletApi:
    """Answers for every node; `by_address` and `by_pod` find the one that is meant."""

    def __init__(
        self, config: NodeConfig, by_address: Find, by_pod: Callable[[str, str], SimulatedNode | None]
    ) -> None:
        self._config, self._by_address, self._by_pod = config, by_address, by_pod
        self._http = HttpServer(self._answer)
        self._context = serving_context(config)

    async def start(self) -> int:
        """Listen; the port. OSError when that cannot be."""
        return await self._http.start_on(loopback_socket(), self._context)

    async def reload(self) -> None:
        """Take the certificate anew from its file: it names more nodes than before."""
        config = self._config
        if self._context is not None and config.serving_cert is not None:
            await asyncio.to_thread(self._context.load_cert_chain, config.serving_cert, config.serving_key)

    async def stop(self) -> None:
        await self._http.stop()

    async def _answer(self, request: Request) -> Answer:
        node = self._node(request)
        if node is None:
            raise ConnectionResetError("no agent runs on this node")  # ends the connection, as a dead machine would
        return await KubeletApi(node).answer(request)

    def _node(self, request: Request) -> SimulatedNode | None:
        address = request.writer.get_extra_info("sockname")[0]
        if address != SHARED:
            return self._by_address(address)
        words = request.path.strip("/").split("/")
        return self._by_pod(words[1], words[2]) if len(words) > 2 else None
