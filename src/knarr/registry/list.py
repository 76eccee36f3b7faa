"""Lists: the objects of a selection, sorted by key, as of one revision; in pages of the same snapshot if asked.

The newest state comes from the cache; an older one, as the later pages of a list need, from the store.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from knarr.kinds.kind import Kind
from knarr.meta.errors import BadRequest, Cause, Expired, Timeout
from knarr.registry.core import Core, revision_of
from knarr.registry.entry import Entry, load
from knarr.registry.resource import Resource
from knarr.registry.selection import Selection, select
from knarr.registry.shared import Kept
from knarr.store.store import Compacted, Future

LONG = 2000  #: entries that are joined on the event loop, in a few milliseconds
CHUNK = 500  #: records read from the store at once when a selection leaves some out


@dataclass(slots=True)
class Page:
    """A list, or a part of one. `remaining` is None where it isn't told."""

    kind: Kind
    entries: list[Entry]
    revision: int
    token: str = ""  #: of the next page
    remaining: int | None = None
    kept: Kept | None = None  #: what other requests for the same page share

    @property
    def metadata(self) -> dict[str, Any]:
        """The list's own metadata."""
        found: dict[str, Any] = {"resourceVersion": str(self.revision)}
        if self.token:
            found["continue"] = self.token
            if self.remaining is not None:
                found["remainingItemCount"] = self.remaining
        return found

    @property
    def raw(self) -> bytes:
        """The list as JSON: the entries' bytes joined. A shared one ends in a line's end."""
        if self.kept is not None and self.kept.entries is self.entries:
            return self.kept.join(self._head)
        return b'%b,"items":[%b]}' % (self._head, b",".join([entry.item for entry in self.entries]))

    @property
    def long(self) -> bool:
        """Whether `raw` takes so long that the event loop had better not wait for it."""
        return len(self.entries) > LONG and (self.kept is None or self.kept.joined(self._head) is None)

    @property
    def _head(self) -> bytes:
        head = {"kind": self.kind.list_kind, "apiVersion": self.kind.api_version, "metadata": self.metadata}
        return msgspec.json.encode(head)[:-1]


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where the next page begins; `revision` -1 takes whatever is newest by then."""

    revision: int
    after: str = ""


class _Token(msgspec.Struct):
    v: str
    rv: int
    start: str


@dataclass(slots=True)
class _Want:
    resource: Resource
    selection: Selection
    limit: int
    found: list[Entry] = field(default_factory=list)

    def fill(self, entries: Iterable[Entry]) -> bool:
        """Take the selected ones; return whether the page has one more than it may hold."""
        for entry in entries:
            if self.selection.takes(entry):
                self.found.append(entry)
                if self.limit and len(self.found) > self.limit:
                    return True
        return False


async def list_(
    core: Core,
    kind: Kind,
    namespace: str = "",
    *,
    labels: str = "",
    fields: str = "",
    limit: int = 0,
    token: str = "",
    resource_version: str = "",
    match: str = "",
) -> Page:
    """A page of a list; raises Expired when the token's or the asked-for revision is compacted."""
    resource = core.resource(kind)
    want = _Want(resource, select(kind, namespace, labels, fields), max(limit, 0))
    where = f'invalid resource version: resourceVersion: Invalid value: "{resource_version}": '
    wanted = revision_of(resource_version, where)
    if token:
        if wanted:
            raise BadRequest("specifying resource version is not allowed when using continue")
        cursor = _read(token, resource)
    elif match == "Exact" or (wanted and limit > 0 and not match):
        cursor = _Cursor(wanted)
    else:
        cursor = _Cursor(-1)
        if wanted > core.revision:
            raise _too_large(wanted, core.revision)
    if cursor.revision in (-1, core.revision):
        return _newest(core, want, namespace, cursor.after)
    try:
        more = await _older(core, want, namespace, cursor)
    except Compacted:
        if token:
            raise _expired(want.resource, cursor) from None
        raise Expired("The resourceVersion for the provided list is too old.") from None
    except Future:
        raise _too_large(cursor.revision, core.revision) from None
    return _page(want, cursor.revision, more, cursor.after)


def _newest(core: Core, want: _Want, namespace: str, after: str) -> Page:
    """A page of the newest state; when it takes all of its namespace, shared with whoever asks for the same."""
    resource = want.resource
    if (name := want.selection.name) and (namespace or not resource.kind.namespaced) and not after:
        entry = resource.get(namespace, name)  # at most this one can match
        return _page(want, core.revision, want.fill([entry] if entry is not None else []), after)
    if not want.selection.plain or resource.kind.custom is not None:
        return _page(want, core.revision, want.fill(resource.span(namespace, after)), after)
    key = (resource.prefix, namespace, after, want.limit)
    kept = core.pages.find(key, resource.state)
    if kept is None:
        stop = want.limit + 1 if want.limit else None
        entries = list(islice(resource.span(namespace, after), stop))
        more = bool(want.limit) and len(entries) > want.limit
        kept = Kept(resource.state, entries[: want.limit] if more else entries, more)
        core.pages.keep(key, kept)
    want.found = kept.entries
    page = _page(want, core.revision, kept.more, after)
    page.entries, page.kept = kept.entries, kept
    return page


_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


def _expired(resource: Resource, cursor: _Cursor) -> Expired:
    """Says that a page's revision is gone, with a token that goes on from the newest one."""
    error = Expired(_EXPIRED)
    error.token = _write(resource, -1, cursor.after)
    return error


async def _older(core: Core, want: _Want, namespace: str, cursor: _Cursor) -> bool:
    """Fill a page from the store's snapshot of a revision."""
    prefix = want.resource.prefix + (f"{namespace}/" if namespace and want.resource.kind.namespaced else "")
    size = want.limit + 1 if want.limit and want.selection.plain else CHUNK
    after = cursor.after
    while True:
        _, records = await core.store.range(prefix, revision=cursor.revision, after=after, limit=size)
        if want.fill(load(want.resource.kind, record.value, record.revision) for record in records):
            return True
        if len(records) < size:
            return False
        after = records[-1].key


def _page(want: _Want, revision: int, more: bool, after: str) -> Page:
    page = Page(want.resource.kind, want.found, revision)
    if more:
        page.entries = want.found[: want.limit]
        last = page.entries[-1]
        page.token = _write(want.resource, revision, want.resource.key(last.namespace, last.name))
        if want.selection.plain:
            page.remaining = want.resource.count(want.selection.namespace, after) - want.limit
    return page


def _write(resource: Resource, revision: int, key: str) -> str:
    """A continue token in upstream's form: the revision, and the key to begin after."""
    found = {"v": "meta.k8s.io/v1", "rv": revision, "start": key.removeprefix(resource.prefix) + "\0"}
    return base64.urlsafe_b64encode(msgspec.json.encode(found)).decode().rstrip("=")


def _read(token: str, resource: Resource) -> _Cursor:
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=_Token)
    except ValueError as error:
        raise BadRequest(f"continue key is not valid: {error}") from None
    if found.v != "meta.k8s.io/v1" or not found.start:
        raise BadRequest("continue key is not valid: server does not recognize this encoded version")
    return _Cursor(found.rv, resource.prefix + found.start.removesuffix("\0"))


def _too_large(revision: int, current: int) -> Timeout:
    return Timeout(
        f"Too large resource version: {revision}, current: {current}",
        causes=[Cause("ResourceVersionTooLarge", "Too large resource version")],
        retry_after=1,
    )
