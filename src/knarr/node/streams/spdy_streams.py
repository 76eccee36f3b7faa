"""SPDY streams over a link: each stream a reader and a writer. Serves exec, attach and port-forward of kubectl."""

import asyncio
import contextlib

from knarr.node.streams import spdy
from knarr.node.streams.link import Link
from knarr.node.streams.pipe import Pipe

CHUNK = 32 * 1024


class Stream:
    """One stream the client opened. Reading is the client's half, writing ours."""

    def __init__(self, owner: "Streams", number: int, headers: dict[str, str]) -> None:
        self._owner, self.number, self.headers = owner, number, headers
        self.incoming = Pipe()
        self._open = True

    async def read(self, n: int = -1, /) -> bytes:
        return await self.incoming.read(n)

    async def write(self, data: bytes, /) -> None:
        if not self._open:
            raise BrokenPipeError(f"stream {self.number} is closed")
        for start in range(0, len(data), CHUNK):
            await self._owner.send(spdy.data(self.number, data[start : start + CHUNK]))

    async def close(self) -> None:
        """Close our half."""
        if self._open:
            self._open = False
            with contextlib.suppress(OSError):
                await self._owner.send(spdy.data(self.number, b"", fin=True))

    async def reset(self) -> None:
        """Give the stream up."""
        self._open = False
        await self.incoming.end()
        with contextlib.suppress(OSError):
            await self._owner.send(spdy.reset(self.number))

    def drop(self) -> None:
        """The client gave it up."""
        self._open = False


class Streams:
    """The connection: `run` reads it until the client leaves; `accept` gives the streams it opens."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._connection = spdy.Connection()
        self._streams: dict[int, Stream] = {}
        self._accepted: asyncio.Queue[Stream | None] = asyncio.Queue()
        self._sending = asyncio.Lock()

    async def send(self, data: bytes) -> None:
        async with self._sending:
            await self._link.write(data)

    async def accept(self) -> Stream | None:
        """The next stream, already welcomed; None when the client is gone."""
        return await self._accepted.get()

    async def run(self) -> None:
        """Hand out what comes in. Ends when the client hangs up or breaks the protocol."""
        try:
            while data := await self._link.read():
                for event in self._connection.receive(data):
                    await self._handle(event)
        except (spdy.SpdyError, OSError):
            return
        finally:
            self._accepted.put_nowait(None)
            for stream in self._streams.values():
                stream.drop()
                ending = asyncio.ensure_future(stream.incoming.end())
                await asyncio.wait([ending], timeout=0.1)
                ending.cancel()

    async def _handle(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened():
                stream = self._streams[event.stream] = Stream(self, event.stream, event.headers)
                async with self._sending:
                    await self._link.write(self._connection.reply(event.stream))
                if event.fin:
                    await stream.incoming.end()
                self._accepted.put_nowait(stream)
            case spdy.Data():
                if known := self._streams.get(event.stream):
                    await known.incoming.put(event.payload)
                    if event.fin:
                        await known.incoming.end()
            case spdy.Reset():
                if known := self._streams.pop(event.stream, None):
                    known.drop()
                    await known.incoming.end()
            case spdy.Pinged():
                await self.send(event.answer)
            case _:
                return

    def forget(self, stream: Stream) -> None:
        self._streams.pop(stream.number, None)

    async def close(self) -> None:
        await self._link.close()
