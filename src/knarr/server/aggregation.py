"""API aggregation: group versions that another server answers for, behind a service of the cluster.

Keeps true: a request goes on only after it was authenticated and authorized here; it says who asks in headers that the
client cannot set, over TLS to whom the APIService's caBundle vouches for, and shows the front proxy's certificate, by
which that server knows that it may believe them (upstream's kube-aggregator). Called by the handler and, for whether
such a server is available, by `aggregation_availability.py`.
"""

import asyncio
import base64
import binascii
import logging
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote, unquote

from knarr.client import http
from knarr.client.pump import Ends
from knarr.client.transport import Request, Response, User
from knarr.kinds.types.apiregistration_v1 import APIService, ServiceReference
from knarr.kinds.types.core_v1 import EndpointAddress, Service, ServicePort
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.meta import clock
from knarr.meta.errors import ApiError, BadRequest, ServiceUnavailable, Timeout
from knarr.server import status
from knarr.server.admission import State
from knarr.server.admission.webhook_client import SERVICE
from knarr.server.agents import connect
from knarr.server.aggregation_documents import Documents
from knarr.server.exchange import ANSWER_SECONDS, Dial, exchange
from knarr.server.paths import truth
from knarr.server.pki import Pair
from knarr.server.proxies import SAFE, Proxies, host_of
from knarr.server.status import not_found

GROUPS = ("/apis/", "/openapi/v3/apis/")  #: how the paths begin that another server may answer for
PORT = 443
REMOTE = "x-remote-"  #: how the names of the headers begin that only the front proxy may set
KEY = "!#$&'*+-.^_`|~"  #: what stays as it is in the key of an extra, beside letters and digits
TLS_SECONDS = 10.0
LASTING = frozenset(("attach", "exec", "log", "portforward", "proxy"))  #: subresources that carry streams
LARGEST = 32 * 2**20  #: bytes of an answer to this server's own questions

log = logging.getLogger("knarr.server")

GroupVersion = tuple[str, str]
Fields = list[tuple[str, str]]


class Aggregation:
    """Carries requests on to the servers behind APIServices. Without `front_proxy` no certificate is shown."""

    def __init__(self, state: State, proxies: Proxies, front_proxy: Pair | None = None) -> None:
        self._state, self._proxies, self._front_proxy = state, proxies, front_proxy
        self._listed: Sequence[APIService] = ()
        self._services: dict[GroupVersion, APIService] = {}
        self._contexts: dict[tuple[str, bool], ssl.SSLContext] = {}
        self.documents = Documents()  #: what the servers say of themselves

    async def services(self) -> Mapping[GroupVersion, APIService]:
        """The entries whose group version another server answers for."""
        listed = await self._state.list(APIService)
        if listed is not self._listed:
            self._listed = listed
            self._services = {(s.spec.group, s.spec.version): s for s in listed if s.spec.service is not None}
            self._contexts = {
                key: made for key, made in self._contexts.items() if key[0] in {s.spec.caBundle for s in listed}
            }
        return self._services

    async def behind(self, path: str) -> APIService | None:
        """The entry of the group version that a path below `GROUPS` is under, or whose OpenAPI it is; None for this
        server's own."""
        if not (services := await self.services()):
            return None
        parts = path.removeprefix("/openapi/v3").split("/")
        return services.get((parts[2], parts[3])) if len(parts) > 3 else None

    async def answer(self, request: Request, user: User, service: APIService) -> Response:
        """Carry a request on; text and the code 503 when the server is not available, as upstream."""
        if is_ambiguous(request.path):
            raise BadRequest(
                f'the path "{request.path}" may be read in two ways: it has "//", ".", ".." or an escaped "/"'
            )
        if not is_available(service):
            return status.plain(503, "service unavailable\n")
        try:
            return await self._carry(request, service, identity(user), verify=True)
        except Timeout:
            raise
        except ApiError as error:
            return status.plain(503, f"{error.message}\n")

    async def ask(self, service: APIService, path: str, headers: dict[str, str]) -> Response:
        """Ask such a server in this one's own name, whole answers; raise ServiceUnavailable when nothing answers.

        Its certificate is not checked, as upstream: the answer says no more than that somebody is there.
        """
        answer = await self._carry(Request("GET", path, headers=headers), service, identity(OWN), verify=False)
        if answer.stream is not None:
            answer = Response(answer.status, answer.headers, await whole(answer, answer.stream))
        return answer

    async def _carry(self, request: Request, service: APIService, who: Fields, *, verify: bool) -> Response:
        wanted = service.spec.service
        assert wanted is not None, "only called for entries with one"
        try:
            host, dial = await self._reach(wanted)
        except ApiError as error:
            log.info("%s: %s", service.metadata.name, error)
            raise ServiceUnavailable("service unavailable") from None
        context = await self._context(service.spec.caBundle, verify and not service.spec.insecureSkipTLSVerify)
        name = f"{wanted.name}.{wanted.namespace}.svc"
        headers = {key: value for key, value in request.headers.items() if not key.startswith(REMOTE)}
        sent = Request(request.method, request.path, request.query, headers, request.body, asked=request.asked)
        path = quote(request.path, safe=SAFE)
        patience = None if lasts(sent) else ANSWER_SECONDS
        return await exchange(sent, lambda: secured(dial, context, name), host, path, who, patience)

    async def _reach(self, wanted: ServiceReference) -> tuple[str, Dial]:
        """Where a service's server is, and how to connect to it."""
        port = wanted.port or PORT
        service = await self._state.get(Service, wanted.namespace, wanted.name)
        if service is None:
            raise not_found("services", wanted.name)
        if service.spec.type == "ExternalName":
            outside = service.spec.externalName
            return host_of(outside, port), lambda: connect(outside, port, secure=False)
        found = port_of(service, port)
        slices = await self._state.list(EndpointSlice, wanted.namespace)
        choices = list(endpoints(wanted.name, found.name, slices)) if found is not None else []
        if not choices:
            raise ServiceUnavailable(f'no endpoints available for service "{wanted.name}"')
        address, number = clock.rng().choice(choices)
        return host_of(address.ip, number), await self._proxies.endpoint(address, number, "http")

    async def _context(self, bundle: str, checked: bool) -> ssl.SSLContext:
        """This end of TLS: whom to trust and the front proxy's certificate, made once for each bundle."""
        key = (bundle if checked else "", checked)
        if (known := self._contexts.get(key)) is None:
            try:
                known = await asyncio.to_thread(context, *key, self._front_proxy)
            except ValueError as error:
                raise ServiceUnavailable(str(error)) from None
            self._contexts[key] = known
        return known


