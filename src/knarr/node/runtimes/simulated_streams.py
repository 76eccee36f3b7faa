"""Streams with nothing behind them: what exec, attach and dial of the simulated runtime hand out."""

import asyncio
from collections.abc import Sequence

#: HTTP/2 for a gRPC health check's SERVING: settings, headers with status 200, a message of one field
HEALTHY = bytes.fromhex("0000000400000000000000010104000000018800000700000000000100000000020801")


#: commands whose success would mean that files went in or came out: `kubectl cp` runs tar
MOVING_FILES = frozenset({"tar", "rsync"})


def unplayable(command: Sequence[str]) -> str:
    """Why a command cannot be played, as its error output says; "" for one that can."""
    name = command[0].rpartition("/")[2] if command else ""
    return f"simulated: this pod has no files, {name} cannot run\n" if name in MOVING_FILES else ""


class CannedReader:
    """Says its text, then ends."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    async def read(self, n: int = -1, /) -> bytes:
        cut = len(self._text) if n < 0 else n
        piece, self._text = self._text[:cut], self._text[cut:]
        return piece


class Drain:
    """Takes everything."""

    async def write(self, data: bytes, /) -> None:
        """Forget it."""

    async def close(self) -> None:
        """Nothing is open."""


class CannedSession:
    """An exec that has already ended."""

    def __init__(self, code: int, *, stdin: bool, stdout: CannedReader | None, stderr: CannedReader | None) -> None:
        self.stdin = Drain() if stdin else None
        self.stdout, self.stderr = stdout, stderr
        self._code = code

    async def resize(self, columns: int, rows: int) -> None:
        """There is no terminal."""

    async def wait(self) -> int:
        return self._code

    async def close(self) -> None:
        """There is no process."""


def refused(why: str, *, stdin: bool, stdout: bool, stderr: bool) -> CannedSession:
    """An exec that has failed: what it says goes to the output where there is no other."""
    return CannedSession(
        1,
        stdin=stdin,
        stdout=CannedReader(b"" if stderr else why.encode()) if stdout else None,
        stderr=CannedReader(why.encode()) if stderr else None,
    )


class CannedTransport(asyncio.Transport):
    """Answers the first request with a 200 and ends."""

    def __init__(self, reader: asyncio.StreamReader, protocol: asyncio.Protocol, answer: bytes) -> None:
        super().__init__()
        self._reader, self._protocol, self._answer, self._closing = reader, protocol, answer, False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._reader.at_eof() and self._answer:
            self._reader.feed_data(HEALTHY if bytes(data[:4]) == b"PRI " else self._answer)
            self._answer = b""
            self._reader.feed_eof()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def write_eof(self) -> None:
        """Nobody listens."""

    def can_write_eof(self) -> bool:
        return True


def canned_http(text: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to an HTTP server that always answers `text`."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    transport = CannedTransport(reader, protocol, head.encode() + text)
    protocol.connection_made(transport)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
