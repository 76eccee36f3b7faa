"""The answer that takes over a connection: exec, attach and port-forward after their Upgrade."""

import asyncio
from collections.abc import Awaitable, Callable

from knarr.client.transport import Response

Run = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Hijack(Response):
    """Instead of an answer: `run` gets the raw connection, including what arrived together with the request."""

    run: Run | None = None


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
