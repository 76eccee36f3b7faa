"""One authenticated request with what its path asks for; what the parts of the server hand to one another."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from knarr.client.transport import Request, Response, User
from knarr.kinds.old.table import WARNINGS
from knarr.registry.shared import Joined
from knarr.server import negotiation, queries
from knarr.server.negotiation import AS_IT_IS, COMPRESS_FROM, Form
from knarr.server.paths import Target

DEPRECATED = {
    ("", "v1", "endpoints"): ("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",),
    ("", "v1", "componentstatuses"): ("v1 ComponentStatus is deprecated in v1.19+",),
}


class Call(msgspec.Struct, frozen=True):
    request: Request
    target: Target
    user: User
    form: Form
    manager: str  #: of the fields that the request sets

    @property
    def include(self) -> str:
        """How much of the objects a Table carries: None, Metadata or Object."""
        return queries.one(self.request.query, "includeObject") or "Metadata"

    def answer(self, code: int, tree: Any, warnings: list[str] | None = None) -> Response:
        """An answer in the client's form; a tree that is given as bytes is JSON already."""
        said = deprecations(self.target)
        if warnings:
            said = (*said, *warnings)
        return answer(self.request, self.form, code, tree, warning_headers(said) if said else None)


class Unwritten(Response):
    """An answer whose body is still JSON, to be written in the client's form by `written`."""

    request: Request | None = None
    form: Form = AS_IT_IS

    async def written(self) -> Response:
        """The answer, its body made in a thread: a long list takes as long as thousands of small requests."""
        body, headers = await asyncio.to_thread(self._write)
        if "vary" in self.headers and "vary" in headers:
            headers["vary"] = f"{self.headers['vary']}, {headers['vary']}"
        return Response(self.status, self.headers | headers, body)

    def _write(self) -> tuple[bytes, dict[str, str]]:
        assert self.request is not None
        return negotiation.compressed(negotiation.encode(self.body, self.form), self.request.headers)


def answer(request: Request, form: Form, code: int, tree: Any, extra: Mapping[str, str] | None = None) -> Response:
    """An answer in a form; what takes long comes back `Unwritten`."""
    raw = tree if isinstance(tree, bytes) else msgspec.json.encode(tree)
    headers = {"content-type": form.media_type, "cache-control": "no-cache, private"}
    if extra:
        headers.update(extra)
    if form is AS_IT_IS and len(raw) < COMPRESS_FROM:
        return Response(code, headers, negotiation.line(raw))
    if negotiation.heavy(raw, form, request.headers):
        return Unwritten(code, headers, raw, request=request, form=form)
    if isinstance(raw, Joined) and form.encoding == "json" and not form.pretty:
        body, more = negotiation.compressed(raw, request.headers)  # at once: it is packed, or goes out as it is
        return Response(code, headers | more, body)
    return Response(code, headers, negotiation.encode(raw, form))


def deprecations(target: Target) -> tuple[str, ...]:
    """What a client that asks for this ought to know."""
    asked = (target.group, target.version, target.resource)
    if asked in WARNINGS and target.subresource != "scale":  # a Scale has a version of its own
        return (WARNINGS[asked],)
    return DEPRECATED.get(asked, ())


def warning_headers(texts: Collection[str]) -> dict[str, str]:
    """The Warning header, its values one a line; the transport makes one header of each."""
    return {"warning": "\n".join(map(warning, dict.fromkeys(texts)))} if texts else {}


def warning(text: str) -> str:
    """A Warning header's value, in the form of RFC 7234."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'
