"""Exec, attach and port-forward of the kubelet API: negotiates the protocol, opens the session, copies.

The upgrade is answered before the command is started, as clients open their streams first; a command that does not
start is told on the error stream.
"""

import asyncio
import contextlib
import os

from knarr.client.pump import pump
from knarr.node.http_server import Answer, Request, Upgraded, switch
from knarr.node.runtimes.runtime import Runtime, RuntimeFailure
from knarr.node.streams import copying, forwarding, spdy_remote, websocket, websocket_remote
from knarr.node.streams.link import SocketLink, TunnelLink, WebSocket
from knarr.node.streams.remote import SOCKET_PROTOCOLS, SPDY_PROTOCOLS, Remote, Wanted, chosen, version
from knarr.node.streams.spdy_streams import Streams

TUNNEL = "tcp"  #: what a connection changes to that carries the bytes of another
DIAL_SECONDS = 20.0  #: until a pod's port answers; the API server waits longer
PROTOCOL_HEADER = "X-Stream-Protocol-Version"
SOCKET_HEADER = "sec-websocket-protocol"


def offers(request: Request, header: str) -> list[str]:
    return [each.strip() for each in request.headers.get(header.lower(), "").split(",") if each.strip()]


def wanted(request: Request) -> Wanted:
    """The streams of the query: the kubelet's names or the API's."""
    return Wanted(
        stdin=request.asks("input") or request.asks("stdin"),
        stdout=request.asks("output") or request.asks("stdout"),
        stderr=request.asks("error") or request.asks("stderr"),
        tty=request.asks("tty"),
    )


class Streaming:
    """Of one node."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def command(self, request: Request, verb: str, uid: str, container: str) -> Answer:
        """Exec or attach. An Answer only when the connection was not upgraded."""
        streams = wanted(request)
        if not (streams.stdin or streams.stdout or streams.stderr):
            return Answer(400, b"you must specify at least 1 of stdin, stdout, stderr")
        if request.upgrade == "spdy/3.1":
            remote = await self._spdy(request, streams)
        elif request.upgrade == "websocket":
            remote = await self._socket(request, streams)
        else:
            return Answer(400, b"Upgrade request required")
        if isinstance(remote, Answer):
            return remote
        if remote is not None:
            await self._serve(request, verb, uid, container, streams, remote)
        raise Upgraded

    async def _serve(
        self, request: Request, verb: str, uid: str, container: str, streams: Wanted, remote: Remote
    ) -> None:
        command = [value for key, value in request.query if key in ("command", "cmd")]
        try:
            if verb == "attach":
                session = await self._runtime.attach(
                    uid, container, stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr, tty=streams.tty
                )
            else:
                session = await self._runtime.exec(
                    uid,
                    container,
                    command,
                    stdin=streams.stdin,
                    stdout=streams.stdout,
                    stderr=streams.stderr,
                    tty=streams.tty,
                )
        except (RuntimeFailure, OSError) as error:
            what = "attaching to" if verb == "attach" else "executing command in"
            await copying.fail(remote, f"error {what} container: {error}")
            return
        await copying.serve(remote, session, attached=verb == "attach")

    async def _spdy(self, request: Request, streams: Wanted) -> Remote | Answer | None:
        offered = offers(request, PROTOCOL_HEADER)
        protocol = chosen(offered, SPDY_PROTOCOLS) if offered else "channel.k8s.io"
        if protocol is None:
            return refusal(offered)
        await switch(request, "SPDY/3.1", {PROTOCOL_HEADER: protocol} if offered else {})
        return await spdy_remote.connect(
            Streams(SocketLink(request.reader, request.writer)), streams, version(protocol)
        )

    async def _socket(self, request: Request, streams: Wanted) -> Remote | Answer:
        offered = offers(request, SOCKET_HEADER)
        protocol = chosen(offered, SOCKET_PROTOCOLS) if offered else "channel.k8s.io"
        if protocol is None or "sec-websocket-key" not in request.headers:
            return refusal(offered)
        socket = await open_socket(request, protocol if offered else "")
        return await websocket_remote.connect(socket, streams, protocol)

    async def tunnel(self, request: Request, uid: str, ip: str) -> Answer:
        """A connection to a port of a pod, byte for byte, for the API server. An Answer when there is none."""
        port = request.parameter("port")
        if request.upgrade != TUNNEL:
            return Answer(400, b"Upgrade request required")
        if not port.isascii() or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            return Answer(400, f"port {port!r}: must be between 1 and 65535, inclusive".encode())
        place = f"{ip or '127.0.0.1'}:{port}"
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                reader, writer = await self._runtime.dial(uid, int(port), ip or "127.0.0.1")
        except RuntimeFailure as error:
            return Answer(502, str(error).encode())
        except TimeoutError:
            return Answer(502, f"dial tcp {place}: i/o timeout".encode())
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            return Answer(502, f"dial tcp {place}: connect: {reason}".encode())
        await switch(request, TUNNEL, {})
        await pump((request.reader, request.writer), (reader, writer))
        raise Upgraded

    async def forward(self, request: Request, uid: str) -> Answer:
        """Port-forward. An Answer only when the connection was not upgraded."""

        async def dial(port: int) -> forwarding.Connection:
            return await self._runtime.dial(uid, port)

        if request.upgrade == "spdy/3.1":
            offered = offers(request, PROTOCOL_HEADER)
            if offered and forwarding.SPDY_PROTOCOL not in offered:
                return refusal(offered)
            await switch(request, "SPDY/3.1", {PROTOCOL_HEADER: forwarding.SPDY_PROTOCOL})
            await forwarding.serve_spdy(Streams(SocketLink(request.reader, request.writer)), dial)
            raise Upgraded
        if request.upgrade != "websocket" or "sec-websocket-key" not in request.headers:
            return Answer(400, b"Upgrade request required")
        offered = offers(request, SOCKET_HEADER)
        if forwarding.TUNNEL_PROTOCOL in offered:
            socket = await open_socket(request, forwarding.TUNNEL_PROTOCOL)
            await forwarding.serve_spdy(Streams(TunnelLink(socket)), dial)
            raise Upgraded
        ports = [int(value) for key, value in request.query if key in ("port", "ports") and value.isdigit()]
        protocol = chosen(offered, forwarding.SOCKET_PROTOCOLS)
        if not ports or (offered and protocol is None):
            return (
                refusal(offered) if offered and protocol is None else Answer(400, b"query parameter port is required")
            )
        socket = await open_socket(request, protocol or "")
        with contextlib.suppress(OSError):
            await forwarding.serve_socket(socket, ports, dial, "base64" in (protocol or ""))
        raise Upgraded


def refusal(offered: list[str]) -> Answer:
    return Answer(
        403, f"unable to upgrade: unable to negotiate protocol: client supports [{' '.join(offered)}]".encode()
    )


async def open_socket(request: Request, protocol: str) -> WebSocket:
    """Answer a WebSocket handshake."""
    headers = {"Sec-WebSocket-Accept": websocket.accept(request.headers["sec-websocket-key"])}
    if protocol:
        headers["Sec-WebSocket-Protocol"] = protocol
    await switch(request, "websocket", headers)
    return WebSocket(SocketLink(request.reader, request.writer))
