"""The agent's side of a shim's socket: requests with answers, events without, open files beside both."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from knarr.node.runtimes.runtime import RuntimeFailure

PACKET = 1 << 18
DESCRIPTORS = 8
START_FAILURE = "unable to start container process: "  #: runc's words before the reason
ROOT_REFUSED = "container has runAsNonRoot"  #: how the shim's words begin for what the kubelet finds out itself
SHIM = "import sys; sys.path.append(sys.argv.pop(1)); from shim.main import run; run()"


class Refused(RuntimeFailure):
    """The shim could not do it; `code` is the exit code a shell would give."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


async def launch(directory: Path) -> None:
    """Start a shim for the pod in `directory` and return when it listens."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-E", "-c", SHIM, str(Path(__file__).parent), str(directory)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        reason = said.decode(errors="replace").strip()
        raise RuntimeFailure(f"failed to create pod sandbox: {reason}", reason="CreatePodSandboxError")


class Connection:
    """An open conversation with one shim. `on_event` gets its events, `on_close` is called once at its end."""

    def __init__(
        self, sock: socket.socket, on_event: Callable[[dict[str, Any]], None], on_close: Callable[[], None]
    ) -> None:
        self._socket, self._on_event, self._on_close = sock, on_event, on_close
        self._number = 0
        self._waiting: dict[int, asyncio.Future[tuple[dict[str, Any], list[int]]]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._readable)
        self.open = True

    def number(self) -> int:
        """The number of the next request: an exec's events carry it."""
        return self._number + 1

    async def call(self, do: str, descriptors: Sequence[int] = (), **fields: Any) -> tuple[dict[str, Any], list[int]]:
        """Ask; return the answer and the files that came with it (the caller's to close). Refused when it says no."""
        if not self.open:
            raise RuntimeFailure("the pod's sandbox is gone")
        self._number += 1
        future: asyncio.Future[tuple[dict[str, Any], list[int]]] = self._loop.create_future()
        self._waiting[self._number] = future
        packet = json.dumps({"number": self._number, "do": do, **fields}).encode()
        try:
            socket.send_fds(self._socket, [packet], list(descriptors))
        except OSError as error:
            self.close()
            raise RuntimeFailure(f"the pod's sandbox does not answer: {error}") from error
        answer, files = await future
        if "error" in answer:
            raise Refused(answer["error"], answer["code"])
        return answer, files

    def _readable(self) -> None:
        try:
            data, files, _, _ = socket.recv_fds(self._socket, PACKET, DESCRIPTORS)
        except BlockingIOError:
            return
        except OSError:
            data, files = b"", []
        if not data:
            self.close()
            return
        message = json.loads(data)
        for number in files:
            os.set_inheritable(number, False)
        future = self._waiting.pop(message.get("reply", 0), None)
        if future is not None and not future.done():
            future.set_result((message, files))
        else:
            for number in files:
                os.close(number)
            if "event" in message:
                self._on_event(message)

    def close(self) -> None:
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(RuntimeFailure("the pod's sandbox is gone"))
        self._waiting.clear()
        self._on_close()


def dial(directory: Path) -> socket.socket:
    """Connect to the shim of a pod's directory; OSError when none is there."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    place = os.open(directory, os.O_PATH | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{place}/socket")
    except OSError:
        sock.close()
        raise
    finally:
        os.close(place)
    sock.setblocking(False)
    return sock


async def wait_end(pid: int) -> None:
    """Return when the process is gone (it need not be a child)."""
    with contextlib.suppress(ProcessLookupError):
        number = os.pidfd_open(pid)
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(number, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(number)
            os.close(number)
