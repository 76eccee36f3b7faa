"""One HTTP/1.1 exchange over a connection that was dialed for it: the request out, the answer in as it comes, or the
tunnel that it becomes. The proxies and what asks the nodes' agents call it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from urllib.parse import urlencode

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from knarr.client.pump import CHUNK, Ends, pump
from knarr.client.transport import Request, Response
from knarr.meta.errors import ServiceUnavailable, Timeout
from knarr.server.hijack import Hijack
from knarr.server.messages import LAST_CHUNK, chunk
from knarr.server.messages import head as answer_head

log = logging.getLogger("knarr.server")

HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding")
) | {"upgrade", "content-length"}
OURS = frozenset(("host", "authorization", "accept-encoding", "expect"))  #: not for what is behind the server
IMPERSONATE = "impersonate-"  #: how the names of headers begin that the server has heeded
HEAD_MOST = 64 * 1024
ANSWER_SECONDS = 60.0  #: in which an answer has to begin, where clients do not wait for long: upstream's
TOO_LATE = "Timeout: request did not complete within the allotted timeout"
INFORMATIONAL = frozenset((100, *range(102, 200)))  #: codes of what only announces the answer; 101 is an answer
LINES = ("warning", "set-cookie")  #: headers that may come several times, a line each

Dial = Callable[[], Awaitable[Ends]]


class Answer:
    """What the parser makes of the answer's bytes. What comes before the answer (1xx) is read and forgotten."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.complete = self.ended = False
        self.parser = HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.complete:
            return  # a trailer
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        if key in self.headers:
            text = f"{self.headers[key]}{chr(10) if key in LINES else ', '}{text}"
        self.headers[key] = text

    def on_headers_complete(self) -> None:
        self.complete = self.parser.get_status_code() not in INFORMATIONAL
        if not self.complete:
            self.headers.clear()

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        self.ended = self.complete

    def take(self) -> list[bytes]:
        pieces, self.pieces = self.pieces, []
        return pieces


async def exchange(
    request: Request,
    dial: Dial,
    host: str,
    target: str,
    more: Collection[tuple[str, str]] = (),
    patience: float | None = None,
) -> Response:
    """Send a client's request on as `target` and give what answers; raise ServiceUnavailable when nothing does, Timeout
    when no head of an answer has come within `patience` seconds; None is as long as the client waits.

    An answer that changes the protocol becomes a Hijack, which carries the client's connection on byte for byte.
    """
    start = head(request, host, target, more)
    ends = await dial()
    ends[1].write(start + request.body)
    upload = asyncio.create_task(_upload(request, ends[1]))
    try:
        async with asyncio.timeout(patience) as deadline:
            answer = await _exchange(request, ends, upload)
    except TimeoutError:
        await _end(ends, upload)
        if deadline.expired():
            raise Timeout(TOO_LATE) from None
        raise
    except BaseException:
        await _end(ends, upload)
        raise
    return answer


async def _upload(request: Request, writer: asyncio.StreamWriter) -> None:
    """Send the rest of the request's body as it comes. What keeps it from being sent, the missing answer tells."""
    framed = "content-length" not in request.headers
    try:
        await writer.drain()
        if request.incoming is None:
            return
        async for piece in request.incoming:
            writer.write(chunk(piece) if framed else piece)
            await writer.drain()
        if framed:
            writer.write(LAST_CHUNK)
    except OSError as error:
        log.info("the rest of a request could not be sent: %s", error)


async def _end(ends: Ends, upload: "asyncio.Task[None]") -> None:
    """Close a connection; nothing more is sent."""
    ends[1].close()
    upload.cancel()
    await asyncio.wait((upload,))


