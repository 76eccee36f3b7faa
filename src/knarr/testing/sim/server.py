"""An API server that can die between any two writes and come back over the same store, its memory empty."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from msgspec.structs import replace

from knarr.client.transport import Request, Response, TransportError, User
from knarr.kinds.table import BUILTIN
from knarr.registry.registry import Registry
from knarr.server.handler import Handler
from knarr.server.server import build
from knarr.store.memory import MemoryStore
from knarr.store.store import Closed, Event, Record
from knarr.testing.sim.schedule import Act


class ToldStore(MemoryStore):
    """A store that tells each write as it is made, while its writer still waits."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        super().__init__()
        self._tell_write = tell

    def _publish(self, event: Event) -> None:
        super()._publish(event)
        self._tell_write(event)


class Lease:
    """One life of a server's hold on the store; when it ends, the store is closed to it, and to it alone."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.ended = False

    @property
    def revision(self) -> int:
        return self._store.revision

    @property
    def compacted(self) -> int:
        return self._store.compacted

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        return await self._held().put(key, value, expect=expect)

    async def delete(self, key: str, *, expect: int | None = None) -> int:
        return await self._held().delete(key, expect=expect)

    async def get(self, key: str, *, revision: int = 0) -> Record | None:
        return await self._held().get(key, revision=revision)

    async def range(
        self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0
    ) -> tuple[int, list[Record]]:
        return await self._held().range(prefix, revision=revision, after=after, limit=limit)

    def watch(self, prefix: str = "", *, after: int) -> AsyncIterator[list[Event]]:
        return self._held().watch(prefix, after=after)

    async def history(self, key: str, *, after: int = 0, limit: int = 0) -> list[Event]:
        return await self._held().history(key, after=after, limit=limit)

    async def compact(self, revision: int) -> None:
        await self._held().compact(revision)

    async def close(self) -> None:
        self.ended = True

    def _held(self) -> MemoryStore:
        if self.ended:
            raise Closed("the server that asks is dead")
        return self._store


Summary = Callable[[str], Awaitable[bytes | None]]  #: what a node and its pods use; None when nobody can tell
DISCOVERY = ("/api", "/apis")


def _is_discovery(path: str) -> bool:
    """Whether a path is of the documents that say which kinds there are."""
    parts = path.strip("/").split("/")
    return len(parts) <= (2 if parts[0] == "api" else 3)


class Server:
    """The server of a simulation. `life` counts its starts; a request that outlives its server gets no answer."""

    def __init__(self, store: MemoryStore, summary: Summary) -> None:
        self.store = store
        self._summary = summary
        self.life = 0
        self.crash: Act | None = None  #: armed: at the n-th write from now
        self.crash_at = 0
        self.crashed = asyncio.Event()
        self.down = 0.0  #: seconds until it is to start again
        self.up = False
        self._discovered: dict[str, Response] = {}  # nobody defines kinds here: what is served stays
        self._registry: Registry
        self._handler: Handler
        self._lease: Lease

    async def start(self) -> None:
        self._lease = Lease(self.store)
        self._registry = Registry(self._lease, BUILTIN)
        await self._registry.start()
        self._handler = build(self._registry)
        self._handler.metrics_api.local = self._summary
        self.life += 1
        self.up = True

    async def stop(self) -> None:
        """Die: what it has not written is lost, and nobody gets an answer any more."""
        if self.up:
            self._fall()
        await self._registry.stop()

    def arm(self, act: Act) -> None:
        self.crash, self.crash_at = act, int(act.number("write", 1))

    async def answer(self, request: Request, user: str, groups: tuple[str, ...]) -> Response:
        """The answer to a request of a user; TransportError when the server is down or dies meanwhile."""
        if not self.up:
            raise TransportError("connection refused")
        writes, life = request.method != "GET", self.life
        if writes:
            self._count("before")
        if request.path in self._discovered:
            return replace(self._discovered[request.path])
        request.user = User(name=user, groups=groups) if groups else User(name=user)
        response = await self._handler.handle(request)
        if writes:
            self._count("after")
            self.crash_at -= 1
        if life != self.life or not self.up:
            raise TransportError("connection reset by peer")
        if request.method == "GET" and request.path.startswith(DISCOVERY) and _is_discovery(request.path):
            self._discovered[request.path] = replace(response)
        return response

    def _count(self, moment: str) -> None:
        act = self.crash
        if act is not None and self.crash_at <= 1 and act.get("moment", "before") == moment:
            self.crash, self.down = None, act.number("down")
            self._fall()
            self.crashed.set()
            raise TransportError("connection reset by peer")

    def _fall(self) -> None:
        self.up = False
        self._lease.ended = True
        self.life += 1  # whoever waits for this life waits in vain
