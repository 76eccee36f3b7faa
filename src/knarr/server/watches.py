"""Watch streams: a line for each event, in the form the client chose. The registry decides what is seen."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from knarr.client.transport import Response
from knarr.kinds.kind import Kind
from knarr.meta import clock
from knarr.meta.errors import ApiError
from knarr.registry import views
from knarr.registry.watch import Watch, WatchItem
from knarr.server import status, tables
from knarr.server.negotiation import JSON, Form

HEADERS = {"content-type": JSON, "cache-control": "no-cache, private"}
LEAST_SECONDS = 1800  #: a watch that names no timeout lasts this long and up to twice as long


def timeout(wanted: int) -> float:
    """How long a watch is to last, in seconds."""
    return float(wanted) if wanted > 0 else LEAST_SECONDS * (1 + clock.rng().random())


def response(watch: Watch, kind: Kind, form: Form, include: str) -> Response:
    """The stream of a watch."""
    return Response(200, dict(HEADERS), stream=_lines(watch, kind, form, include))


def refused(error: ApiError) -> Response:
    """A watch that cannot begin where it was asked to: one ERROR event."""
    return Response(200, dict(HEADERS), stream=_once(error_line(error)))


def error_line(error: ApiError) -> bytes:
    return b'{"type":"ERROR","object":' + msgspec.json.encode(status.status(error)) + b"}\n"


async def _once(line: bytes) -> AsyncIterator[bytes]:
    yield line


async def _lines(watch: Watch, kind: Kind, form: Form, include: str) -> AsyncIterator[bytes]:
    first = True
    try:
        while items := await watch.batch():
            if not form.shape and kind.view is None:
                yield b"".join([item.line for item in items])
                continue
            lines = []
            for item in items:
                shown = _shown(item, kind, form, include, first)
                lines.append(b'{"type":"' + item.type.encode() + b'","object":' + shown + b"}\n")
                first = False
            yield b"".join(lines)
    finally:
        watch.close()


def _shown(item: WatchItem, kind: Kind, form: Form, include: str, first: bool) -> bytes:
    """An event's object in a form that is not the stored one."""
    if form.shape == "Table":
        return _table(item, views.stored(kind), form, include, first)
    return tables.partial(item.raw, form.version) if form.shape else views.outward(kind, item.raw)


def _table(item: WatchItem, kind: Kind, form: Form, include: str, first: bool) -> bytes:
    metadata: dict[str, Any] = {"resourceVersion": str(item.revision)}
    entries = [item.entry] if item.entry is not None else []
    return tables.table(kind, entries, metadata, include=include, version=form.version, columns=first)
