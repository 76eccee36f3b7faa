"""How a request reaches an API server: one exchange type, two transports that answer alike.

`InProcess` hands the request to the server's own handler, `knarr.client.http.Http` sends it over a socket; both pass
the same contract suite. The server room renders the same `Response` for either, so everything above this module
neither knows nor cares where the server is.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class User:
    """Who asks, once it is sure; upstream's `user.Info`."""

    name: str = "system:admin"
    uid: str = ""
    groups: tuple[str, ...] = ("system:masters", "system:authenticated")
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Request(Struct):
    """One request. Header names are lower case; `query` keeps order and repetitions, its values are decoded."""

    method: str
    path: str
    query: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    body: bytes = b""
    user: User | None = None  #: whom the transport has made sure of
    asked: str = ""  #: the query as it came over a socket, still encoded
    peer: str = ""  #: the address of who asks, over a socket
    incoming: AsyncIterable[bytes] | None = None  #: a body that comes while it is answered, instead of `body`

    def parameter(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)


class Response(Struct):
    """One answer: a whole `body`, or a `stream` of chunks that ends when the server is done or the reader closes it."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None

    async def close(self) -> None:
        """Tell the server that nobody reads the stream any more."""
        if self.stream is not None and (close := getattr(self.stream, "aclose", None)):
            await close()


class TransportError(Exception):
    """The server could not be reached, or hung up in the middle of an answer."""


class Transport(Protocol):
    async def send(self, request: Request) -> Response:
        """Carry one request; raise TransportError when there is no answer."""

    async def close(self) -> None:
        """Let go of every connection. Safe to call again."""


Handle = Callable[[Request], Awaitable[Response]]


class InProcess:
    """The server's handler without the socket. `user` is who asks: the process itself vouches for it."""

    def __init__(self, handle: Handle, user: User | None = None) -> None:
        self._handle = handle
        self._user = user or User()
        self._closed = False

    async def send(self, request: Request) -> Response:
        if self._closed:
            raise TransportError("the transport is closed")
        request.user = self._user
        return await self._handle(request)

    async def close(self) -> None:
        self._closed = True
