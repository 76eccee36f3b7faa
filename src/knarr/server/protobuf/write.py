"""JSON into messages: each type is compiled into a writer on first use.

What an object holds beyond the numbered fields is left out, as a client of the numbers' version would never see it.
"""

import base64
import struct
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import groupby
from typing import Any

import msgspec

from knarr.meta import clock
from knarr.meta.varint import SHORT, varint
from knarr.server.protobuf.shapes import BYTES, FIXED64, SCALARS, VARINT, Field, fields

Tree = dict[str, Any]
Write = Callable[[Any], bytes]


def tag(number: int, form: int = BYTES) -> bytes:
    """What stands before a field's value."""
    return varint(number << 3 | form)


def chunk(number: int, value: bytes) -> bytes:
    """A field of bytes, text, or a message."""
    return tag(number) + varint(len(value)) + value


@cache
def writer(type_: str) -> Write:
    """What writes the message of a type from its tree."""
    return _message(fields(type_))


def _message(members: Sequence[Field]) -> Write:
    writes = {field.name: _field(field) for field in members if len(field.path) == 1}
    embedded = []
    ordered = sorted((field for field in members if len(field.path) > 1), key=lambda field: field.path)
    for number, group in groupby(ordered, key=lambda field: field.path[0]):
        embedded.append((tag(number), _message([field.inner() for field in group])))
    find = writes.get

    def write(tree: Tree) -> bytes:
        out = [one(value) for key, value in tree.items() if value is not None and (one := find(key)) is not None]
        for start, inner in embedded:
            if raw := inner(tree):
                out += (start, varint(len(raw)), raw)
        return b"".join(out)

    return write


def _field(field: Field) -> Write:
    """What writes a field with its tag."""
    number, type_ = field.path[0], field.type
    if type_.startswith("[]") and not field.wrapped:
        one = _tagged(number, type_[2:], field.format)
        return lambda items: b"".join([one(item) for item in items])
    if type_.startswith("{}"):
        start, key, value = tag(number), _tagged(1, "str", ""), _tagged(2, type_[2:], field.format)

        def entries(members: Tree) -> bytes:
            out: list[bytes] = []
            for name, item in members.items():
                raw = key(name) + value(item)
                out += (start, varint(len(raw)), raw)
            return b"".join(out)

        return entries
    return _tagged(number, type_, field.format)


def _tagged(number: int, type_: str, form: str) -> Write:
    """What writes one value with its tag."""
    match type_:
        case "int" | "bool":
            start = tag(number, VARINT)
            return lambda value: start + varint(value)
        case "float":
            start = tag(number, FIXED64)
            return lambda value: start + struct.pack("<d", value)
    start, content = tag(number), _content(type_, form)
    if content is str.encode:
        return _text(start)

    def write(value: Any) -> bytes:
        raw = content(value)
        size = len(raw)
        return start + (SHORT[size] if size < 0x80 else varint(size)) + raw

    return write


def _text(start: bytes) -> Write:
    """What writes a text: the most frequent of all, and so without a call in between."""

    def write(value: str) -> bytes:
        raw = value.encode()
        size = len(raw)
        return start + (SHORT[size] if size < 0x80 else varint(size)) + raw

    return write


def _content(type_: str, form: str) -> Write:
    """What writes a value that goes with its length."""
    if type_ == "str":
        return base64.b64decode if form == "byte" else str.encode
    if type_.startswith("[]"):
        one = _tagged(1, type_[2:], form)
        return lambda items: b"".join([one(item) for item in items])
    if type_ not in SCALARS:
        return _late(type_)
    return CONTENTS.get(type_, _raw)


def _late(type_: str) -> Write:
    """A type's writer, compiled when first needed: types refer to one another."""
    found: Write | None = None

    def write(tree: Tree) -> bytes:
        nonlocal found
        if found is None:
            found = writer(type_)
        return found(tree)

    return write


def _raw(value: Any) -> bytes:
    """JSON as it is, in a message around it."""
    return chunk(1, msgspec.json.encode(value))


def _int_or_string(value: int | str) -> bytes:
    if isinstance(value, str):
        return b"\x08\x01" + chunk(3, value.encode())
    return b"\x08\x00\x10" + varint(value)


@lru_cache(maxsize=1024)
def _quantity(value: str) -> bytes:
    return chunk(1, value.encode())


@lru_cache(maxsize=4096)
def _time(value: str) -> bytes:
    if not value:
        return b""
    when = clock.parse(value)
    seconds = int(when.replace(microsecond=0).timestamp())
    return b"\x08" + varint(seconds) + b"\x10" + varint(when.microsecond * 1000)


CONTENTS: dict[str, Write] = {
    "Quantity": _quantity,
    "IntOrString": _int_or_string,
    "Time": _time,
    "MicroTime": _time,
}
