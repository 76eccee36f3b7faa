"""The transport over a socket: HTTP/1.1, TLS, client certificate or bearer token. Nodes and outside clients use it.

Connections are kept and used again. A connection that the server had closed meanwhile is found out by the next request
on it, which is then sent once more on a new one if it only reads; other failures are the caller's to judge.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from knarr.client.transport import Request, Response, TransportError

if TYPE_CHECKING:
    import aiohttp

Source = Path | bytes | None  #: PEM: a file, or the text itself
CONNECT_SECONDS = 10.0
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
    ) -> None:
        self.url = url.rstrip("/")
        self._tls: ssl.SSLContext | None = None
        if self.url.startswith("https:"):
            self._tls = context(ca, cert, key, verify=verify)
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
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
        session = self._open_session()
        answer = await session.request(
            request.method,
            self.url + request.path,
            params=request.query or None,
            headers={**self._headers, **request.headers},
            data=request.body or None,
            allow_redirects=False,
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if request.parameter("watch") in ("true", "1") or request.parameter("follow") in ("true", "1"):
            return Response(answer.status, headers, stream=_chunks(answer))
        async with answer:
            return Response(answer.status, headers, await answer.read())

    def _open_session(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp

            connector = aiohttp.TCPConnector(ssl=self._tls or True, limit=0, keepalive_timeout=KEEP_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                auto_decompress=True,
                read_bufsize=2**20,
            )
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
