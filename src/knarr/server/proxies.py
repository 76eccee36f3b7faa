"""pods/proxy, services/proxy and nodes/proxy: a request carried on to what runs in the cluster, WebSockets too.

Keeps true: a pod is reached through its node's agent, so no packet of the server's ever goes where a status says that a
pod is; only addresses that the cluster's own DNS has are dialed from here. The links of what answers lead back through
the proxy.
"""

from urllib.parse import quote

from knarr.client.pump import Ends
from knarr.client.transport import Request, Response
from knarr.kinds.rules import plain_address
from knarr.kinds.types.core_v1 import EndpointAddress, Endpoints, Pod, Service
from knarr.meta import clock
from knarr.meta.errors import BadRequest, InternalError, ServiceUnavailable
from knarr.server.admission import State
from knarr.server.agents import Agents, connect
from knarr.server.exchange import Dial, exchange, question
from knarr.server.links import Through, led
from knarr.server.paths import Target
from knarr.server.status import no_such_method, not_found

PROXIED = {"pods": 8, "services": 8, "nodes": 6}  #: parts of a path up to its "proxy", the empty first one included
DNS = ("kube-system", "kube-dns")  #: the service whose endpoint is no pod: the server itself answers
SAFE = "/%:@!$&'()*+,;=~"  #: what stays as it is in a path, escapes included

Reached = tuple[str, Dial]  #: where it is, and how to connect to it


class Proxies:
    """Answers the proxy subresources. Without `agents` nothing that runs on a node can be reached."""

    def __init__(self, state: State, agents: Agents | None) -> None:
        self._state, self._agents = state, agents

    async def answer(self, request: Request, target: Target) -> Response:
        scheme, name, port = split(target.name)
        rest = rest_of(request.path, PROXIED[target.resource])
        if not rest and request.method in ("GET", "HEAD") and "upgrade" not in request.headers:
            return Response(301, {"location": f"{request.path}/{question(request)}"})
        reach = {"pods": self._pod, "services": self._service, "nodes": self._node}[target.resource]
        behind, dial = await reach(target.namespace, name, port, scheme)
        prefix = request.path.removesuffix(rest) if rest else request.path
        asked = request.headers.get("host", "") or behind
        answer = await exchange(request, dial, asked, rest or "/", forwarded(request, prefix + (rest or "/")))
        return answer if answer.status == 101 else await led(answer, Through(prefix, behind, asked))

    async def _node(self, namespace: str, name: str, port: str, scheme: str) -> Reached:
        if self._agents is None:
            raise no_such_method()
        agents, place = self._agents, await self._agents.place(name)
        return place.text, lambda: agents.dial(place)

    async def _pod(self, namespace: str, name: str, port: str, scheme: str) -> Reached:
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

    async def _service(self, namespace: str, name: str, port: str, scheme: str) -> Reached:
        service = await self._state.get(Service, namespace, name)
        endpoints = await self._state.get(Endpoints, namespace, name)
        if service is None or endpoints is None:
            raise not_found("services", name)
        named = name_of(service, port)
        choices = [
            (address, found.port)
            for subset in endpoints.subsets
            for found in subset.ports
            for address in subset.addresses
            if (found.name or "") == named
        ]
        clock.rng().shuffle(choices)
        for address, number in choices:
            if (namespace, name) == DNS or await self._is_of_a_pod(namespace, address):
                return host_of(address.ip, number), await self.endpoint(address, number, scheme)
        raise ServiceUnavailable(f'no endpoints available for service "{name}"')

    async def _is_of_a_pod(self, namespace: str, address: EndpointAddress) -> bool:
        """Whether a pod of the service's namespace has an address: others, somebody may have written by hand."""
        about = address.targetRef
        if about is None or about.kind != "Pod" or about.namespace != namespace:
            return False
        pod = await self._state.get(Pod, namespace, about.name)
        return pod is not None and address.ip in addresses(pod)

    async def endpoint(self, address: EndpointAddress, port: int, scheme: str) -> Dial:
        """How an address of a service is reached: as the pod it stands for, or by itself."""
        about = address.targetRef
        if about is not None and about.kind == "Pod":
            pod = await self._state.get(Pod, about.namespace, about.name)
            if pod is None or address.ip not in addresses(pod):
                where = host_of(address.ip, port)
                raise ServiceUnavailable(f"error trying to reach service: dial tcp {where}: no pod has this address")
            return self._dialer(pod, port, scheme)
        if not proxyable(address.ip):
            raise BadRequest("address not allowed")
        return lambda: connect(address.ip, port, secure=scheme == "https")

    def _dialer(self, pod: Pod, port: int, scheme: str) -> Dial:
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


def name_of(service: Service, port: str) -> str:
    """The name of the port of a service that is asked for: by name, by number, or none, which is the first."""
    ports = service.spec.ports
    if not port:
        return ports[0].name if ports else ""
    if not (port.isascii() and port.isdecimal()):
        return port
    named = next((each.name for each in ports if each.port == int(port)), None)
    if named is None:
        raise ServiceUnavailable(f'no service port {int(port)} found for service "{service.metadata.name}"')
    return named


def addresses(pod: Pod) -> list[str]:
    return [pod.status.podIP, *(ip.ip for ip in pod.status.podIPs)]


def forwarded(request: Request, uri: str) -> list[tuple[str, str]]:
    """What tells the server behind the proxy where a request came from."""
    by = [request.headers.get("x-forwarded-for", ""), request.peer]
    return [("x-forwarded-uri", uri), ("x-forwarded-for", ", ".join(filter(None, by)))]


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
