"""The API client: typed verbs over a transport. Every controller, the scheduler and the nodes act through it.

Objects come back as frozen Structs, failures as `knarr.meta.errors`; a server that asks for patience with Retry-After
gets it. A verb takes a type of `knarr.kinds.types`, or a `Resource` where the type does not say where objects live.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from msgspec.structs import replace

from knarr.client import codec, errors
from knarr.client.resource import METADATA_LIST_ONLY, METADATA_ONLY, Kinds, Partial, Resource, of_kind
from knarr.client.stream import Change, changes
from knarr.client.transport import Request, Response, Transport
from knarr.kinds.types import core_v1
from knarr.kinds.types.base import Type
from knarr.kinds.types.meta_v1 import DeleteOptions, Preconditions

T = TypeVar("T", bound=Type)
Target = type[T] | Resource[T]
PatchKind = Literal["merge", "json", "strategic", "apply"]

JSON = "application/json"
PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
PATIENCE = 10  #: how often a request is sent again because the server asked for it, as client-go
#: bodies that are posted to a subresource of another kind's object
PARENTS: dict[str, type[Type]] = {
    "Binding": core_v1.Pod,
    "Eviction": core_v1.Pod,
    "TokenRequest": core_v1.ServiceAccount,
}


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list and the revision it is a snapshot of; `next` is the token of the next page, "" at the end."""

    items: list[T]
    resource_version: str
    next: str = ""


