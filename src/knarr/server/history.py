"""Every stored revision of an object, oldest first, as far back as history is kept: `GET /knarr/v1/history/KIND/NAME`.

An answer has `?limit=` revisions at most (`PAGE`); where there are more, `metadata.continue` is what the next request
gives as `?continue=`. 410 when what follows was compacted meanwhile.

KIND is a plural, singular or short name or a kind, with ".GROUP" after it where that is needed; `?namespace=`, default
"default". It is a path, not a resource: whoever may read it, by a ClusterRole's nonResourceURLs, may read every object,
secrets too; cluster-admin may. The answer is a `History` of knarr.dev/v1.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from knarr.client.transport import Request, Response
from knarr.kinds.kind import Kind
from knarr.meta import clock
from knarr.meta.errors import BadRequest, Expired, NotFound
from knarr.registry.core import Core, not_found, revision_of
from knarr.registry.entry import load
from knarr.store.store import Compacted, Event, Future

PREFIX = "/knarr/v1/history/"
PAGE = 100  #: revisions in an answer, if the request does not say


class Histories:
    """What the store's log and the registry's memory tell of one object."""

    def __init__(self, registry: Core) -> None:
        self._registry = registry

    async def answer(self, request: Request) -> Response:
        """The history, or NotFound when there is no such kind, or nothing is known of such an object."""
        words = [unquote(word) for word in request.path.removeprefix(PREFIX).split("/")]
        if len(words) != 2 or not all(words):
            raise BadRequest(f"{request.path}: must be {PREFIX}KIND/NAME")
        kind = self._kind(words[0])
        key = self._registry.resource(kind).key(request.parameter("namespace", "default"), words[1])
        after, limit = revision_of(request.parameter("continue")), revision_of(request.parameter("limit")) or PAGE
        events = await self._events(key, after, min(limit, PAGE))
        more, events = len(events) > min(limit, PAGE), events[: min(limit, PAGE)]
        items = []
        for event in events:
            items.append(self._item(kind, event))
            await asyncio.sleep(0)  # a large object takes its time
        if not after and (not events or events[0].previous_revision):
            items = [*await self._base(kind, key, events), *items]
        if not items and not after:
            raise not_found(kind, words[1])
        tree = {
            "apiVersion": "knarr.dev/v1",
            "kind": "History",
            "metadata": {
                "resourceVersion": str(self._registry.store.revision),
                **({"continue": str(events[-1].revision)} if more else {}),
            },
            "compacted": str(self._registry.store.compacted),
            "items": items,
        }
        return Response(200, {"content-type": "application/json"}, msgspec.json.encode(tree) + b"\n")

    async def _events(self, key: str, after: int, limit: int) -> list[Event]:
        """The events of a key after a revision, one more than `limit` if there are."""
        try:
            return await self._registry.store.history(key, after=after, limit=limit + 1)
        except Compacted as gone:
            raise Expired(f"what follows resourceVersion {after} was compacted, up to {gone.revision}") from None
        except Future:
            raise BadRequest(f"continue={after}: there is no such revision yet") from None

    def _kind(self, word: str) -> Kind:
        name, _, group = word.lower().partition(".")
        for kind in self._registry.kinds.all():
            names = (kind.plural, kind.singular, kind.kind.lower(), *kind.short_names)
            if kind.view is None and name in names and (not group or group == kind.group):
                return kind
        raise NotFound(f'the server doesn\'t have a resource type "{word}"')

    async def _base(self, kind: Kind, key: str, events: list[Event]) -> list[dict[str, Any]]:
        """What the object was like before the first event that is still known, or is, if there is none."""
        if events:
            value, revision = events[0].previous, events[0].previous_revision
        else:
            record = await self._registry.store.get(key)
            value, revision = (record.value, record.revision) if record is not None else (None, 0)
        return [] if value is None else [self._told(revision, "put", load(kind, value, revision).raw)]

    def _item(self, kind: Kind, event: Event) -> dict[str, Any]:
        value = event.value if event.type == "put" else event.previous or b""
        return self._told(event.revision, event.type, load(kind, value, event.revision).raw)

    def _told(self, revision: int, type_: str, raw: bytes) -> dict[str, Any]:
        item: dict[str, Any] = {"type": type_, "resourceVersion": str(revision)}
        if (known := self._registry.authorship.of(revision)) is not None:
            author, seconds = known
            when = clock.micro_timestamp(datetime.fromtimestamp(seconds, UTC))
            item |= {"manager": author.manager, "user": author.user, "time": when}
        return item | {"object": msgspec.Raw(raw)}
