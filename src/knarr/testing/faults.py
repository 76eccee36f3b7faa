"""A transport that fails when told to, for tests of what clients do then. Without orders it passes everything on."""

from collections.abc import AsyncIterator, Callable

from knarr.client.transport import Request, Response, Transport, TransportError
from knarr.meta.errors import ApiError
from knarr.server.status import response as status_response

Condition = Callable[[Request], bool]


def anything(request: Request) -> bool:
    return True


class Faulty:
    """Another transport with faults. `requests` holds what was sent since `record`, in order."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._orders: list[tuple[Condition, Exception | None]] = []
        self._cut = 0
        self._recording = False
        self.requests: list[Request] = []

    def record(self) -> None:
        """Keep every request from now on. Not by itself: a cluster may live for a year of virtual time."""
        self._recording = True

    def fail(self, error: Exception, *, when: Condition = anything, times: int = 1) -> None:
        """Have the next requests that meet a condition fail: an ApiError is the server's answer, others are raised."""
        self._orders += [(when, error)] * times

    def lose_answer(self, *, when: Condition = anything) -> None:
        """Have the next request that meets a condition carried out, and its answer lost."""
        self._orders.append((when, None))

    def cut_streams(self) -> None:
        """Break every stream that is open now, when its next chunk comes."""
        self._cut += 1

    async def send(self, request: Request) -> Response:
        if self._recording:
            self.requests.append(request)
        for number, (when, error) in enumerate(self._orders):
            if when(request):
                del self._orders[number]
                return await self._fail(request, error)
        answer = await self._transport.send(request)
        if answer.stream is not None:
            answer.stream = self._breakable(answer.stream)
        return answer

    async def close(self) -> None:
        await self._transport.close()

    async def _fail(self, request: Request, error: Exception | None) -> Response:
        if isinstance(error, ApiError):
            return status_response(error)
        if error is not None:
            raise error
        answer = await self._transport.send(request)
        await answer.close()
        raise TransportError("the answer was lost")

    async def _breakable(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        opened = self._cut
        try:
            async for chunk in stream:
                if self._cut > opened:
                    raise TransportError("the stream was cut")
                yield chunk
        finally:
            if close := getattr(stream, "aclose", None):
                await close()
