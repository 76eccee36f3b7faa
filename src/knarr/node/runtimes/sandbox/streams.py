"""Streams into a pod: commands, the main process' own streams, TCP connections. The runtime's methods end here."""

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Any

from knarr.node.runtimes.runtime import NoSuchContainer, RuntimeFailure
from knarr.node.runtimes.sandbox.connection import START_FAILURE, Refused
from knarr.node.runtimes.sandbox.pod import Pod
from knarr.node.runtimes.sandbox.session import PipeSession
from knarr.node.runtimes.sandbox.shim import kernel


async def execute(
    pod: Pod, container: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
) -> PipeSession:
    """Run a command in a running container."""
    if pod.state(container)["state"] != "running" or pod.connection is None:
        raise NoSuchContainer(f"container {container} is not running")
    number = pod.connection.number()
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    pod.execs[number] = ended
    asked = {"id": container, "args": list(command), "tty": tty}
    try:
        if tty:
            streams = await _exec_terminal(pod, asked, stdin)
        else:
            streams = await _exec_pipes(pod, asked, stdin=stdin, stdout=stdout, stderr=stderr)
    except Refused as error:
        pod.execs.pop(number, None)
        message = f"OCI runtime exec failed: exec failed: {START_FAILURE}{error.message}: unknown"
        raise RuntimeFailure(message, reason="ExecFailed") from error
    except RuntimeFailure:
        pod.execs.pop(number, None)
        raise
    return PipeSession(
        stdin=streams.get("stdin", -1),
        stdout=streams.get("stdout", -1),
        stderr=streams.get("stderr", -1),
        terminal=streams.get("terminal", -1),
        ended=ended,
        kill=lambda: pod.call("kill_exec", exec=number, signal=9),
    )


async def attach(pod: Pod, container: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> PipeSession:
    """Join a container's main process; of its output comes what it writes from now on."""
    wanted = [name for name, want in (("stdout", stdout), ("stderr", stderr and not tty)) if want]
    pipes = {name: os.pipe() for name in wanted}
    try:
        answer, back = await pod.call(
            "attach", [far for _, far in pipes.values()], id=container, streams=wanted, stdin=stdin
        )
    except Refused as error:
        for near, _ in pipes.values():
            os.close(near)
        raise NoSuchContainer(error.message) from error
    finally:
        for _, far in pipes.values():
            os.close(far)
    ended: asyncio.Future[int] = asyncio.ensure_future(_exit_code(pod, container))
    streams = {name: near for name, (near, _) in pipes.items()}
    terminal = back[0] if back and answer["terminal"] else -1
    into = os.dup(terminal) if terminal >= 0 and stdin else back[0] if back and not answer["terminal"] else -1
    out, err = streams.get("stdout", -1), streams.get("stderr", -1)
    return PipeSession(stdin=into, stdout=out, stderr=err, terminal=terminal, ended=ended)


async def connect(pod: Pod, port: int, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a TCP port from within the pod's network namespace."""
    if (shim := pod.shim()) is None:
        raise ConnectionRefusedError(f"pod {pod.uid} has no sandbox any more")
    return await connect_in(f"/proc/{shim['pid']}/ns/net", port, host)


async def connect_in(network: str, port: int, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a TCP port from within a network namespace, given by its file."""
    sock = await asyncio.to_thread(_socket_in, network, ":" in host)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
        return await asyncio.open_connection(sock=sock)
    except BaseException:
        sock.close()
        raise


def _socket_in(network: str, ipv6: bool) -> socket.socket:
    """A TCP socket of another network namespace; runs in a thread, and only that thread moves, and back."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(network, os.O_RDONLY | os.O_CLOEXEC)
    try:
        kernel.setns(there, kernel.CLONE_NEWNET)
        try:
            sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_STREAM)
        finally:
            kernel.setns(before, kernel.CLONE_NEWNET)
    finally:
        os.close(before)
        os.close(there)
    sock.setblocking(False)
    return sock


async def _exec_pipes(pod: Pod, asked: dict[str, Any], **wanted: bool) -> dict[str, int]:
    pairs = {name: os.pipe() for name, want in wanted.items() if want}
    near = {name: pair[1 if name == "stdin" else 0] for name, pair in pairs.items()}
    far = [pair[0 if name == "stdin" else 1] for name, pair in pairs.items()]
    try:
        await pod.call("exec", far, **asked, **wanted)
    except RuntimeFailure:
        for number in near.values():
            os.close(number)
        raise
    finally:
        for number in far:
            os.close(number)
    return near


async def _exec_terminal(pod: Pod, asked: dict[str, Any], stdin: bool) -> dict[str, int]:
    near, far = socket.socketpair()
    with near, far:
        await pod.call("exec", [far.fileno()], **asked)
        _, (terminal,), _, _ = socket.recv_fds(near, 16, 1)
    os.set_inheritable(terminal, False)
    streams = {"stdout": os.dup(terminal), "terminal": terminal}
    return {**streams, "stdin": os.dup(terminal)} if stdin else streams


async def _exit_code(pod: Pod, container: str) -> int:
    await pod.wait_ended(container, None)
    return int(pod.state(container)["exit_code"])
