"""The streams of an exec or an attach: pipes and terminals as the agent's byte readers and writers."""

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from collections.abc import Awaitable, Callable

from knarr.node.runtimes.runtime import ByteReader, ByteWriter, RuntimeFailure

CHUNK = 65536


class _Pipe:
    """An open file, owned, non-blocking; whoever waits for it is woken when it is closed."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        os.set_blocking(number, False)

    async def _ready(self, add: Callable[[int, Callable[[], None]], object]) -> None:
        self._wake.clear()
        add(self._number, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            self._forget()

    def _forget(self) -> None:
        if self._number >= 0:
            self._loop.remove_reader(self._number)
            self._loop.remove_writer(self._number)

    def shut(self) -> None:
        if self._number >= 0:
            self._forget()
            os.close(self._number)
            self._number = -1
            self._wake.set()


class PipeReader(_Pipe):
    async def read(self, n: int = -1, /) -> bytes:
        while self._number >= 0:
            try:
                return os.read(self._number, n if n > 0 else CHUNK)
            except BlockingIOError:
                await self._ready(self._loop.add_reader)
            except OSError:  # a terminal nobody holds any more
                return b""
        return b""


class PipeWriter(_Pipe):
    async def write(self, data: bytes, /) -> None:
        view = memoryview(data)
        while view:
            if self._number < 0:
                raise BrokenPipeError("the stream is closed")
            try:
                view = view[os.write(self._number, view) :]
            except BlockingIOError:
                await self._ready(self._loop.add_writer)

    async def close(self) -> None:
        self.shut()


class PipeSession:
    """A process' streams. `kill` ends it when the session is closed early; None lets it live (attach)."""

    def __init__(
        self,
        *,
        stdin: int = -1,
        stdout: int = -1,
        stderr: int = -1,
        terminal: int = -1,
        ended: "asyncio.Future[int]",
        kill: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._in = PipeWriter(stdin) if stdin >= 0 else None
        self._out = PipeReader(stdout) if stdout >= 0 else None
        self._err = PipeReader(stderr) if stderr >= 0 else None
        self._terminal, self._ended, self._kill = terminal, ended, kill
        self.stdin: ByteWriter | None = self._in
        self.stdout: ByteReader | None = self._out
        self.stderr: ByteReader | None = self._err

    async def resize(self, columns: int, rows: int) -> None:
        if self._terminal >= 0:
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("=HHHH", rows, columns, 0, 0))

    async def wait(self) -> int:
        try:
            return await asyncio.shield(self._ended)
        except asyncio.CancelledError:
            if self._ended.cancelled():  # detached
                return 0
            raise

    async def close(self) -> None:
        if self._kill is not None and not self._ended.done():
            with contextlib.suppress(RuntimeFailure):
                await self._kill()
        elif self._kill is None:
            self._ended.cancel()
        for reader in (self._out, self._err):
            if reader is not None:
                reader.shut()
        if self._in is not None:
            self._in.shut()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1