OWN = User("system:kube-aggregator", groups=("system:masters",))


async def whole(answer: Response, stream: AsyncIterator[bytes]) -> bytes:
    """All of an answer's body; ServiceUnavailable when it is larger than any such answer is."""
    body = bytearray()
    try:
        async for piece in stream:
            body += piece
            if len(body) > LARGEST:
                raise ServiceUnavailable(f"the answer is larger than {LARGEST} bytes")
    finally:
        await answer.close()
    return bytes(body)


def lasts(request: Request) -> bool:
    """Whether a request may take as long as it likes: a watch, or what carries streams."""
    parts = request.path.split("/")
    watched = any(key == "watch" and truth(value) for key, value in request.query)
    return watched or "watch" in parts[4:5] or parts[-1] in LASTING or "upgrade" in request.headers


def is_ambiguous(path: str) -> bool:
    """Whether the server behind may understand another path than permission was asked for here."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    return any(part in ("", ".", "..") or "/" in part for part in parts)


def is_available(service: APIService) -> bool:
    return any(c.type == "Available" and c.status == "True" for c in service.status.conditions)


def identity(user: User) -> Fields:
    """The headers that say who asks. Names go as UTF-8, which a header's text stands for byte by byte."""
    fields = [("X-Remote-User", user.name), ("X-Remote-Uid", user.uid)]
    fields += [("X-Remote-Group", group) for group in user.groups]
    for key, values in user.extra.items():
        fields += [(f"X-Remote-Extra-{quote(key, safe=KEY)}", value) for value in values]
    return [(name, value.encode(errors="surrogateescape").decode("latin-1")) for name, value in fields if value]


async def secured(dial: Dial, context: ssl.SSLContext, name: str) -> Ends:
    """A connection with TLS over it; ServiceUnavailable when the other end is not who it ought to be."""
    reader, writer = await dial()
    try:
        async with asyncio.timeout(TLS_SECONDS):
            await writer.start_tls(context, server_hostname=name)
    except (OSError, TimeoutError) as error:
        writer.close()
        raise ServiceUnavailable(f"error trying to reach service: {error or 'TLS handshake timeout'}") from None
    except BaseException:
        writer.close()
        raise
    return reader, writer


def context(bundle: str, checked: bool, front_proxy: Pair | None) -> ssl.SSLContext:
    """A context for TLS to such a server; ValueError for a caBundle that holds no certificates."""
    pair = (front_proxy.certificate, front_proxy.key) if front_proxy is not None else (None, None)
    if not checked:
        return http.context(None, *pair, verify=False)
    try:
        return http.context(base64.b64decode(bundle) if bundle else None, *pair)
    except (binascii.Error, ssl.SSLError, UnicodeDecodeError) as error:
        raise ValueError(f"unable to load root certificates: {error}") from None


def port_of(service: Service, number: int) -> ServicePort | None:
    return next((port for port in service.spec.ports if port.port == number), None)


def endpoints(service: str, port: str, slices: Iterable[EndpointSlice]) -> Iterator[tuple[EndpointAddress, int]]:
    """The ready addresses of a service's port of that name, and its number there."""
    for slice_ in slices:
        if slice_.metadata.labels.get(SERVICE) != service:
            continue
        for found in slice_.ports:
            for endpoint in slice_.endpoints:
                ready = endpoint.conditions is None or endpoint.conditions.ready is not False
                if ready and found.port and (found.name or "") == port:
                    for address in endpoint.addresses:
                        yield EndpointAddress(ip=address, targetRef=endpoint.targetRef), found.port
