"""Calls webhooks over HTTPS: at a URL, or at a service's endpoints under the service's name.

The certificate must be for the host of the URL or for `<service>.<namespace>.svc`, and be signed by the caBundle;
without one, by an authority that the machine trusts.
"""

import base64
import binascii
import ssl
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from knarr.client import http
from knarr.kinds.types.admissionregistration_v1 import ServiceReference, WebhookClientConfig
from knarr.kinds.types.core_v1 import Node, Service
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.meta import clock
from knarr.server.admission import State, Tree

SERVICE = "kubernetes.io/service-name"
RUNTIME = "knarr.dev/runtime"  #: the label of a node that says what runs its pods
LARGEST = 16 * 2**20  #: bytes of an answer
CONTEXTS = 64  #: TLS contexts kept, by caBundle


class CallFailed(Exception):
    """A webhook that could not be asked, or did not answer as it should."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a webhook is: whom to connect to, under which name, and what to ask for."""

    address: str  #: "host:port" to connect to
    host: str  #: that the certificate must be for, with the port if it is not the usual one
    path: str

    @property
    def url(self) -> str:
        """As messages name it."""
        return f"https://{self.host}{self.path}"


async def place_of(config: WebhookClientConfig, state: State, seconds: float = 0.0) -> Place:
    """Where a webhook is; raises CallFailed when its service has nobody to answer. The message has its `seconds`."""
    if config.service is not None:
        return await _service(config.service, state, f"?timeout={seconds:g}s" if seconds else "")
    parts = urlsplit(config.url)
    return Place(parts.netloc, parts.netloc, parts.path or "/")


async def _service(wanted: ServiceReference, state: State, query: str) -> Place:
    name, namespace, number = wanted.name, wanted.namespace, wanted.port or 443
    path = "/" + wanted.path.lstrip("/")
    host = f"{name}.{namespace}.svc:{number}"
    service = await state.get(Service, namespace, name)
    if service is None:
        raise CallFailed(f'Post "https://{host}{path}{query}": service "{name}" not found')
    if service.spec.type == "ExternalName":
        return Place(f"{service.spec.externalName}:{number}", host, path)
    port = next((p for p in service.spec.ports if p.port == number), None)
    if port is None:
        raise CallFailed(f'Post "https://{host}{path}{query}": no service port {number} found for service "{name}"')
    slices = await state.list(EndpointSlice, namespace)
    choices = [
        (address, found.port, endpoint.nodeName or "")
        for slice_ in slices
        if slice_.metadata.labels.get(SERVICE) == name
        for found in slice_.ports
        if found.name == port.name and found.port
        for endpoint in slice_.endpoints
        if endpoint.conditions is None or endpoint.conditions.ready is not False
        for address in endpoint.addresses
    ]
    if not choices:
        raise CallFailed(f'Post "https://{host}{path}{query}": no endpoints available for service "{name}"')
    address, number, node = clock.rng().choice(choices)
    if await is_simulated(node, state):
        where = f"dial tcp {address}:{number}"
        raise CallFailed(f'Post "https://{host}{path}{query}": {where}: connect: its node is simulated, nobody listens')
    return Place(f"[{address}]:{number}" if ":" in address else f"{address}:{number}", host, path)


async def is_simulated(node: str, state: State) -> bool:
    """Whether a node is simulated: its pods are nowhere, and what is sent to their addresses may leave the machine."""
    found = await state.get(Node, "", node) if node else None
    return found is not None and found.metadata.labels.get(RUNTIME) == "simulated"


@lru_cache(maxsize=CONTEXTS)
def tls(bundle: str) -> ssl.SSLContext:
    """The client's end of TLS for a caBundle as it stands in the configuration; raises ValueError for none."""
    try:
        return http.context(base64.b64decode(bundle) if bundle else None, None, None)
    except (binascii.Error, ssl.SSLError, UnicodeDecodeError) as error:
        raise ValueError(f"unable to load root certificates: {error}") from None


async def post(place: Place, bundle: str, review: Tree, seconds: float) -> bytes:
    """Send a review and give the answer's body; raises CallFailed."""
    import aiohttp

    where = f'Post "{place.url}?timeout={seconds:g}s"'
    try:
        context = tls(bundle)
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                urlunsplit(("https", place.address, place.path, f"timeout={seconds:g}s", "")),
                data=msgspec.json.encode(review),
                headers={"content-type": "application/json", "accept": "application/json", "host": place.host},
                ssl=context,
                server_hostname=hostname(place.host),
                allow_redirects=False,
            ) as answer,
        ):
            body = await _read(answer)
            if answer.status != 200:
                text = body[:200].decode(errors="replace").strip()
                raise CallFailed(text or f"the server answered {answer.status}")
            return body
    except TimeoutError:
        raise CallFailed(f"{where}: context deadline exceeded") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise CallFailed(f"{where}: {error}") from None


async def _read(answer: Any) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in answer.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise CallFailed(f"the answer is larger than {LARGEST} bytes")
    return b"".join(pieces)


def hostname(host: str) -> str:
    """The name in a certificate, without a port."""
    return urlsplit(f"//{host}").hostname or ""
