"""The nodes' agents, as the API server reaches them: where one listens, and requests to its kubelet API.

The API server shows its own client certificate and checks the agent's against the cluster's CA.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from knarr.client.pump import CHUNK, Ends, pump
from knarr.client.transport import Request, Response
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.meta.errors import InternalError, ServiceUnavailable, Timeout
from knarr.server.admission import State
from knarr.server.exchange import ANSWER_SECONDS, exchange, head
from knarr.server.hijack import Hijack
from knarr.server.status import not_found

ADDRESSES = ("InternalIP", "Hostname", "ExternalIP")
PORT = 10250
#: of a client's Upgrade request, what the agent must see too
UPGRADE_HEADERS = ("connection", "upgrade", "x-stream-protocol-version", "origin")
HEAD_LIMIT = 64 * 1024
CONNECT_SECONDS = 10.0
DIAL_SECONDS = 30.0  #: until an agent has reached a port of a pod, or has not
SAID_MOST = 64 * 1024  #: bytes of an agent's error that are read
TUNNEL = "tcp"  #: the protocol of a connection to a pod's port, carried by its agent


@dataclass(frozen=True, slots=True)
class Place:
    """Where an agent listens."""

    host: str
    port: int

    @property
    def text(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Agents:
    """Reaches the agents. `context` carries the API server's certificate and the CA that the agents' are checked by."""

    def __init__(self, state: State, context: ssl.SSLContext) -> None:
        self._state, self._context = state, context

    async def place(self, name: str) -> Place:
        """Where a node's agent listens."""
        node = await self._state.get(Node, "", name)
        if node is None:
            raise not_found("nodes", name)
        known = {address.type: address.address for address in reversed(node.status.addresses)}
        host = next((known[kind] for kind in ADDRESSES if kind in known), "")
        if not host:
            raise InternalError(f"no preferred addresses found; known addresses: {list(known.values())}")
        daemon = node.status.daemonEndpoints
        endpoint = daemon.kubeletEndpoint if daemon else None
        return Place(host, (endpoint.Port if endpoint else 0) or PORT)

    async def stream(self, place: Place, path: str, query: Mapping[str, str]) -> Response:
        """GET from an agent; the body of a success comes as a stream, that of a failure whole."""
        request = Request("GET", path, list(query.items()))
        try:
            answer = await exchange(request, lambda: self.dial(place), place.text, quote(path), patience=ANSWER_SECONDS)
        except Timeout:
            raise InternalError(f"the node's agent at {place.text} does not answer") from None
        except ServiceUnavailable as error:
            raise InternalError(f"the node's agent hung up: {error.message}") from None
        answer.headers = {key: answer.headers[key] for key in ("content-type",) if key in answer.headers}
        if answer.status != 200 and answer.stream is not None:
            answer.body, answer.stream = await beginning(answer, answer.stream), None
        return answer

    async def dial_pod(self, pod: Pod, port: int, *, secure: bool) -> Ends:
        """A connection to a port of a pod, through its node's agent; InternalError when nobody listens."""
        place = await self.place(pod.spec.nodeName)
        meta = pod.metadata
        request = Request("GET", "", [("port", str(port))], {"upgrade": TUNNEL})
        reader, writer = await self.dial(place)
        try:
            writer.write(head(request, place.text, f"/dial/{quote(meta.namespace)}/{quote(meta.name)}"))
            async with asyncio.timeout(DIAL_SECONDS):
                answer = await reader.readuntil(b"\r\n\r\n")
                if not answer.startswith(b"HTTP/1.1 101 "):
                    raise InternalError((await reader.read(CHUNK)).decode(errors="replace").strip())
                if secure:
                    await writer.start_tls(unchecked(), server_hostname=meta.name)
        except TimeoutError:
            writer.close()
            raise InternalError(f"dial tcp {pod.status.podIP}:{port}: i/o timeout") from None
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as error:
            writer.close()
            raise InternalError(f"the node's agent hung up: {error}") from None
        except BaseException:
            writer.close()
            raise
        return reader, writer

    def upgrade(self, request: Request, place: Place, path: str, query: list[tuple[str, str]]) -> Hijack:
        """Hand the client's connection to an agent: what the agent answers goes to the client byte for byte."""

        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                other = await self.dial(place)
            except InternalError as error:
                writer.write(_refusal(error.message))
                await writer.drain()
                return
            try:
                other[1].write(_upgrade_head(request, place, path, query))
                await pump((reader, writer), other)
            finally:
                other[1].close()

        return Hijack(101, run=run)

    async def dial(self, place: Place) -> Ends:
        """A connection to an agent; InternalError when it can not be had."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncio.open_connection(
                    place.host, place.port, ssl=self._context, server_hostname=place.host, limit=HEAD_LIMIT
                )
        except TimeoutError:
            raise InternalError(f"error dialing backend: dial tcp {place.text}: i/o timeout") from None
        except ssl.SSLError as error:
            raise InternalError(f"error dialing backend: tls: {error.reason or error}") from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InternalError(f"error dialing backend: dial tcp {place.text}: connect: {reason}") from None


async def beginning(answer: Response, stream: AsyncIterator[bytes]) -> bytes:
    """What an answer's body begins with, at most SAID_MOST bytes; the rest is not waited for."""
    said = b""
    try:
        async for piece in stream:
            said += piece
            if len(said) >= SAID_MOST:
                break
    finally:
        await answer.close()
    return said[:SAID_MOST]


def _upgrade_head(request: Request, place: Place, path: str, query: list[tuple[str, str]]) -> bytes:
    target = quote(path) + ("?" + urlencode(query) if query else "")
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {place.text}"]
    for name, value in request.headers.items():
        if name in UPGRADE_HEADERS or name.startswith("sec-websocket-"):
            lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _refusal(message: str) -> bytes:
    body = message.encode()
    head = f"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


async def connect(host: str, port: int, *, secure: bool) -> Ends:
    """A connection to an address of the cluster; ServiceUnavailable when nobody listens."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection(host, port, ssl=unchecked() if secure else None, limit=HEAD_LIMIT)
    except (OSError, TimeoutError) as error:
        raise ServiceUnavailable(f"error trying to reach service: dial tcp {host}:{port}: {error}") from None


def unchecked() -> ssl.SSLContext:
    """TLS to what runs in the cluster: whose certificate it shows nobody here can know."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
