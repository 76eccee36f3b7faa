"""One try of one probe, or of one lifecycle hook: exec, HTTP, TCP or gRPC, from within the pod's network.

Results are worded as upstream words them; `probes` decides when to try and what follows.
"""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import Struct

from knarr.kinds.types.core_v1 import Container, ExecAction, GRPCAction, HTTPGetAction, TCPSocketAction
from knarr.node import grpc_health
from knarr.node.runtimes.runtime import ByteReader, Runtime, RuntimeFailure

OUTPUT_MOST = 10 * 1024  #: bytes of a command's or server's answer that are kept


class Target(Struct, frozen=True):
    """The container that is asked."""

    uid: str
    id: str
    ip: str
    container: Container
    pod_name: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    outcome: Literal["success", "failure", "unknown"]
    output: str = ""
    code: int | None = None  #: a command's exit code


class PortUnknown(Exception):
    """A port name that the container does not declare."""


async def ask(runtime: Runtime, target: Target, handler: Any, timeout: float) -> Result:
    """Try once. `handler` is a Probe or a LifecycleHandler: whatever has exec, httpGet, tcpSocket, grpc."""
    try:
        if handler.exec is not None:
            return await run(runtime, target, handler.exec, timeout)
        if handler.httpGet is not None:
            return await http(runtime, target, handler.httpGet, timeout)
        if handler.tcpSocket is not None:
            return await tcp(runtime, target, handler.tcpSocket, timeout)
        if getattr(handler, "grpc", None) is not None:
            return await grpc(runtime, target, handler.grpc, timeout)
    except (PortUnknown, RuntimeFailure) as error:
        return Result("unknown", str(error))
    return Result("unknown", "missing probe handler")


async def run(runtime: Runtime, target: Target, action: ExecAction, timeout: float) -> Result:
    session = await runtime.exec(
        target.uid, target.id, action.command, stdin=False, stdout=True, stderr=True, tty=False
    )
    try:
        async with asyncio.timeout(timeout):
            out, err = await asyncio.gather(drain(session.stdout), drain(session.stderr))
            code = await session.wait()
    except TimeoutError:
        return Result("failure", f'command "{" ".join(action.command)}" timed out')
    finally:
        await session.close()
    text = (out + err)[:OUTPUT_MOST].decode(errors="replace")
    return Result("success" if code == 0 else "failure", text, code)


async def drain(reader: ByteReader | None) -> bytes:
    kept = b""
    while reader is not None and (piece := await reader.read(65536)):
        kept = (kept + piece)[:OUTPUT_MOST]
    return kept


def port_number(container: Container, port: int | str) -> int:
    """A probe's port, looked up by name when it is one."""
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for each in container.ports:
        if each.name == port:
            return each.containerPort
    raise PortUnknown(f'strconv.Atoi: parsing "{port}": invalid syntax')


async def tcp(runtime: Runtime, target: Target, action: TCPSocketAction, timeout: float) -> Result:
    host, port = action.host or target.ip or "127.0.0.1", port_number(target.container, action.port)
    try:
        async with asyncio.timeout(timeout):
            _, writer = await runtime.dial(target.uid, port, host)
    except TimeoutError:
        return Result("failure", f"dial tcp {joined(host, port)}: i/o timeout")
    except OSError as error:
        return Result("failure", refused(host, port, error))
    writer.close()
    return Result("success")


def joined(host: str, port: int) -> str:
    """A place as Go and URLs write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refused(host: str, port: int, error: OSError) -> str:
    """Go's words for a connection that failed."""
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {joined(host, port)}: connect: connection refused"
    return f"dial tcp {joined(host, port)}: connect: {(error.strerror or str(error)).lower()}"


async def grpc(runtime: Runtime, target: Target, action: GRPCAction, timeout: float) -> Result:
    place = joined(target.ip or "127.0.0.1", action.port)
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await runtime.dial(target.uid, action.port, target.ip or "127.0.0.1")
            try:
                found = await grpc_health.check(reader, writer, place, action.service or "")
            finally:
                writer.close()
    except (TimeoutError, EOFError, OSError):
        limit = f"{timeout:g}s"
        return Result(
            "failure", f'timeout: failed to connect service "{place}" within {limit}: context deadline exceeded'
        )
    except grpc_health.NoHealthService as error:
        protocol = "this server does not implement the grpc health protocol (grpc.health.v1.Health)"
        return Result("failure", f"error: {protocol}: {error}")
    if found == "SERVING":
        return Result("success", "service healthy")
    return Result("failure", f'service unhealthy (responded with "{found}")')


async def http(runtime: Runtime, target: Target, action: HTTPGetAction, timeout: float) -> Result:
    host, port = action.host or target.ip or "127.0.0.1", port_number(target.container, action.port)
    path = "/" + action.path.lstrip("/")
    url = f"{(action.scheme or 'HTTP').lower()}://{joined(host, port)}{path}"
    try:
        async with asyncio.timeout(timeout):
            status = await fetch(runtime, target, action, host, port, path)
    except TimeoutError:
        failure = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Result("failure", f'Get "{url}": {failure}')
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, EOFError):
        return Result("failure", f'Get "{url}": EOF')
    except ssl.SSLError as error:
        return Result("failure", f'Get "{url}": {error.reason}')
    except OSError as error:
        return Result("failure", f'Get "{url}": {refused(host, port, error)}')
    except ValueError as error:
        return Result("failure", f'Get "{url}": {error}')
    if 200 <= status < 400:
        return Result("success")
    return Result("failure", f"HTTP probe failed with statuscode: {status}")


async def fetch(runtime: Runtime, target: Target, action: HTTPGetAction, host: str, port: int, path: str) -> int:
    """Send the request; the status of the answer."""
    reader, writer = await runtime.dial(target.uid, port, host)
    try:
        if action.scheme == "HTTPS":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            await writer.start_tls(context, server_hostname=host)
        headers = {"Host": joined(host, port), "User-Agent": "kube-probe/1.37", "Accept": "*/*", "Connection": "close"}
        headers |= {each.name: each.value for each in action.httpHeaders}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        await writer.drain()
        line = await reader.readline()
        if not line:
            raise EOFError
        words = line.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/"):
            raise ValueError(f"malformed HTTP response {line.decode(errors='replace').strip()!r}")
        while (await reader.readline()).strip():
            """Skip the headers."""
        return int(words[1])
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
