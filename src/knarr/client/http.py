"""The transport over a socket: HTTP/1.1, TLS, client certificate or bearer token. Nodes and outside clients use it.

Connections are kept and used again. One that the server has closed meanwhile is found out by the next request on it,
which is then sent once more on a new one if it only reads; other failures are the caller's to judge. A connection
whose other end has vanished without a word, as behind a wire that was cut, is given up within half a minute, watches
too.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from knarr.client.transport import Request, Response, TransportError

if TYPE_CHECKING:
    import aiohttp

Source = Path | bytes | None  #: PEM: a file, or the text itself
CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 60.0  #: upstream's limit of a request that is not a stream
#: when a silent connection is tested, how often, how many tests may fail, and how long sent bytes may go unconfirmed
IDLE_SECONDS, PROBE_SECONDS, PROBES, UNCONFIRMED_MILLISECONDS = 10, 5, 3, 25_000
KEEP_SECONDS = 90.0
SAFE_METHODS = frozenset({"GET", "HEAD"})


class Http:
    """One API server, reached by its URL."""

    def __init__(
        self,
        url: str,
        *,
        ca: Source = None,
        cert: Source = None,
        key: Source = None,
        token: str = "",
        verify: bool = True,
        timeout: float = REQUEST_SECONDS,
    ) -> None:
        """`timeout` is in seconds and for all of a request but a stream."""
        self.url = url.rstrip("/")
        self._tls: ssl.SSLContext | None = None
        if self.url.startswith("https:"):
            self._tls = context(ca, cert, key, verify=verify)
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Response:
        import aiohttp

        tries = 2 if request.method in SAFE_METHODS else 1
        while True:
            tries -= 1
            try:
                return await self._send(request)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError) as error:
                if not tries:
                    raise TransportError(f"{self.url}: {error}") from error
            except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                raise TransportError(f"{self.url}: {str(error) or type(error).__name__}") from error

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(self, request: Request) -> Response:
        import aiohttp

        session = self._open_session()
        streams = any(request.parameter(name) in ("true", "1") for name in ("watch", "follow"))
        total = None if streams else self._timeout
        answer = await session.request(
            request.method,
            self.url + request.path,
            params=request.query or None,
            headers={**self._headers, **request.headers},
            data=request.body or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=total, sock_connect=CONNECT_SECONDS),
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if streams:
            return Response(answer.status, headers, stream=_chunks(answer))
        async with answer:
            return Response(answer.status, headers, await answer.read())

    def _open_session(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp

            connector = aiohttp.TCPConnector(
                ssl=self._tls or True, limit=0, keepalive_timeout=KEEP_SECONDS, socket_factory=watchful_socket
            )
            self._session = aiohttp.ClientSession(connector=connector, read_bufsize=2**20)
        return self._session


async def _chunks(answer: "aiohttp.ClientResponse") -> AsyncIterator[bytes]:
    """The body as it comes; leaving early closes the connection, which tells the server."""
    import aiohttp

    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise TransportError(f"the stream broke: {error}") from error
    finally:
        answer.close()


def watchful_socket(address: Any) -> socket.socket:
    """A socket that notices when its other end has vanished."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, IDLE_SECONDS),
        (socket.TCP_KEEPINTVL, PROBE_SECONDS),
        (socket.TCP_KEEPCNT, PROBES),
        (socket.TCP_USER_TIMEOUT, UNCONFIRMED_MILLISECONDS),
        (socket.TCP_NODELAY, 1),
    ):
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


def context(ca: Source, cert: Source, key: Source, *, verify: bool = True) -> ssl.SSLContext:
    """The client's end of TLS."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif ca is None:
        made.load_default_certs()
    elif isinstance(ca, bytes):
        made.load_verify_locations(cadata=ca.decode())
    else:
        made.load_verify_locations(ca)
    if cert is not None:
        _load_pair(made, cert, key)
    return made


def _load_pair(made: ssl.SSLContext, cert: Source, key: Source) -> None:
    """Load a client certificate; the ssl module reads only files, so given text becomes one for that long."""
    with TemporaryDirectory(prefix="knarr-") as folder:  # mode 0700
        paths: list[Path | None] = []
        for name, source in (("cert", cert), ("key", key)):
            if isinstance(source, bytes):
                (path := Path(folder, name)).write_bytes(source)
                paths.append(path)
            else:
                paths.append(source)
        assert paths[0] is not None, "only called with a certificate"
        made.load_cert_chain(paths[0], paths[1])
