"""The answer that takes over a connection: exec, attach and port-forward after their Upgrade."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from knarr.client.transport import Response

CHUNK = 64 * 1024


Run = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Hijack(Response):
    """Instead of an answer: `run` gets the raw connection, including what arrived together with the request."""

    run: Run | None = None


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def pump(client: Ends, other: Ends) -> None:
    """Carry bytes both ways until one side ends; what it sent before is delivered."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_carry(client[0], other[1]))
        tasks.create_task(_carry(other[0], client[1]))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction; its end closes the far side, whose reader then ends the other direction."""
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:  # of TLS, too, when it is cut short
        return  # one end is gone; what is left is to close the other
    finally:
        writer.close()


async def take_over(transport: asyncio.Transport, early: list[bytes], run: Run) -> None:
    """Give a raw connection away; nothing of HTTP sees it from here on. `early` is what came with the request."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    for data in early:
        if data:
            reader.feed_data(data)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.resume_reading()  # which does nothing to one that is closing
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    try:
        await run(reader, writer)
    finally:
        writer.close()
