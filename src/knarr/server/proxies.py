"""pods/proxy, services/proxy and nodes/proxy: a request carried on to what runs in the cluster."""

from collections.abc import AsyncIterator
from typing import Any

from knarr.client.transport import Request, Response
from knarr.kinds.rules import address_of
from knarr.kinds.types.core_v1 import Endpoints, Pod, Service
from knarr.meta import clock
from knarr.meta.errors import BadRequest, ServiceUnavailable
from knarr.server.admission import State
from knarr.server.paths import Target
from knarr.server.status import not_found

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
        return await _forward(request, url(scheme, address, port, target.rest or "/"))

    async def _pod(self, namespace: str, name: str, port: str) -> tuple[str, str]:
        pod = await self._state.get(Pod, namespace, name)
        if pod is None:
            raise not_found("pods", name)
        if not proxyable(pod.status.podIP):
            raise BadRequest("address not allowed")
        ports = [p for container in pod.spec.containers for p in container.ports]
        if not port:
            return pod.status.podIP, str(ports[0].containerPort) if ports else "80"
        named = next((p.containerPort for p in ports if p.name == port), None)
        return pod.status.podIP, str(named or port)

    async def _service(self, namespace: str, name: str, port: str) -> tuple[str, str]:
        service = await self._state.get(Service, namespace, name)
        if service is None:
            raise not_found("services", name)
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


def split(text: str) -> tuple[str, str, str]:
    """The parts of `[scheme:]name[:port]`; raise BadRequest for another form or scheme."""
    scheme = name = port = ""
    match text.split(":"):
        case [name]:
            pass
        case [name, port]:
            pass
        case [scheme, name, port]:
            pass
    if not name or scheme not in ("", "http", "https"):
        raise BadRequest(f'invalid service request "{text}"')
    return scheme or "http", name, port


def url(scheme: str, address: str, port: str, path: str) -> str:
    """Where a request goes. The port comes from the client, and what is no number might name another host."""
    if not (port.isascii() and port.isdecimal() and int(port) < 1 << 16):
        raise ServiceUnavailable(f"error trying to reach service: dial tcp: lookup tcp/{port}: unknown port")
    host = f"[{address}]" if ":" in address else address
    return f"{scheme}://{host}:{port}{path}"


def proxyable(text: str) -> bool:
    """Whether requests may be carried to an address: a pod's status must not lead to the server's own machine."""
    address = address_of(text)
    return address is not None and not (address.is_loopback or address.is_link_local or address.is_multicast)


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
