"""Answers the /openapi paths: chooses the form, builds a document once, and lets clients keep it by its hash."""

import asyncio
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from knarr.client.transport import Request, Response
from knarr.kinds.kind import Kind
from knarr.kinds.table import KindTable
from knarr.meta.errors import NotAcceptable
from knarr.server import negotiation, status
from knarr.server.aggregation_documents import Documents, joined
from knarr.server.openapi import protobuf, v2, v3

V2_PROTOBUF = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)


@dataclass(frozen=True, slots=True)
class Document:
    """A document ready to send: as it is, gzipped, and the tag by which a client knows that it has it."""

    body: bytes
    gzipped: bytes
    tag: str

    def answer(self, request: Request) -> Response:
        if request.headers.get("if-none-match") == self.tag:
            return Response(304, {"etag": self.tag})
        headers = {"content-type": negotiation.JSON, "etag": self.tag, "vary": "Accept, Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(200, headers, self.body)
        return Response(200, headers | {"content-encoding": "gzip"}, self.gzipped)


def packed(body: bytes) -> Document:
    tag = f'"{hashlib.sha256(body).hexdigest().upper()}"'
    return Document(body, gzip.compress(body, compresslevel=1, mtime=0), tag)


class OpenApi:
    """The documents of the kinds that are served, and what other servers tell of theirs."""

    def __init__(self, table: KindTable, others: Documents | None = None) -> None:
        self._table, self._others = table, others or Documents()
        self._documents: dict[tuple[str, str], tuple[str, Document]] = {}  # with the hash of the kinds they describe
        self._lock = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        rest = request.path.removeprefix("/openapi/").strip("/")
        if rest == "v2":
            return await self._v2(request)
        if rest == "v3":
            index = v3.index(self._groups())
            index["paths"] |= self._others.v3()
            return packed(msgspec.json.encode(index)).answer(request)
        return await self._v3(rest.removeprefix("v3/"), request)

    def _groups(self) -> dict[tuple[str, str], list[Kind]]:
        groups: dict[tuple[str, str], list[Kind]] = {}
        for kind in self._table.all():
            groups.setdefault((kind.group, kind.version), []).append(kind)
        return groups

    async def _v2(self, request: Request) -> Response:
        kinds = list(self._table.all())
        mark = f"{v3.hash_of(kinds)} {self._others.version}"
        wanted = _v2_form(request.headers.get("accept", ""))
        built = await self._built(("v2", wanted), mark, _v2_bytes, kinds, wanted, self._others.v2())
        answer = built.answer(request)
        if wanted == "protobuf":
            answer.headers["content-type"] = V2_PROTOBUF[1]
        return answer

    async def _v3(self, where: str, request: Request) -> Response:
        found = next((kinds for key, kinds in self._groups().items() if v3.place(*key) == where), None)
        if found is None:
            return status.no_such_path()
        mark = v3.hash_of(found)
        asked = request.parameter("hash")
        if asked and asked != mark:
            return Response(301, {"location": f"/openapi/v3/{where}?hash={mark}"})
        if not _takes_json(request.headers.get("accept", "")):
            raise NotAcceptable(f"only the following media types are accepted: {negotiation.JSON}")
        answer = (await self._built(("v3", where), mark, v3.document, found)).answer(request)
        if asked:
            answer.headers["cache-control"] = "public, immutable"
        return answer

    async def _built(self, key: tuple[str, str], mark: str, build: Callable[..., bytes], *arguments: Any) -> Document:
        """A document, built in a thread the first time and when its kinds have changed."""
        async with self._lock:
            known = self._documents.get(key)
            if known is None or known[0] != mark:
                document = await asyncio.to_thread(lambda: packed(build(*arguments)))
                self._documents[key] = known = (mark, document)
        return known[1]


def _v2_bytes(kinds: list[Kind], form: str, others: list[dict[str, Any]]) -> bytes:
    document = joined(v2.document(kinds), others)
    return protobuf.encode(document) if form == "protobuf" else msgspec.json.encode(document)


def _v2_form(accept: str) -> str:
    for clause in negotiation.clauses(accept or negotiation.JSON):
        if clause.type in V2_PROTOBUF:
            return "protobuf"
        if clause.type in (negotiation.JSON, "*/*", "application/*"):
            return "json"
    raise NotAcceptable(f"only the following media types are accepted: {negotiation.JSON}, {V2_PROTOBUF[0]}")


def _takes_json(accept: str) -> bool:
    return not accept or any(c.type in (negotiation.JSON, "*/*", "application/*") for c in negotiation.clauses(accept))
