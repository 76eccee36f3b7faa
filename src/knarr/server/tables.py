"""Tables: what `kubectl get` prints, made from a kind's columns. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from knarr.kinds import cells
from knarr.kinds.daemonset import TEMPLATE_GENERATION
from knarr.kinds.kind import Kind
from knarr.meta import clock
from knarr.registry import views
from knarr.registry.registry import Entry

Tree = dict[str, Any]
META = "meta.k8s.io"


def table(
    kind: Kind,
    entries: Iterable[Entry],
    metadata: Tree,
    *,
    include: str = "Metadata",
    version: str = "v1",
    columns: bool = True,
) -> bytes:
    """A Table of objects; `include` is None, Metadata or Object; only a watch's first table has its columns."""
    now = clock.now()
    rows = b",".join(row(kind, entry, now, include, version) for entry in entries)
    head: Tree = {
        "kind": "Table",
        "apiVersion": f"{META}/{version}",
        "metadata": metadata,
        "columnDefinitions": definitions(kind) if columns else None,
    }
    return msgspec.json.encode(head)[:-1] + b',"rows":[' + rows + b"]}"


def definitions(kind: Kind) -> list[Tree]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in printer(kind).columns
    ]


def row(kind: Kind, entry: Entry, now: datetime, include: str, version: str) -> bytes:
    printed = msgspec.json.encode(cells_of(kind, entry, now))
    if include == "None":
        return b'{"cells":' + printed + b',"object":null}'
    shown = views.outward(kind, entry.raw) if include == "Object" else partial(entry.raw, version)
    return b'{"cells":' + printed + b',"object":' + shown + b"}"


def printer(kind: Kind) -> Kind:
    """Whose columns are printed: each version of a custom resource has its own."""
    return kind if kind.custom is not None else views.stored(kind)


def cells_of(kind: Kind, entry: Entry, now: datetime) -> list[Any]:
    obj = entry.object() if kind.custom is None else views.seen(kind, entry).object()
    if (printed := printer(kind).row) is not None:
        return list(printed(obj, now))
    return [obj.metadata.name, cells.age(obj, now)]


class _Metadata(msgspec.Struct):
    metadata: msgspec.Raw


_decode_metadata = msgspec.json.Decoder(_Metadata).decode


def partial(raw: bytes, version: str = "v1") -> bytes:
    """An object reduced to its metadata."""
    metadata = bytes(_decode_metadata(raw).metadata)
    if TEMPLATE_GENERATION.encode() in metadata:
        metadata = _without_counter(metadata)
    return (
        (b'{"kind":"PartialObjectMetadata","apiVersion":"' + META.encode() + b"/" + version.encode() + b'","metadata":')
        + metadata
        + b"}"
    )


def _without_counter(metadata: bytes) -> bytes:
    """Metadata without a DaemonSet's old counter: upstream makes that annotation for whole objects only."""
    tree = msgspec.json.decode(metadata)
    annotations = tree.get("annotations") or {}
    if annotations.pop(TEMPLATE_GENERATION, None) is not None and not annotations:
        del tree["annotations"]
    return msgspec.json.encode(tree)


def partial_list(entries: Iterable[Entry], metadata: Tree, version: str = "v1") -> bytes:
    """A list of objects reduced to their metadata."""
    head = {"kind": "PartialObjectMetadataList", "apiVersion": f"{META}/{version}", "metadata": metadata}
    rows = b",".join(partial(entry.raw, version) for entry in entries)
    return msgspec.json.encode(head)[:-1] + b',"items":[' + rows + b"]}"
