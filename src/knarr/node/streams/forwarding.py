"""Port-forward: connections of the client's to ports of a pod, over SPDY or over WebSocket channels."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from knarr.node.probe import refused
from knarr.node.runtimes.runtime import ByteReader, ByteWriter
from knarr.node.streams.link import WebSocket
from knarr.node.streams.pipe import Pipe
from knarr.node.streams.spdy_streams import Stream, Streams
from knarr.node.streams.websocket_remote import Channel, decode

SPDY_PROTOCOL = "portforward.k8s.io"
TUNNEL_PROTOCOL = "SPDY/3.1+portforward.k8s.io"
SOCKET_PROTOCOLS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io", "portforward.k8s.io")
CHUNK = 32 * 1024

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[int], Awaitable[Connection]]


async def serve_spdy(streams: Streams, dial: Dial) -> None:
    """Every pair of an error and a data stream with one request id is a connection."""
    halves: dict[str, Stream] = {}
    async with asyncio.TaskGroup() as group:
        running = group.create_task(streams.run())
        jobs: set[asyncio.Task[None]] = set()
        while (stream := await streams.accept()) is not None:
            request = stream.headers.get("requestid", stream.headers.get("port", ""))
            kind = stream.headers.get("streamtype")
            if kind not in ("error", "data"):
                await stream.reset()
                continue
            other = halves.pop(request, None)
            if other is None:
                halves[request] = stream
                continue
            error, data = (stream, other) if kind == "error" else (other, stream)
            job = group.create_task(one(streams, data, error, dial))
            jobs.add(job)
            job.add_done_callback(jobs.discard)
        for job in jobs:
            job.cancel()
        running.cancel()
    await streams.close()


async def one(streams: Streams, data: Stream, error: Stream, dial: Dial) -> None:
    try:
        await connect(data, data, error, port_of(data), dial)
    finally:
        for stream in (data, error):
            streams.forget(stream)


def port_of(stream: Stream) -> int:
    text = stream.headers.get("port", "")
    return int(text) if text.isdigit() else 0


async def connect(reader: ByteReader, writer: ByteWriter, error: ByteWriter, port: int, dial: Dial) -> None:
    """One connection, from dialling to both ends' end. What goes wrong is said on the error stream."""
    with contextlib.suppress(OSError):
        try:
            inner, outer = await dial(port)
        except OSError as failure:
            why = refused("127.0.0.1", port, failure)
            await error.write(f"failed to connect to localhost:{port} inside namespace: {why}".encode())
            await error.close()
            await writer.close()
            return
        try:
            await exchange(reader, writer, inner, outer)
        finally:
            outer.close()
            await error.close()
            await writer.close()


async def exchange(
    reader: ByteReader, writer: ByteWriter, inner: asyncio.StreamReader, outer: asyncio.StreamWriter
) -> None:
    """Copy both ways: the pod's end ends it, the client's end is passed on."""
    upward = asyncio.create_task(upload(reader, outer))
    try:
        while data := await inner.read(CHUNK):
            await writer.write(data)
    finally:
        upward.cancel()
        await asyncio.gather(upward, return_exceptions=True)


async def upload(reader: ByteReader, outer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            outer.write(data)
            await outer.drain()
        if outer.can_write_eof():
            outer.write_eof()


async def serve_socket(socket: WebSocket, ports: list[int], dial: Dial, encoded: bool) -> None:
    """Ports named in the query: each has a data and an error channel, both begin with the port's number."""
    pipes = [Pipe() for _ in ports]
    async with asyncio.TaskGroup() as group:
        jobs = []
        for number, port in enumerate(ports):
            data, error = Channel(socket, 2 * number, encoded), Channel(socket, 2 * number + 1, encoded)
            await data.write(port.to_bytes(2, "little"))
            await error.write(port.to_bytes(2, "little"))
            jobs.append(group.create_task(connect(pipes[number], data, error, port, dial)))
        while (message := await socket.receive()) is not None:
            if not message.payload:
                continue
            channel = message.payload[0] - (ord("0") if encoded else 0)
            payload = decode(message.payload[1:]) if encoded else message.payload[1:]
            if channel % 2 == 0 and 0 <= channel // 2 < len(pipes):
                await pipes[channel // 2].put(payload)
        for job in jobs:
            job.cancel()
    await socket.close()
