"""One authenticated request with what its path asks for; what the parts of the server hand to one another."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from knarr.client.transport import Request, Response, User
from knarr.server import negotiation, queries
from knarr.server.negotiation import Form
from knarr.server.paths import Target

DEPRECATED = {
    ("", "v1", "endpoints"): ("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",),
    ("", "v1", "componentstatuses"): ("v1 ComponentStatus is deprecated in v1.19+",),
}


@dataclass(frozen=True, slots=True)
class Call:
    request: Request
    target: Target
    user: User
    form: Form

    @property
    def manager(self) -> str:
        """The field manager that the client names, or else the first word of its user agent."""
        named = queries.one(self.request.query, "fieldManager")
        agent = self.request.headers.get("user-agent", "").partition("/")[0]
        return named or "".join(c for c in agent if c.isprintable())[: queries.MANAGER_BYTES] or "unknown"

    @property
    def include(self) -> str:
        """How much of the objects a Table carries: None, Metadata or Object."""
        return queries.one(self.request.query, "includeObject") or "Metadata"

    def answer(self, code: int, tree: Any, warnings: list[str] | None = None) -> Response:
        """An answer in the client's form; a tree that is given as bytes is JSON already."""
        body = negotiation.encode(tree, self.form)
        body, headers = negotiation.compressed(body, self.request.headers)
        headers |= {"content-type": self.form.media_type, "cache-control": "no-cache, private"}
        headers |= warning_headers([*deprecations(self.target), *(warnings or ())])
        return Response(code, headers, body)


def deprecations(target: Target) -> tuple[str, ...]:
    """What a client that asks for this ought to know."""
    return DEPRECATED.get((target.group, target.version, target.resource), ())


def warning_headers(texts: Iterable[str]) -> dict[str, str]:
    """The Warning header, its values one a line; the transport makes one header of each."""
    values = [warning(text) for text in dict.fromkeys(texts)]
    return {"warning": "\n".join(values)} if values else {}


def warning(text: str) -> str:
    """A Warning header's value, in the form of RFC 7234."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'
