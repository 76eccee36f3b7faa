"""Bytes carried between two connections: what tunnels, upgraded requests and forwarded ports share."""

import asyncio

CHUNK = 64 * 1024

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
