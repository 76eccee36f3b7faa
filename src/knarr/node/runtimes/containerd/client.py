"""containerd's socket: CRI calls, and its events. Called by the runtime alone; importing this imports grpcio."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import grpc
import grpc.aio

from knarr.node.runtimes.containerd import wire
from knarr.node.runtimes.containerd.messages import Empty, Envelope, SubscribeRequest
from knarr.node.runtimes.runtime import NoSuchContainer, RuntimeFailure

RUNTIME, IMAGE = "runtime.v1.RuntimeService", "runtime.v1.ImageService"
EVENTS = "/containerd.services.events.v1.Events/Subscribe"
MOST = 16 * 1024 * 1024  #: bytes of one message: containerd's own limit
PATIENCE = 120.0  #: seconds one call may take, those that wait for a container apart

A = TypeVar("A", bound=wire.Message)


class Client:
    """An open connection. Failures: RuntimeFailure in containerd's words; NoSuchContainer: it does not know it."""

    def __init__(self, socket: Path) -> None:
        options = [
            ("grpc.max_receive_message_length", MOST),
            ("grpc.max_send_message_length", MOST),
            ("grpc.default_authority", "localhost"),  # it would be the socket's path, which Go's HTTP/2 refuses
            ("grpc.enable_http_proxy", 0),
        ]
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=options)

    async def ask(
        self,
        method: str,
        request: wire.Message,
        answer: type[A],
        *,
        reason: str = "RunContainerError",
        patience: float | None = PATIENCE,
    ) -> A:
        """Call CRI; `reason` is that of the failure. What does not answer yet is waited for."""
        service = IMAGE if "Image" in method else RUNTIME
        call = self._channel.unary_unary(
            f"/{service}/{method}", request_serializer=wire.encode, response_deserializer=partial(wire.decode, answer)
        )
        try:
            found: A = await call(request, timeout=patience, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                raise NoSuchContainer(error.details() or "not found") from error
            raise RuntimeFailure(error.details() or str(error.code()), reason=reason) from error
        return found

    async def tell(self, method: str, request: wire.Message, *, patience: float | None = PATIENCE) -> None:
        """A call whose answer is empty."""
        await self.ask(method, request, Empty, patience=patience)

    async def events(self) -> AsyncIterator[str]:
        """The topics of what happens, from now on. RuntimeFailure when the connection breaks."""
        call = self._channel.unary_stream(
            EVENTS, request_serializer=wire.encode, response_deserializer=partial(wire.decode, Envelope)
        )
        try:
            async for envelope in call(SubscribeRequest(filters=["namespace==k8s.io"]), wait_for_ready=True):
                yield envelope.topic
        except grpc.aio.AioRpcError as error:
            raise RuntimeFailure(f"containerd does not answer: {error.details()}") from error

    async def close(self) -> None:
        await self._channel.close()
