"""pods/proxy, services/proxy and nodes/proxy: a request carried on to what runs in the cluster."""

from collections.abc import AsyncIterator
from typing import Any

from knarr.client.transport import Request, Response
from knarr.kinds.types.core_v1 import Endpoints, Pod, Service
from knarr.meta import clock
from knarr.meta.errors import BadRequest, NotFound, ServiceUnavailable
from knarr.server.admission import State
from knarr.server.paths import Target

HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding")
) | {"upgrade", "host", "authorization", "content-length", "accept-encoding"}


class Proxies:
    """Answers the proxy subresources of pods and services."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def answer(self, request: Request, target: Target) -> Response:
        scheme, name, port = split(target.name)
        if target.resource == "pods":
            address, port = await self._pod(target.namespace, name, port)
        else:
            address, port = await self._service(target.namespace, name, port)
        host = f"[{address}]" if ":" in address else address
        return await _forward(request, f"{scheme}://{host}:{port}{target.rest or '/'}")

    async def _pod(self, namespace: str, name: str, port: str) -> tuple[str, str]:
        pod = await self._state.get(Pod, namespace, name)
        if pod is None:
            raise NotFound(f'pods "{name}" not found', kind="pods", name=name)
        if not pod.status.podIP:
            raise BadRequest("address not allowed")
        ports = [p for container in pod.spec.containers for p in container.ports]
        if not port:
            return pod.status.podIP, str(ports[0].containerPort) if ports else "80"
        named = next((p.containerPort for p in ports if p.name == port), None)
        return pod.status.podIP, str(named or port)

    async def _service(self, namespace: str, name: str, port: str) -> tuple[str, str]:
        service = await self._state.get(Service, namespace, name)
        if service is None:
            raise NotFound(f'services "{name}" not found', kind="services", name=name)
        endpoints = await self._state.get(Endpoints, namespace, name)
        wanted = next((p for p in service.spec.ports if port in (p.name, str(p.port)) or not port), None)
        if wanted is None:
            raise ServiceUnavailable(f'no service port "{port}" found for service "{name}"')
        choices = [
            (address.ip, str(found.port))
            for subset in (endpoints.subsets if endpoints else [])
            for found in subset.ports
            for address in subset.addresses
            if found.name == wanted.name
        ]
        if not choices:
            raise ServiceUnavailable(f'no endpoints available for service "{name}"')
        return clock.rng().choice(choices)


def split(name: str) -> tuple[str, str, str]:
    """The parts of `[scheme:]name[:port]`; raise BadRequest when there are more."""
    parts = name.split(":")
    if len(parts) == 1:
        return "http", parts[0], ""
    if len(parts) == 2:
        return "http", parts[0], parts[1]
    if len(parts) == 3:
        return parts[0] or "http", parts[1], parts[2]
    raise BadRequest(f'invalid service request "{name}"')


async def _forward(request: Request, url: str) -> Response:
    """Carry the request on; the answer's body comes as a stream."""
    import aiohttp

    headers = {key: value for key, value in request.headers.items() if key not in HOP_BY_HOP}
    session = aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None, connect=10))
    try:
        answer = await session.request(
            request.method,
            url,
            params=request.query,
            headers=headers,
            data=request.body or None,
            allow_redirects=False,
            ssl=False,
        )
    except (aiohttp.ClientError, TimeoutError) as error:
        await session.close()
        raise ServiceUnavailable(f"error trying to reach service: {error}") from None
    kept = {k.lower(): v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
    return Response(answer.status, kept, stream=_pieces(session, answer))


async def _pieces(session: Any, answer: Any) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.content.iter_any():
            yield piece
    finally:
        answer.close()
        await session.close()