class Api:
    """Typed access to one API server."""

    def __init__(self, transport: Transport, kinds: Kinds | None = None, user_agent: str = "knarr") -> None:
        self._transport = transport
        self._agent = user_agent
        self._kinds = kinds
        self._resources: dict[type[Type], Resource[Any]] = {}

    def resource(self, target: Target[T]) -> Resource[T]:
        """Where objects of a type are found; raise KeyError for a type that no kind has."""
        if isinstance(target, Resource):
            return target
        if (known := self._resources.get(target)) is None:
            kind = self._table().by_type(target)
            known = self._resources[target] = of_kind(kind, target)
        return known

    async def get(self, target: Target[T], name: str, namespace: str = "", *, subresource: str = "") -> T:
        """Read one object; with a subresource, what that answers must read as the same type."""
        where = self.resource(target)
        headers = {"accept": METADATA_ONLY} if where.type is Partial else None
        answer = await self.raw("GET", where.path(namespace, name, subresource), headers=headers)
        return codec.decode_object(where.type, answer.body)

    async def list(
        self,
        target: Target[T],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        after: str = "",
        resource_version: str = "",
    ) -> Listing[T]:
        """Read a collection; with a `limit` one page of it, `after` being the `next` of the page before."""
        where = self.resource(target)
        headers = {"accept": METADATA_LIST_ONLY} if where.type is Partial else None
        query = _query(
            labelSelector=labels,
            fieldSelector=fields,
            limit=str(limit or ""),
            resourceVersion=resource_version,
            **{"continue": after},
        )
        answer = await self.raw("GET", where.path(namespace), query=query, headers=headers)
        page, items = codec.decode_page(where.type, answer.body)
        return Listing(items, page.resourceVersion, page.continue_)

    async def pages(self, target: Target[T], namespace: str = "", *, limit: int = 100) -> AsyncIterator[Sequence[T]]:
        """Read a collection page by page, all of one moment. Others get their turn in between: a server in this very
        process answers without ever waiting.
        """
        page = await self.list(target, namespace, limit=limit)
        yield page.items
        while page.next:
            await asyncio.sleep(0)
            page = await self.list(target, namespace, limit=limit, after=page.next)
            yield page.items

    async def create(self, obj: T, *, subresource: str = "") -> T:
        """Create in the object's own namespace. With a subresource it is posted there, of the object it names."""
        return codec.decode_object(type(obj), (await self._post(obj, subresource)).body)

    async def tell(self, obj: Type, *, subresource: str = "") -> None:
        """Create, where nobody wants to know what the object has become."""
        await self._post(obj, subresource)

    async def _post(self, obj: Type, subresource: str) -> Response:
        type_ = type(obj)
        meta = metadata(obj)
        if not subresource:
            path = self.resource(type_).path(meta.namespace)
        else:
            owner = PARENTS.get(type_.__name__, type_)
            path = self.resource(owner).path(meta.namespace, meta.name, subresource)
        return await self.raw("POST", path, body=codec.encode(obj))

    async def update(self, obj: T, *, subresource: str = "") -> T:
        """Replace an object; with its resourceVersion set, only if nobody has changed it since."""
        type_, meta = type(obj), metadata(obj)
        path = self.resource(type_).path(meta.namespace, meta.name, subresource)
        sent = status_of(obj) if subresource == "status" else obj
        answer = await self.raw("PUT", path, body=codec.encode(sent))
        return codec.decode_object(type_, answer.body)

    async def patch(
        self,
        target: Target[T],
        name: str,
        namespace: str,
        patch: Any,
        *,
        kind: PatchKind = "merge",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> T:
        """Change an object by a patch, any value that encodes as JSON. "apply" needs a field manager."""
        where = self.resource(target)
        headers = {"content-type": PATCH_TYPES[kind]}
        if where.type is Partial:
            headers["accept"] = METADATA_ONLY
        query = _query(fieldManager=field_manager, force="true" if force else "")
        path = where.path(namespace, name, subresource)
        answer = await self.raw("PATCH", path, query=query, body=codec.encode(patch), headers=headers)
        return codec.decode_object(where.type, answer.body)

    async def delete(
        self,
        target: Target[T],
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: Literal["", "Background", "Foreground", "Orphan"] = "",
        grace: int | None = None,
    ) -> None:
        """Delete an object, only if it still is the one with this uid and resourceVersion where given."""
        body = _delete_options(uid, resource_version, propagation, grace)
        await self.raw("DELETE", self.resource(target).path(namespace, name), body=body)

    async def delete_collection(
        self,
        target: Target[T],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        propagation: Literal["", "Background", "Foreground", "Orphan"] = "",
        grace: int | None = None,
    ) -> None:
        """Delete everything that the selectors select."""
        query = _query(labelSelector=labels, fieldSelector=fields)
        body = _delete_options("", "", propagation, grace)
        await self.raw("DELETE", self.resource(target).path(namespace), query=query, body=body)

    async def watch(
        self,
        target: Target[T],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str = "",
        timeout: int = 0,
    ) -> AsyncGenerator[Change[T], None]:
        """Yield changes, bookmarks among them, until the server ends the watch; raise Expired when it is too late."""
        where = self.resource(target)
        query = _query(
            watch="true",
            allowWatchBookmarks="true",
            labelSelector=labels,
            fieldSelector=fields,
            resourceVersion=resource_version,
            timeoutSeconds=str(timeout or ""),
        )
        headers = {"accept": METADATA_ONLY} if where.type is Partial else None
        answer = await self.raw("GET", where.path(namespace), query=query, headers=headers, whole=False)
        try:
            async for change in changes(answer, where.type):
                yield change
        finally:
            await answer.close()

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        whole: bool = True,
    ) -> Response:
        """Send a request; raise the error that a code of 400 or more stands for. Not `whole`, it may be a stream."""
        sent = {"accept": JSON, "user-agent": self._agent, **(headers or {})}
        if body:
            sent.setdefault("content-type", JSON)
        for tries_left in reversed(range(PATIENCE + 1)):
            answer = await self._transport.send(Request(method, path, list(query), dict(sent), body))
            if answer.status < 400:
                return await _whole(answer) if whole else answer
            answer = await _whole(answer)
            wait = answer.headers.get("retry-after", "")
            if not (tries_left and wait.isdigit() and (answer.status == 429 or answer.status >= 500)):
                break
            await asyncio.sleep(int(wait))
        raise errors.from_response(answer)

    async def close(self) -> None:
        await self._transport.close()

    def _table(self) -> Kinds:
        if self._kinds is None:
            from knarr.kinds.table import BUILTIN  # every kind's rules: not before somebody asks for a path

            self._kinds = BUILTIN
        return self._kinds


def metadata(obj: Any) -> Any:
    """An object's metadata, which every object of the API has, though `Type` does not."""
    return obj.metadata


def status_of(obj: Any) -> dict[str, Any]:
    """What of an object is read when its status is written. Who set what is left out, which leaves it as it is."""
    meta = replace(obj.metadata, managedFields=[])
    return {"apiVersion": obj.apiVersion, "kind": obj.kind, "metadata": meta, "status": obj.status}


def _query(**given: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in given.items() if value]


def _delete_options(uid: str, resource_version: str, propagation: str, grace: int | None) -> bytes:
    preconditions = Preconditions(uid=uid, resourceVersion=resource_version) if uid or resource_version else None
    if preconditions is None and not propagation and grace is None:
        return b""
    return codec.encode(
        DeleteOptions(
            apiVersion="v1",
            kind="DeleteOptions",
            preconditions=preconditions,
            propagationPolicy=propagation,
            gracePeriodSeconds=grace,
        )
    )


async def _whole(answer: Response) -> Response:
    """The answer with its stream, if it has one, read to the end."""
    if answer.stream is None:
        return answer
    try:
        return Response(answer.status, answer.headers, b"".join([chunk async for chunk in answer.stream]))
    finally:
        await answer.close()
