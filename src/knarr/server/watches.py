"""Watch streams: event after event, in the form the client chose. The registry decides what is seen.

An event is encoded once for each form and shared by every watch that shows it in that form.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from typing import Any

import msgspec

from knarr.client.transport import Response
from knarr.kinds.conversion import Answers, answering, by_webhook
from knarr.kinds.kind import Kind
from knarr.meta import clock
from knarr.meta.errors import ApiError
from knarr.registry import views
from knarr.registry.watch import Watch, WatchItem
from knarr.server import status, tables
from knarr.server.conversions import Conversions
from knarr.server.limits import Live
from knarr.server.negotiation import STREAM, Form
from knarr.server.protobuf import answers

#: sizes and counts of the encoded events that are kept, for all watches that show them
KEPT, KEPT_BYTES = 512, 32 * 1024
TOGETHER = 64  #: events that are encoded at once, before others have their turn
LEAST_SECONDS = 1800  #: a watch that names no timeout lasts this long and up to twice as long


def timeout(wanted: int) -> float:
    """How long a watch is to last, in seconds."""
    return float(wanted) if wanted > 0 else LEAST_SECONDS * (1 + clock.rng().random())


def response(watch: Watch, kind: Kind, form: Form, include: str, conversions: Conversions) -> Response:
    """The stream of a watch."""
    return Live(200, _headers(form), stream=_pieces(watch, kind, form, include, conversions))


def refused(error: ApiError, form: Form) -> Response:
    """A watch that cannot begin where it was asked to: one ERROR event."""
    return Response(200, _headers(form), stream=_once(framed(form, "ERROR", msgspec.json.encode(status.status(error)))))


def framed(form: Form, type_: str, shown: bytes) -> bytes:
    """An event over an object in JSON, as it goes over the wire."""
    if form.encoding == "protobuf":
        return answers.event(type_, shown)
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), shown)


def _headers(form: Form) -> dict[str, str]:
    stream = STREAM if form.encoding == "protobuf" else ""
    return {"content-type": form.media_type + stream, "cache-control": "no-cache, private"}


async def _once(piece: bytes) -> AsyncIterator[bytes]:
    yield piece


async def _pieces(watch: Watch, kind: Kind, form: Form, include: str, conversions: Conversions) -> AsyncIterator[bytes]:
    asks = by_webhook(kind) and not form.shape.startswith("Partial")
    stored = form.encoding == "json" and not form.shape and kind.view is None
    columns = True
    try:
        while items := await watch.batch():
            if stored:
                yield b"".join([item.line for item in items])
                continue
            for start in range(0, len(items), TOGETHER):
                pieces, some = [], items[start : start + TOGETHER]
                with answering(await _answers(some, kind, conversions) if asks else {}):
                    for item in some:
                        pieces.append(_table(item, kind, form, include, columns) or _piece(item, kind, form))
                        columns = False
                yield b"".join(pieces)
                await asyncio.sleep(0)
    except ApiError as error:  # of a conversion webhook; the client begins anew
        yield framed(form, "ERROR", msgspec.json.encode(status.status(error)))
    finally:
        watch.close()


async def _answers(items: Sequence[WatchItem], kind: Kind, conversions: Conversions) -> Answers:
    return await conversions.answers(kind, [msgspec.json.decode(item.raw) for item in items])


def _piece(item: WatchItem, kind: Kind, form: Form) -> bytes:
    """An event in a form that is not the stored one."""

    def made() -> bytes:
        shown = tables.partial(item.raw, form.version) if form.shape else views.outward(kind, item.raw)
        return framed(form, item.type, shown)

    if len(item.raw) > KEPT_BYTES:
        return made()
    return _encoded.get((item.type, item.raw, kind.api_version, kind.kind, form), made)


class Encoded:
    """The last events that were encoded, so that the next watch that shows one has it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = make()
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return found


_encoded = Encoded(KEPT)


def _table(item: WatchItem, kind: Kind, form: Form, include: str, columns: bool) -> bytes:
    """An event as a Table, b"" where another form is asked for; not shared: its cells are as of now."""
    if form.shape != "Table":
        return b""
    metadata: dict[str, Any] = {"resourceVersion": str(item.revision)}
    entries = [item.entry] if item.entry is not None else []
    shown = tables.table(kind, entries, metadata, include=include, version=form.version, columns=columns)
    return framed(form, item.type, shown)
