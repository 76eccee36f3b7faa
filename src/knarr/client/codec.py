"""Bytes to Structs and back: one decoder per type, shared by everybody in the process.

knarr never sends a null for an absent field, other servers do (`creationTimestamp: null`), and a Struct refuses it. So
what does not decode at once is read as plain JSON, relieved of its nulls and converted.
"""

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from knarr.kinds.types.meta_v1 import ListMeta

T = TypeVar("T")

RECENT = 256  #: objects read a moment ago: so many are kept at least, twice as many at most
LARGE = 64 * 1024  #: bytes of an object that is not worth keeping

_recent: dict[tuple[type, bytes], Any] = {}
_before: dict[tuple[type, bytes], Any] = {}  # those read before them

encode = msgspec.json.Encoder().encode


class Page(msgspec.Struct, frozen=True):
    """One page of a list; the objects wait for the decoder of their type, which an empty list does not need."""

    metadata: dict[str, Any] | None = None
    items: list[msgspec.Raw] | None = None


class Line(msgspec.Struct, frozen=True):
    """One line of a watch; the object waits for the decoder of its type."""

    type: str
    object: msgspec.Raw


class Marked(msgspec.Struct, frozen=True):
    """What is read of a bookmark's metadata."""

    resourceVersion: str = ""


class Mark(msgspec.Struct, frozen=True):
    """A bookmark of any kind."""

    metadata: Marked


@cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_, strict=False)


def decode(type_: type[T], data: bytes | msgspec.Raw) -> T:
    """Read one value; raise msgspec.DecodeError when it is no such thing."""
    try:
        found: T = _decoder(cast(Hashable, type_)).decode(data)
    except msgspec.ValidationError:
        found = msgspec.convert(without_nulls(msgspec.json.decode(data)), type_, strict=False)
    return found


def decode_object(type_: type[T], data: bytes | msgspec.Raw) -> T:
    """Read an object that others read as well: the answer to a write, and the same version by every watch.

    Nobody changes what was decoded, so all who ask within a moment get the same one.
    """
    global _recent, _before
    key = type_, bytes(data).removesuffix(b"\n")  # which an answer ends with, and an object in a watch's line does not
    if (found := _recent.get(key) or _before.get(key)) is None:
        found = decode(type_, key[1])
        if len(key[1]) <= LARGE:
            if len(_recent) >= RECENT:
                _recent, _before = {}, _recent
            _recent[key] = found
    shared: T = found
    return shared


def decode_page(type_: type[T], data: bytes) -> tuple[ListMeta, list[T]]:
    page = decode(Page, data)
    about = msgspec.convert(without_nulls(page.metadata or {}), ListMeta, strict=False)
    return about, [decode(type_, item) for item in page.items or []]


def without_nulls(value: Any) -> Any:
    """The value with every null of a map left out, at any depth."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value
