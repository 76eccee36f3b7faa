"""Errors as the API reports them: the only place that renders a Status."""

from collections.abc import Mapping
from typing import Any

from knarr.client.transport import Response
from knarr.meta.errors import ApiError, Expired, MethodNotAllowed, NotAcceptable, NotFound, UnsupportedMediaType
from knarr.server import negotiation
from knarr.server.negotiation import Form

Tree = dict[str, Any]


def status(error: ApiError) -> Tree:
    """The Status that reports an error, its fields in upstream's order."""
    out: Tree = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {"continue": error.token} if isinstance(error, Expired) and error.token else {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        "details": error.details(),
        "code": error.code,
    }
    if not error.reason:
        del out["reason"]
    if out["details"] is None:
        del out["details"]
    return out


def success(code: int = 0, details: Tree | None = None) -> Tree:
    """The Status of something that was done and leaves nothing to show."""
    out: Tree = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        out["details"] = details
    if code:
        out["code"] = code
    return out


def response(error: ApiError, request_headers: Mapping[str, str] | None = None) -> Response:
    """The answer that reports an error, in the client's form, or in JSON when it takes none of those served."""
    asked = request_headers or {}
    try:
        form = negotiation.form(asked, pretty=negotiation.for_people(asked), shapes=False)
    except NotAcceptable:
        form = Form()
    headers = {"content-type": form.media_type, "cache-control": "no-cache, private"}
    if error.retry_after:
        headers["retry-after"] = str(error.retry_after)
    return Response(error.code, headers, negotiation.encode(status(error), form))


def plain(code: int, text: str) -> Response:
    """An answer of plain text, as Go's servers give it."""
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    return Response(code, headers, text.encode())


def no_such_path() -> Response:
    """What a path outside the API gets."""
    return plain(404, "404 page not found\n")


def not_found(resource: str, name: str) -> NotFound:
    """What is said of a core object that is not there."""
    return NotFound(f'{resource} "{name}" not found', kind=resource, name=name)


def no_such_resource() -> NotFound:
    return NotFound("the server could not find the requested resource")


def no_such_method() -> MethodNotAllowed:
    return MethodNotAllowed("the server does not allow this method on the requested resource")


def unsupported_patch() -> UnsupportedMediaType:
    return UnsupportedMediaType("415: Unsupported Media Type")
