"""Answers in protobuf, made of the JSON that the rest of the server makes: objects, lists, Status, discovery, events.

An object stands in an Unknown that names its kind, after four bytes of magic. A watch is a sequence of WatchEvents,
each after its length in four bytes, with the object of each wrapped the same way.
"""

import struct
from functools import cache, lru_cache
from typing import Any

import msgspec

from knarr.server.protobuf.shapes import MAGIC, kinds
from knarr.server.protobuf.write import Write, chunk, writer

PARTIAL = "PartialObjectMetadata"
KEPT, KEPT_BYTES = 4096, 8 * 1024  #: items of lists that are kept as messages, and the largest in bytes of JSON
META = ("meta.k8s.io/v1", "meta.k8s.io/v1beta1")


class _Head(msgspec.Struct):
    kind: str = ""
    apiVersion: str = ""


class _List(msgspec.Struct):
    items: list[msgspec.Raw] | None = None
    metadata: dict[str, Any] | None = None


_head = msgspec.json.Decoder(_Head)
_list = msgspec.json.Decoder(_List)
_tree = msgspec.json.Decoder(dict[str, Any])


def encode(raw: bytes) -> bytes:
    """The protobuf form of an object or a list in JSON, of a kind that has one."""
    head = _head.decode(raw)
    version = head.apiVersion or "v1"  # what discovery leaves out
    if (write := _writer(version, head.kind)) is not None:
        return envelope(version, head.kind, write(_tree.decode(raw)))
    one = _writer(version, head.kind.removesuffix("List"))
    if one is None or not head.kind.endswith("List"):
        raise ValueError(f"{head.kind} of {version} has no protobuf form")
    found = _list.decode(raw)
    metadata = writer("meta_v1.ListMeta")(found.metadata or {})
    own, items = (2, 1) if version == META[1] else (1, 2)  # the beta's numbers are the other way round
    return envelope(
        version,
        head.kind,
        b"".join([chunk(own, metadata), *(chunk(items, _item(one, bytes(item))) for item in found.items or ())]),
    )


def _item(write: Write, raw: bytes) -> bytes:
    """An item of a list as a message; small ones are kept, since lists mostly hold what the last one held."""
    return _kept(write, raw) if len(raw) <= KEPT_BYTES else write(_tree.decode(raw))


@lru_cache(maxsize=KEPT)
def _kept(write: Write, raw: bytes) -> bytes:
    return write(_tree.decode(raw))


def envelope(version: str, kind: str, raw: bytes) -> bytes:
    """A message as an answer."""
    return b"".join((MAGIC, _type_meta(version, kind), chunk(2, raw), b"\x1a\x00\x22\x00"))


def event(type_: str, raw: bytes) -> bytes:
    """A watch event of an object in JSON, as it goes over the wire."""
    shown = chunk(1, type_.encode()) + chunk(2, chunk(1, encode(raw)))
    return struct.pack(">I", len(shown)) + shown


@lru_cache(maxsize=1024)
def _type_meta(version: str, kind: str) -> bytes:
    return chunk(1, chunk(1, version.encode()) + chunk(2, kind.encode()))


@cache
def _writer_of_partial() -> Write:
    metadata = writer("meta_v1.ObjectMeta")
    return lambda tree: chunk(1, metadata(tree["metadata"]))


def _writer(version: str, kind: str) -> Write | None:
    if kind == PARTIAL and version in META:
        return _writer_of_partial()
    type_ = kinds().get((version, kind))
    return writer(type_) if type_ is not None else None
