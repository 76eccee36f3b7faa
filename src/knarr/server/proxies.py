"""pods/proxy, services/proxy and nodes/proxy: a request carried on to what runs in the cluster, WebSockets too.

Keeps true: a pod is reached through its node's agent, so no packet of the server's ever goes where a status says that a
pod is; only addresses that somebody wrote into an Endpoints by hand are dialed from here. A redirect of what answers
leads the client back through the proxy.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from knarr.client.pump import Ends
from knarr.client.transport import Request, Response
from knarr.kinds.rules import plain_address
from knarr.kinds.types.core_v1 import EndpointAddress, Endpoints, Pod, Service
from knarr.meta import clock
from knarr.meta.errors import BadRequest, InternalError, ServiceUnavailable
from knarr.server.admission import State
from knarr.server.agents import Agents, connect
from knarr.server.exchange import exchange
from knarr.server.paths import Target
from knarr.server.status import no_such_method, not_found

PROXIED = {"pods": 8, "services": 8, "nodes": 6}  #: parts of a path up to its "proxy", the empty first one included
SAFE = "/%:@!$&'()*+,;=~"  #: what stays as it is in a path, escapes included


class Proxies:
    """Answers the proxy subresources. Without `agents` nothing that runs on a node can be reached."""

    def __init__(self, state: State, agents: Agents | None) -> None:
        self._state, self._agents = state, agents

    async def answer(self, request: Request, target: Target) -> Response:
        scheme, name, port = split(target.name)
        rest = rest_of(request.path, PROXIED[target.resource])
        if not rest and request.method in ("GET", "HEAD") and "upgrade" not in request.headers:
            query = f"?{urlencode(request.query)}" if request.query else ""
            return Response(301, {"location": f"{request.path}/{query}"})
        if target.resource == "nodes":
            return await self._node(request, name, rest or "/")
        reach = self._pod if target.resource == "pods" else self._service
        host, dial = await reach(target.namespace, name, port, scheme)
        prefix = request.path.removesuffix(rest) if rest else request.path
        forwarded = (("X-Forwarded-Uri", prefix + rest), ("X-Forwarded-Host", request.headers.get("host", "")))
        answer = await exchange(request, dial, host, rest or "/", forwarded)
        if location := answer.headers.get("location"):
            answer.headers["location"] = redirected(location, host, prefix)
        return answer

    async def _node(self, request: Request, name: str, path: str) -> Response:
        if self._agents is None:
            raise no_such_method()
        agents, place = self._agents, await self._agents.place(name)
        return await exchange(request, lambda: agents.dial(place), place.text, path)

    async def _pod(
        self, namespace: str, name: str, port: str, scheme: str
    ) -> tuple[str, Callable[[], Awaitable[Ends]]]:
        pod = await self._state.get(Pod, namespace, name)
        if pod is None:
            raise not_found("pods", name)
        if not proxyable(pod.status.podIP):
            raise BadRequest("address not allowed")
        ports = [p for container in pod.spec.containers for p in container.ports]
        named = next((p.containerPort for p in ports if port and p.name == port), None)
        first = ports[0].containerPort if ports else 80
        number = port_of(str(named or port or first))
        return host_of(pod.status.podIP, number), self._dialer(pod, number, scheme)

    async def _service(
        self, namespace: str, name: str, port: str, scheme: str
    ) -> tuple[str, Callable[[], Awaitable[Ends]]]:
        service = await self._state.get(Service, namespace, name)
        if service is None:
            raise not_found("services", name)
        endpoints = await self._state.get(Endpoints, namespace, name)
        wanted = next((p for p in service.spec.ports if port in (p.name, str(p.port)) or not port), None)
        if wanted is None:
            raise ServiceUnavailable(f'no service port "{port}" found for service "{name}"')
        choices = [
            (address, found.port)
            for subset in (endpoints.subsets if endpoints else [])
            for found in subset.ports
            for address in subset.addresses
            if (found.name or "") == wanted.name
        ]
        if not choices:
            raise ServiceUnavailable(f'no endpoints available for service "{name}"')
        address, number = clock.rng().choice(choices)
        return host_of(address.ip, number), await self.endpoint(address, number, scheme)

    async def endpoint(self, address: EndpointAddress, port: int, scheme: str) -> Callable[[], Awaitable[Ends]]:
        """How an address of a service is reached: as the pod it stands for, or by itself."""
        about = address.targetRef
        if about is not None and about.kind == "Pod":
            pod = await self._state.get(Pod, about.namespace, about.name)
            if pod is None or address.ip not in [pod.status.podIP, *(ip.ip for ip in pod.status.podIPs)]:
                where = host_of(address.ip, port)
                raise ServiceUnavailable(f"error trying to reach service: dial tcp {where}: no pod has this address")
            return self._dialer(pod, port, scheme)
        if not proxyable(address.ip):
            raise BadRequest("address not allowed")
        return lambda: connect(address.ip, port, secure=scheme == "https")

    def _dialer(self, pod: Pod, port: int, scheme: str) -> Callable[[], Awaitable[Ends]]:
        agents = self._agents

        async def dial() -> Ends:
            if agents is None or not pod.spec.nodeName:
                raise ServiceUnavailable(f"error trying to reach service: pod {pod.metadata.name} has no node")
            try:
                return await agents.dial_pod(pod, port, secure=scheme == "https")
            except InternalError as error:
                raise ServiceUnavailable(f"error trying to reach service: {error.message}") from None

        return dial


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


def rest_of(path: str, leading: int) -> str:
    """What follows the proxy in a path, still percent-encoded; "" when not even a slash does."""
    parts = path.split("/")[leading:]
    return "/" + quote("/".join(parts), safe=SAFE) if parts else ""


def port_of(text: str) -> int:
    """A port. It comes from the client, and what is no number might name another host."""
    if not (text.isascii() and text.isdecimal() and int(text) < 1 << 16):
        raise ServiceUnavailable(f"error trying to reach service: dial tcp: lookup tcp/{text}: unknown port")
    return int(text)


def host_of(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def redirected(location: str, host: str, prefix: str) -> str:
    """Where a redirect of what answers leads the client: through the proxy, unless it leads elsewhere."""
    parts = urlsplit(location)
    if parts.netloc not in ("", host) or not (parts.path.startswith("/") or parts.netloc):
        return location
    return urlunsplit(("", "", prefix.rstrip("/") + "/" + parts.path.lstrip("/"), parts.query, parts.fragment))


def proxyable(text: str) -> bool:
    """Whether requests may be carried to an address: a pod's status must not lead to the server's own machine."""
    address = plain_address(text)
    return address is not None and not (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or str(address) == "255.255.255.255"
    )
