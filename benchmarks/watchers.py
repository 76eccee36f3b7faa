"""A thousand watches on their own connections, and how soon a write is seen by the last of them. Part of `load`."""

import asyncio
import ssl
import time
from typing import Any, cast

from benchmarks.load import Connection, build

Job = dict[str, Any]
AT_ONCE = 50  #: connections that are opened together
PATIENCE = 30.0  #: seconds


class Watcher(asyncio.Protocol):
    """One watch: tells `seen` of each piece that holds the mark."""

    def __init__(self, request: bytes, round_: "Round") -> None:
        self._request, self._round, self.begun = request, round_, asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.begun.done():
            self.begun.set_result(data[:15])
        if self._round.mark in data:
            self._round.saw()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.begun.done():
            self.begun.set_exception(error or ConnectionError("the server hung up"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Round:
    """One write on its way to all watchers."""

    def __init__(self) -> None:
        self.mark = b"\0"
        self.first = self.last = 0.0
        self.missing = 0
        self.all_seen = asyncio.Event()

    def begin(self, mark: bytes, watchers: int) -> None:
        self.mark, self.missing, self.first = mark, watchers, 0.0
        self.all_seen.clear()

    def saw(self) -> None:
        self.last = time.perf_counter()
        self.first = self.first or self.last
        self.missing -= 1
        if not self.missing:
            self.all_seen.set()


async def run(job: Job, cluster: Job, tls: ssl.SSLContext) -> Job:
    """Open the watches, write, and time each write until the first and the last watcher have it; seconds."""
    loop = asyncio.get_running_loop()
    round_ = Round()
    watch = build({"count": 1, "requests": [{"method": "GET", "path": job["watch"]}]}, cluster)[0]
    watchers: list[Watcher] = []

    async def open_one() -> None:
        _, made = await loop.create_connection(
            lambda: Watcher(watch, round_), cluster["address"], cluster["port"], ssl=tls
        )
        watchers.append(made)
        head = await asyncio.wait_for(made.begun, PATIENCE)
        if b" 200" not in head:
            raise RuntimeError(f"a watch was refused: {head!r}")

    began = time.perf_counter()
    for start in range(0, job["watchers"], AT_ONCE):
        await asyncio.gather(*(open_one() for _ in range(min(AT_ONCE, job["watchers"] - start))))
    opening = time.perf_counter() - began
    _, writer = await loop.create_connection(Connection, cluster["address"], cluster["port"], ssl=tls)
    lasts, firsts = [], []
    for number, request in enumerate(build({"count": job["count"], "requests": job["requests"]}, cluster)):
        round_.begin(b"round-%d-" % number, len(watchers))
        at = time.perf_counter()
        await writer.run(iter([request]))
        await asyncio.wait_for(round_.all_seen.wait(), PATIENCE)
        lasts.append(round_.last - at)
        firsts.append(round_.first - at)
        await asyncio.sleep(0.02)  # one write at a time: this is about its delay, not about throughput
    for made in watchers:
        made.close()
    writer.close()
    lasts.sort()
    firsts.sort()
    return {
        "count": len(lasts),
        "opening": opening,
        "first_p50": firsts[len(firsts) // 2],
        "p50": lasts[len(lasts) // 2],
        "p99": lasts[int(len(lasts) * 0.99)],
        "max": lasts[-1],
        "failures": len(writer.failures),
        "failure": writer.failures[0] if writer.failures else "",
    }
