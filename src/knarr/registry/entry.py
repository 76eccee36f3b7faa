"""One object as the registry holds it: its bytes, and the few facts by which lists and watches choose.

The bytes at rest have apiVersion and kind first, then metadata, without a resourceVersion; that is put in when they are
loaded, so the bytes here are what a GET answers and what a LIST joins.
"""

from functools import cache
from typing import Any

import msgspec

from knarr.kinds.kind import Kind, Tree
from knarr.kinds.types.meta_v1 import ObjectMeta

META = b'"metadata":{'


class _Metadata(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None


class _Head(msgspec.Struct, gc=False):
    metadata: _Metadata


class _Whole(msgspec.Struct, gc=False):
    metadata: ObjectMeta


_head = msgspec.json.Decoder(_Head)
_metadata = msgspec.json.Decoder(_Whole)
_tree = msgspec.json.Decoder(dict[str, Any])
_NO_LABELS: dict[str, str] = {}


@cache
def _decoder(type_: type) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


class Entry:
    """An object at a revision. `raw` holds its resourceVersion, but for a new object that a dry run did not write."""

    __slots__ = ("__weakref__", "_fields", "_known", "kind", "raw", "revision")

    def __init__(self, kind: Kind, raw: bytes, revision: int) -> None:
        self.kind, self.raw, self.revision = kind, raw, revision
        self._known: _Metadata | None = None
        self._fields: dict[str, str] | None = None

    @property
    def name(self) -> str:
        return self._facts.name

    @property
    def namespace(self) -> str:
        return self._facts.namespace

    @property
    def uid(self) -> str:
        return self._facts.uid

    @property
    def labels(self) -> dict[str, str]:
        return self._facts.labels or _NO_LABELS

    @property
    def _facts(self) -> _Metadata:
        """Read when somebody first asks: of most objects nobody does before the next write."""
        if self._known is None:
            self._known = _head.decode(self.raw).metadata
        return self._known

    def field(self, name: str) -> str:
        """One of the selectable fields, worked out when somebody first selects by it; "" where there is no such one."""
        match name:
            case "metadata.name":
                return self.name
            case "metadata.namespace":
                return self.namespace
        if self._fields is None:
            self._fields = {}
        if name not in self._fields:
            read = self.kind.selectable.get(name)
            self._fields[name] = read(self._selected()) if read is not None else ""
        return self._fields[name]

    def object(self) -> Any:
        """The object as its kind's Struct, decoded anew."""
        if self.kind.custom is not None:
            return self.kind.custom.object(self.tree())
        return _decoder(self.kind.type).decode(self.raw)

    def metadata(self) -> ObjectMeta:
        """The object's metadata alone, decoded anew."""
        return _metadata.decode(self.raw).metadata

    def _selected(self) -> Any:
        """What the selectable fields are read from."""
        return self.object() if self.kind.selects is None else _decoder(self.kind.selects).decode(self.raw)

    def tree(self) -> Tree:
        """The object as a tree of one's own."""
        return _tree.decode(self.raw)

    @property
    def item(self) -> bytes:
        """The object as it stands in a list: of a built-in kind without apiVersion and kind."""
        if self.kind.custom is not None:
            return self.raw
        return b"{" + self.raw[self.raw.index(META) :]

    def at(self, revision: int) -> "Entry":
        """The same object with another resourceVersion, as a watch shows a deleted one."""
        return load(self.kind, _without_version(self.raw, self.revision), revision)


def load(kind: Kind, value: bytes, revision: int) -> Entry:
    """An entry from the bytes at rest; revision 0 leaves the resourceVersion out."""
    if kind.custom is not None:
        return _custom(kind, value, revision)
    if not revision:
        return Entry(kind, value, 0)
    cut = value.index(META) + len(META)
    return Entry(kind, b'%b"resourceVersion":"%d",%b' % (value[:cut], revision, value[cut:]), revision)


class CustomEntry(Entry):
    """An object of a custom resource, which is read by a schema that may change: `rest` is what the store has."""

    __slots__ = ("rest",)

    rest: bytes


def _custom(kind: Kind, value: bytes, revision: int) -> Entry:
    read = kind.custom.stored(value)
    cut = read.index(META) + len(META)
    raw = b'%b"resourceVersion":"%d",%b' % (read[:cut], revision, read[cut:]) if revision else read
    entry = CustomEntry(kind, raw, revision)
    entry.rest = value
    return entry


def encode(tree: Tree) -> bytes:
    """The bytes at rest of a tree."""
    metadata = tree["metadata"]
    if "resourceVersion" in metadata:
        metadata = {key: value for key, value in metadata.items() if key != "resourceVersion"}
    head = {"apiVersion": tree["apiVersion"], "kind": tree["kind"], "metadata": metadata}
    return msgspec.json.encode(head | tree | head)


def at_rest(entry: Entry) -> bytes:
    """The bytes at rest of an entry."""
    if isinstance(entry, CustomEntry):
        return entry.rest
    return _without_version(entry.raw, entry.revision)


def _without_version(raw: bytes, revision: int) -> bytes:
    return raw.replace(b'"resourceVersion":"%d",' % revision, b"", 1) if revision else raw
