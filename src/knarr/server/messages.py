"""HTTP/1.1 heads, chunks and request targets as bytes. Pure but for the date, which is worked out once a second."""

from email.utils import formatdate
from http import HTTPStatus

from httptools import HttpParserInvalidURLError, parse_url

from knarr.client.transport import Response
from knarr.meta import clock
from knarr.meta.errors import RequestEntityTooLarge
from knarr.server import status
from knarr.server.incoming import Incoming
from knarr.server.limits import LIMIT

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
_LINES = {code.value: f"HTTP/1.1 {code.value} {code.phrase}\r\n" for code in HTTPStatus}
_date = (0, "")


class Received:
    """A request as it came. `code` is not 0 when it is refused without asking the handler."""

    __slots__ = ("body", "code", "headers", "incoming", "keep_alive", "method", "modern", "size", "url")

    def __init__(self) -> None:
        self.method, self.url = "", b""
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.incoming: Incoming | None = None
        self.size = self.code = 0
        self.keep_alive = self.modern = True


def asked_by(target: bytes) -> tuple[str, str]:
    """The path and the query of a request's target, both still percent-encoded."""
    if not target.startswith(b"/"):  # a proxy's form, `http://host/path`, or `*`
        try:
            parts = parse_url(target)
        except HttpParserInvalidURLError:
            return target.decode(errors="replace"), ""
        target = (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
    path, _, query = target.decode(errors="replace").partition("#")[0].partition("?")
    return path, query


def chunk(piece: bytes) -> bytes:
    """A piece of a stream in its chunk."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def head(response: Response, keep: bool, modern: bool, length: int | None) -> bytes:
    """An answer's head. `length` None stands for a stream; a `modern` client speaks HTTP/1.1."""
    lines = _LINES.get(response.status) or f"HTTP/1.1 {response.status} \r\n"
    for key, value in response.headers.items():
        if key in ("warning", "set-cookie"):
            lines += "".join(f"{key}: {text}\r\n" for text in value.split("\n"))
        elif "\n" in value or "\r" in value:
            raise ValueError(f"the header {key} may not hold a line's end")
        else:
            lines += f"{key}: {value}\r\n"
    if length is not None:
        if response.status not in (204, 304) and "content-length" not in response.headers:
            lines += f"content-length: {length}\r\n"
    elif modern:
        lines += "transfer-encoding: chunked\r\n"
    if not keep:
        lines += "connection: close\r\n"
    elif not modern:
        lines += "connection: keep-alive\r\n"
    if "date" not in response.headers:
        lines += f"date: {_now()}\r\n"
    return f"{lines}\r\n".encode(errors="surrogateescape")


def _now() -> str:
    global _date
    seconds = int(clock.unix())
    if _date[0] != seconds:
        _date = seconds, formatdate(seconds, usegmt=True)
    return _date[1]


def refusal(code: int) -> bytes:
    """The whole answer to a request that was not understood."""
    if code == 413:
        response = status.response(RequestEntityTooLarge(f"Request entity too large: limit is {LIMIT}"))
    else:
        response = status.plain(code, "400 Bad Request" if code == 400 else "431 Request Header Fields Too Large")
    return head(response, False, True, len(response.body)) + response.body