async def _exchange(request: Request, ends: Ends, upload: "asyncio.Task[None]") -> Response:
    reader = ends[0]
    answer = Answer()
    parser = answer.parser
    size = 0
    try:
        while not answer.complete:
            data = await reader.read(CHUNK)
            size += len(data)
            if not data or size > HEAD_MOST + CHUNK:
                raise ServiceUnavailable("error trying to reach service: " + ("EOF" if not data else "header too long"))
            parser.feed_data(data)
    except HttpParserUpgrade as upgrade:
        if "upgrade" not in request.headers:  # the client's next request would go to whoever answers
            message = "error trying to reach service: it changes the protocol, and nobody has asked for that"
            raise ServiceUnavailable(message) from None
        await asyncio.wait((upload,))
        return _tunnel(ends, Response(101, answer.headers), data[upgrade.args[0] :])
    except (HttpParserError, OSError) as error:
        raise ServiceUnavailable(f"error trying to reach service: {error}") from None
    kept = {key: value for key, value in answer.headers.items() if key not in HOP_BY_HOP}
    if request.method == "HEAD" or answer.ended:
        await _end(ends, upload)
        if request.method == "HEAD" and (length := answer.headers.get("content-length")):
            kept["content-length"] = length
        return Response(parser.get_status_code(), kept, b"".join(answer.take()))
    return Response(parser.get_status_code(), kept, stream=_body(ends, parser, answer, upload))


async def _body(
    ends: Ends, parser: HttpResponseParser, answer: Answer, upload: "asyncio.Task[None]"
) -> AsyncIterator[bytes]:
    """The pieces of the body, as they come; raise ServiceUnavailable when it breaks off."""
    reader = ends[0]
    until_closed = "content-length" not in answer.headers and "chunked" not in answer.headers.get(
        "transfer-encoding", ""
    )
    silent = 0  # bytes since the last piece: chunks' heads and trailers
    try:
        while True:
            for piece in answer.take():
                silent = 0
                yield piece
            if answer.ended:
                return
            data = await reader.read(CHUNK)
            if not data:
                if until_closed:
                    return
                raise ServiceUnavailable("the answer broke off")
            silent += len(data)
            if silent > HEAD_MOST + CHUNK:
                raise ServiceUnavailable("the answer broke off: trailer too long")
            parser.feed_data(data)
    except (HttpParserError, OSError) as error:
        raise ServiceUnavailable(f"the answer broke off: {error}") from None
    finally:
        await _end(ends, upload)


def _tunnel(ends: Ends, answer: Response, early: bytes) -> Hijack:
    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(answer_head(answer, True, True, 0).replace(b"content-length: 0\r\n", b"") + early)
            await pump((reader, writer), ends)
        finally:
            ends[1].close()

    return Hijack(101, run=run)


def question(request: Request) -> str:
    """What a request asks, as it came, the question mark included."""
    text = request.asked or urlencode(request.query)
    return f"?{text}" if text else ""


def head(request: Request, host: str, target: str, more: Collection[tuple[str, str]] = ()) -> bytes:
    """The head of the request that goes on; an Upgrade stays one, every other connection is for one request."""
    upgrade = "upgrade" in request.headers
    said = {key for key, _ in more}
    fields = [("Host", host), ("Connection", "Upgrade" if upgrade else "close")]
    if upgrade:
        fields.append(("Upgrade", request.headers["upgrade"]))
    if request.incoming is not None and "content-length" not in request.headers:
        fields.append(("Transfer-Encoding", "chunked"))
    elif request.incoming is not None:
        fields.append(("Content-Length", request.headers["content-length"]))
    elif request.body or request.method in ("POST", "PUT", "PATCH"):
        fields.append(("Content-Length", str(len(request.body))))
    fields += [
        (key, value)
        for key, value in request.headers.items()
        if key not in HOP_BY_HOP | OURS | said and not key.startswith(IMPERSONATE)
    ]
    start = f"{request.method} {target}{question(request)} HTTP/1.1"
    lines = [start, *(f"{key}: {value}" for key, value in (*fields, *more))]
    if any("\r" in line or "\n" in line for line in lines):
        raise ServiceUnavailable("a header may not hold a line's end")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace")
