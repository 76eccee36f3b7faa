"""The load client's process: requests over a few TLS connections, as cheaply as Python sends them.

It reads jobs from its input, one JSON object a line, and answers each with a line of figures. Requests are built
before the clock starts and an answer is looked at only as far as its end must be found, so that the server is what is
measured. `target` starts it; it knows nothing of knarr.
"""

import asyncio
import gc
import json
import re
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import uvloop

Job = dict[str, Any]
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE).search


class Connection(asyncio.BufferedProtocol):
    """One connection: sends the next request when the last is answered, until there are no more."""

    _buffer = memoryview(bytearray(256 * 1024))  # of all connections: nothing stays in it

    def __init__(self) -> None:
        self.answered: Callable[[float], None] = lambda latency: None
        self.failures: list[str] = []
        self.received = 0
        self._transport: asyncio.Transport | None = None
        self._requests: Iterator[bytes] = iter(())
        self._done: asyncio.Future[None] | None = None
        self._head = bytearray()
        self._left = -1  # bytes of the body still to come; -1 before the head is read, -2 for chunks
        self._tail = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error or ConnectionError("the server hung up"))

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def run(self, requests: Iterator[bytes]) -> "asyncio.Future[None]":
        """Send requests one after another; the future is done when the last is answered."""
        self._requests = requests
        self._done = asyncio.get_running_loop().create_future()
        self._next()
        return self._done

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            if self._done is not None:
                self._done.set_result(None)
            return
        assert self._transport is not None
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        self.received += count
        if self._left >= 0:
            self._left -= count
        elif self._left == -2:
            self._tail = (self._tail + bytes(self._buffer[max(0, count - 5) : count]))[-5:]
        elif not self._headed(bytes(self._buffer[:count])):
            return
        if self._left == 0 or (self._left == -2 and self._tail == b"0\r\n\r\n"):
            self._left = -1
            self.answered(time.perf_counter() - self._sent_at)
            self._next()

    def _headed(self, data: bytes) -> bool:
        """Read the head when it is whole; return whether it is."""
        if self._head:
            self._head += data
            data = bytes(self._head)
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._head = bytearray(data)
            return False
        self._head.clear()
        if data[9:10] != b"2":
            self.failures.append(data[:600].decode(errors="replace"))
        length = _LENGTH(data, 0, end)
        if length is not None:
            self._left = int(length[1]) - (len(data) - end - 4)
        else:
            self._left, self._tail = -2, data[-5:]
        return True


def context(cluster: Job) -> ssl.SSLContext:
    """The client's end of TLS, from the paths that `cluster` names."""
    made = ssl.create_default_context(cafile=cluster["ca"] or None)
    made.check_hostname = bool(cluster["verify"])
    if not cluster["verify"]:
        made.verify_mode = ssl.CERT_NONE
    if cluster["certificate"]:
        made.load_cert_chain(cluster["certificate"], cluster["key"])
    return made


def build(job: Job, cluster: Job) -> list[bytes]:
    """The requests of a job in order; `{n}` in paths and bodies counts from `first`, `{count}` counts all requests."""
    common = f"Host: {cluster['host']}\r\nAccept: {job.get('accept', 'application/json')}\r\nUser-Agent: benchmark\r\n"
    if cluster["token"]:
        common += f"Authorization: Bearer {cluster['token']}\r\n"
    if job.get("gzip"):
        common += "Accept-Encoding: gzip\r\n"
    shapes = [shape for shape in job["requests"] for _ in range(shape.get("weight", 1))]
    built = []
    for count in range(job["count"]):
        shape = shapes[count % len(shapes)]
        number = str(job.get("first", 0) + count // len(shapes) % job.get("modulo", 1 << 40))
        body = shape.get("body", "").replace("{n}", number).replace("{count}", str(count)).encode()
        path = shape["path"].replace("{n}", number)
        head = f"{shape['method']} {path} HTTP/1.1\r\n{common}"
        if body:
            head += f"Content-Type: {shape.get('type', 'application/json')}\r\nContent-Length: {len(body)}\r\n"
        built.append(head.encode() + b"\r\n" + body)
    return built


async def run(job: Job, cluster: Job, tls: ssl.SSLContext) -> Job:
    """Do a job; return its figures, times in seconds."""
    loop = asyncio.get_running_loop()
    requests = build(job, cluster)
    latencies: list[float] = []
    connections: list[Connection] = []
    for _ in range(job.get("connections", 16)):
        _, made = await loop.create_connection(Connection, cluster["address"], cluster["port"], ssl=tls)
        made.answered = latencies.append
        connections.append(made)
    gc.freeze()
    queue = iter(requests)
    busy, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(made.run(queue) for made in connections))
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    for made in connections:
        made.close()
    failures = [failure for made in connections for failure in made.failures]
    latencies.sort()
    return {
        "count": len(latencies),
        "seconds": seconds,
        "rate": len(latencies) / seconds,
        "client_cpu": busy,
        "bytes": sum(made.received for made in connections),
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[int(len(latencies) * 0.99)],
        "max": latencies[-1],
        "failures": len(failures),
        "failure": failures[0] if failures else "",
    }


async def main() -> None:
    """Answer jobs until the input ends; its first line says where the cluster is."""
    loop = asyncio.get_running_loop()
    cluster = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    tls = context(cluster)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        job = json.loads(line)
        if job.get("watchers"):
            from benchmarks.watchers import run as watch

            figures = await watch(job, cluster, tls)
        else:
            figures = await run(job, cluster, tls)
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
