"""The lines of a watch, as changes of typed objects. Called by `Api.watch`."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from knarr.client import codec, errors
from knarr.client.transport import Response, TransportError
from knarr.kinds.types.base import Type
from knarr.kinds.types.meta_v1 import ObjectMeta, Status

T = TypeVar("T", bound=Type)
ChangeType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """One event of a watch; of a bookmark's object only the resourceVersion is set."""

    type: ChangeType
    object: T


async def changes(answer: Response, type_: type[T]) -> AsyncIterator[Change[T]]:
    """Decode a watch's lines; an ERROR line raises the error it carries."""
    async for line in _lines(answer):
        try:
            found = codec.decode(codec.Line, line)
            if found.type == "BOOKMARK" and isinstance(type_, type) and issubclass(type_, Type):
                yield Change("BOOKMARK", bookmark(type_, codec.decode(codec.Mark, found.object)))
                continue
            if found.type != "ERROR":
                yield Change(cast(ChangeType, found.type), codec.decode_object(type_, found.object))
                continue
            status = codec.decode(Status, found.object)
        except msgspec.DecodeError as error:
            raise TransportError(f"unreadable watch event: {error}") from error
        raise errors.from_status(status)


def bookmark(type_: type[T], mark: codec.Mark) -> T:
    """An object of which only the resourceVersion is set."""
    made: T = cast(Any, type_)(metadata=ObjectMeta(resourceVersion=mark.metadata.resourceVersion))
    return made


async def _lines(answer: Response) -> AsyncIterator[bytes]:
    rest = b""
    if answer.stream is None:
        for line in answer.body.splitlines():
            yield line
        return
    async for chunk in answer.stream:
        *whole, rest = (rest + chunk if rest else chunk).split(b"\n")
        for line in whole:
            if line:
                yield line
    if rest.strip():
        yield rest
