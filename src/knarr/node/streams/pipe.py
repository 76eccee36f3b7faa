"""A bounded pipe of byte chunks inside the process: the demultiplexers write, the sessions read."""

import asyncio


class Pipe:
    """Holds a few chunks; a writer waits when the reader is slow."""

    def __init__(self, most: int = 32) -> None:
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(most)
        self._rest = b""
        self._ended = False
        self._closed = False

    async def put(self, data: bytes) -> None:
        """Add a chunk; what comes after the end is dropped."""
        if data and not self._closed:
            await self._chunks.put(data)

    async def end(self) -> None:
        """No more chunks come. Again is harmless."""
        if not self._closed:
            self._closed = True
            await self._chunks.put(b"")

    async def read(self, n: int = -1, /) -> bytes:
        """The next bytes; b"" at the end."""
        if not self._rest and not self._ended:
            self._rest = await self._chunks.get()
            self._ended = not self._rest
        cut = len(self._rest) if n < 0 else n
        piece, self._rest = self._rest[:cut], self._rest[cut:]
        return piece
