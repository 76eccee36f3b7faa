"""Exec and attach over SPDY: the client opens one stream for each thing it wants."""

import asyncio

from knarr.node.streams.remote import Remote, Wanted
from knarr.node.streams.spdy_streams import Stream, Streams

CREATION = 30.0  #: seconds a client has to open its streams


async def connect(streams: Streams, wanted: Wanted, version: int) -> Remote | None:
    """Wait for the streams; None when the client hangs up or is too slow."""
    running = asyncio.create_task(streams.run(), name="spdy")
    names = {"error"} | {
        name
        for name, asked in (("stdin", wanted.stdin), ("stdout", wanted.stdout), ("stderr", wanted.stderr))
        if asked and not (name == "stderr" and wanted.tty)
    }
    if wanted.tty and version >= 3:
        names.add("resize")
    found: dict[str, Stream] = {}
    try:
        async with asyncio.timeout(CREATION):
            while names - found.keys():
                stream = await streams.accept()
                if stream is None:
                    break
                found[stream.headers.get("streamtype", "")] = stream
    except TimeoutError:
        found.clear()
    except BaseException:
        running.cancel()
        raise
    if names - found.keys():
        running.cancel()
        await streams.close()
        return None

    async def close() -> None:
        await streams.close()
        running.cancel()

    return Remote(
        version,
        found.get("stdin"),
        found.get("stdout"),
        found.get("stderr"),
        found.get("error"),
        found.get("resize"),
        running,
        close,
    )
