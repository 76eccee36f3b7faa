"""Links that lead back through a proxy: where a redirect and the addresses of a page go, as upstream rewrites them.

What a page's style sheets and scripts name by themselves stays as it is.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from itertools import accumulate
from urllib.parse import urlsplit, urlunsplit

from knarr.client.transport import Response

MOST = 4 * 1024 * 1024  #: bytes of a page from which it goes on as it is
#: the attributes of each element that hold a URL: upstream's choice, of HTML 4 and 5
ATTRIBUTES = {
    **dict.fromkeys(("a", "area", "base", "link"), ("href",)),
    **dict.fromkeys(("audio", "embed", "script", "source"), ("src",)),
    **dict.fromkeys(("blockquote", "del", "ins", "q"), ("cite",)),
    **dict.fromkeys(("frame", "iframe"), ("longdesc", "src")),
    "applet": ("codebase",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "form": ("action",),
    "head": ("profile",),
    "html": ("manifest",),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "object": ("classid", "codebase", "data", "usemap"),
    "video": ("poster", "src"),
}
CORS = tuple(f"access-control-allow-{what}" for what in ("credentials", "headers", "methods", "origin"))

Lead = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Through:
    """A proxy: the path that leads through it, the host behind it, and the host that the client asked."""

    prefix: str
    behind: str
    asked: str

    def lead(self, url: str) -> str:
        """Where a URL leads the client: through the proxy, unless it leads elsewhere, is relative, or does already."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return url
        if parts.netloc not in ("", self.behind, self.asked) or not parts.path.startswith("/"):
            return url
        kept = parts if parts.netloc == self.asked else parts._replace(scheme="", netloc="")
        if parts.path.startswith(self.prefix):
            return urlunsplit(kept)
        return urlunsplit(kept._replace(path=f"{self.prefix.rstrip('/')}/{parts.path.lstrip('/')}"))


async def led(answer: Response, through: Through) -> Response:
    """An answer as the proxy gives it: its redirect and its page's links lead back, and who may read it from another
    origin is not for what is behind the proxy to say. A page that is encoded, or larger than MOST, goes on as it is."""
    headers = answer.headers
    for name in CORS:
        headers.pop(name, None)
    if location := headers.get("location"):
        headers["location"] = through.lead(location)
    elif headers.get("content-type", "").partition(";")[0].strip() == "text/html" and "content-encoding" not in headers:
        return await _with_page(answer, through.lead)
    return answer


async def _with_page(answer: Response, lead: Lead) -> Response:
    body = bytearray(answer.body)
    if answer.stream is not None:
        async for piece in answer.stream:
            body += piece
            if len(body) > MOST:
                return Response(answer.status, answer.headers, stream=_after(bytes(body), answer, answer.stream))
        answer.stream = None
    answer.body = await asyncio.to_thread(page, bytes(body), lead)
    return answer


async def _after(first: bytes, answer: Response, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What was read of a stream, and the rest."""
    try:
        yield first
        async for piece in stream:
            yield piece
    finally:
        await answer.close()


def page(body: bytes, lead: Lead) -> bytes:
    """A page with its links led. Only the tags that have one are written anew; bytes stay bytes in any encoding."""
    reader = _Tags(lead)
    text = body.decode("latin-1")
    try:
        reader.feed(text)  # never closed: what is no whole tag at the end stays as it is
    except AssertionError:
        return body  # a declaration that the parser gives up on
    lines = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    pieces, at = [], 0
    for (line, column), old, new in reader.changes:
        start = lines[line - 1] + column
        pieces += [text[at:start], new]
        at = start + len(old)
    return "".join([*pieces, text[at:]]).encode("latin-1", errors="xmlcharrefreplace")


class _Tags(HTMLParser):
    """Finds the tags whose links change: where each begins (line and column), as it was and as it is to be."""

    def __init__(self, lead: Lead) -> None:
        super().__init__(convert_charrefs=False)
        self._lead = lead
        self.changes: list[tuple[tuple[int, int], str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]], close: str = "") -> None:
        names = ATTRIBUTES.get(tag, ())
        new = [(key, self._lead(value) if value and key in names else value) for key, value in attrs]
        old = self.get_starttag_text()
        if new != attrs and old is not None:
            said = "".join(f" {key}" if value is None else f' {key}="{escape(value)}"' for key, value in new)
            self.changes.append((self.getpos(), old, f"<{tag}{said}{close}>"))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs, "/")
