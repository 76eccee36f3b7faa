"""The nodes' agents, as the API server reaches them: where one listens, and requests to its kubelet API.

The API server shows its own client certificate and checks the agent's against the cluster's CA.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from knarr.client.transport import Request, Response
from knarr.kinds.types.core_v1 import Node
from knarr.meta.errors import InternalError
from knarr.server.admission import State
from knarr.server.hijack import CHUNK, Hijack, pump
from knarr.server.status import not_found

ADDRESSES = ("InternalIP", "Hostname", "ExternalIP")
PORT = 10250
#: of a client's Upgrade request, what the agent must see too
UPGRADE_HEADERS = ("connection", "upgrade", "x-stream-protocol-version", "origin")
HEAD_LIMIT = 64 * 1024
CONNECT_SECONDS = 10.0


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
        """GET from an agent; the body comes as a stream."""
        reader, writer = await self._dial(place)
        try:
            return await self._get(reader, writer, place, path, query)
        except BaseException:
            writer.close()
            raise

    async def _get(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        place: Place,
        path: str,
        query: Mapping[str, str],
    ) -> Response:
        target = quote(path) + ("?" + urlencode(query) if query else "")
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {place.text}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        status, headers = await _head(reader)
        body = _body(reader, writer, headers)
        kind = {"content-type": headers["content-type"]} if "content-type" in headers else {}
        if status == 200:
            return Response(200, kind, stream=body)
        return Response(status, kind, b"".join([piece async for piece in body]))

    def upgrade(self, request: Request, place: Place, path: str, query: list[tuple[str, str]]) -> Hijack:
        """Hand the client's connection to an agent: what the agent answers goes to the client byte for byte."""

        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                other = await self._dial(place)
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

    async def _dial(self, place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
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


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Read an answer's status and headers."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError) as error:
        raise InternalError(f"the node's agent hung up: {error}") from None
    first, *lines = text.split("\r\n")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return int(first.split(" ", 2)[1]), headers


async def _body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: Mapping[str, str]
) -> AsyncIterator[bytes]:
    """The pieces of a body, as they come."""
    try:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int((await reader.readline()).split(b";")[0].strip() or b"0", 16):
                yield await reader.readexactly(size)
                await reader.readline()
        elif "content-length" in headers:
            left = int(headers["content-length"])
            while left > 0 and (piece := await reader.read(min(left, CHUNK))):
                left -= len(piece)
                yield piece
        else:
            while piece := await reader.read(CHUNK):
                yield piece
    except (asyncio.IncompleteReadError, ConnectionError):
        return  # the agent is gone: the log ends here
    finally:
        writer.close()
