"""Exec and attach: containerd serves their streams over SPDY on loopback, at an address that CRI gives for one use."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from knarr.node.runtimes.runtime import ByteReader, ByteWriter, RuntimeFailure
from knarr.node.streams import spdy
from knarr.node.streams.link import SocketLink
from knarr.node.streams.pipe import Pipe

PROTOCOL = "v4.channel.k8s.io"
CHUNK = 32 * 1024
KILLED = 137  #: the exit code of a command whose end nobody told


class Writer:
    """Our half of a stream."""

    def __init__(self, session: "StreamSession", number: int) -> None:
        self._session, self._number, self._open = session, number, True

    async def write(self, data: bytes, /) -> None:
        if not self._open:
            raise BrokenPipeError("the stream is closed")
        for start in range(0, len(data), CHUNK):
            await self._session.send(spdy.data(self._number, data[start : start + CHUNK]))

    async def close(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(OSError):
                await self._session.send(spdy.data(self._number, b"", fin=True))


class StreamSession:
    """A command's streams, or those of a container's main process. Closing it does not end the command: CRI can't."""

    def __init__(self, link: SocketLink, names: Sequence[str]) -> None:
        self._link, self._connection = link, spdy.Connection()
        self._numbers = {name: 2 * place + 1 for place, name in enumerate(names)}
        self._incoming = {self._numbers[name]: Pipe() for name in ("error", "stdout", "stderr") if name in names}
        self._resize = Writer(self, self._numbers["resize"]) if "resize" in names else None
        self._reading: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.stdin: ByteWriter | None = Writer(self, self._numbers["stdin"]) if "stdin" in names else None
        self.stdout: ByteReader | None = self._reader("stdout")
        self.stderr: ByteReader | None = self._reader("stderr")

    def _reader(self, name: str) -> Pipe | None:
        return self._incoming.get(self._numbers.get(name, 0))

    async def begin(self) -> None:
        """Open the streams: the last one starts the command."""
        for name, number in self._numbers.items():
            only_in = name in ("error", "stdout", "stderr")
            await self.send(self._connection.open(number, {"streamtype": name}, fin=only_in and name != "error"))
        self._reading = asyncio.create_task(self._read(), name="streams of a container")

    async def send(self, data: bytes) -> None:
        await self._link.write(data)

    async def _read(self) -> None:
        verdict = b""
        try:
            while data := await self._link.read():
                for event in self._connection.receive(data):
                    if isinstance(event, spdy.Data) and event.stream == self._numbers["error"]:
                        verdict += event.payload
                    await self._take(event)
        except (spdy.SpdyError, OSError):
            return
        finally:
            self._conclude(verdict)
            for pipe in self._incoming.values():
                ending = asyncio.ensure_future(pipe.end())
                await asyncio.wait([ending], timeout=0.1)
                ending.cancel()

    async def _take(self, event: spdy.Event) -> None:
        match event:
            case spdy.Data(stream=number) if number in self._incoming:
                if number != self._numbers["error"]:
                    await self._incoming[number].put(event.payload)
                if event.fin:
                    await self._incoming[number].end()
            case spdy.Reset(stream=number) if number in self._incoming:
                await self._incoming[number].end()
            case spdy.Pinged():
                await self.send(event.answer)
            case _:
                return

    def _conclude(self, verdict: bytes) -> None:
        if self._ended.done():
            return
        try:
            self._ended.set_result(exit_code(verdict))
        except RuntimeFailure as error:
            self._ended.set_exception(error)
            self._ended.exception()  # whoever waits raises it; nobody has to

    async def resize(self, columns: int, rows: int) -> None:
        if self._resize is not None:
            with contextlib.suppress(OSError):
                await self._resize.write(json.dumps({"Width": columns, "Height": rows}).encode() + b"\n")

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        self._conclude(b"")
        await self._link.close()


def exit_code(verdict: bytes) -> int:
    """What the error stream's Status says; RuntimeFailure when the command did not start."""
    if not verdict:
        return KILLED
    status = json.loads(verdict)
    if status.get("status") == "Success":
        return 0
    if status.get("reason") == "NonZeroExitCode":
        causes = status.get("details", {}).get("causes", [])
        return next((int(each["message"]) for each in causes if each.get("reason") == "ExitCode"), KILLED)
    causes = [str(each.get("message", "")) for each in status.get("details", {}).get("causes", [])]
    message = (causes or [status.get("message", "")])[0].removeprefix("error executing command in container: ")
    raise RuntimeFailure(message or "the command did not start", reason="ExecFailed")


async def open_session(
    url: str, *, stdin: bool = False, stdout: bool = False, stderr: bool = False, tty: bool = False
) -> StreamSession:
    """Connect to the streams at an address of containerd's; the command starts."""
    target = urlsplit(url)
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    head = (
        f"POST {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        f"X-Stream-Protocol-Version: {PROTOCOL}\r\nContent-Length: 0\r\n\r\n"
    )
    link = SocketLink(reader, writer)
    await link.write(head.encode())
    try:
        answer = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        await link.close()
        raise RuntimeFailure("containerd closed the stream", reason="ExecFailed") from error
    if b" 101 " not in answer.split(b"\r\n", 1)[0]:
        await link.close()
        line = answer.split(b"\r\n", 1)[0].decode(errors="replace")
        raise RuntimeFailure(f"containerd refused the stream: {line}", reason="ExecFailed")
    wanted = {"error": True, "stdin": stdin, "stdout": stdout, "stderr": stderr, "resize": tty}
    session = StreamSession(link, [name for name, want in wanted.items() if want])
    await session.begin()
    return session
