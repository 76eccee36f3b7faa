"""Bodies in protobuf, read into trees: newer kubectl and Go clients send their own kinds this way.

Nothing that comes in can hurt: lengths are checked before bytes are taken, nesting is bounded by the types and by
`decode.MAX_DEPTH`, and every failure is a BadRequest. A field without a number is skipped, as protobuf skips what it
does not know.
"""

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias

import msgspec

from knarr.kinds.decode import MAX_DEPTH, depth
from knarr.meta import clock
from knarr.meta.errors import BadRequest, UnsupportedMediaType
from knarr.server.protobuf.shapes import (
    BYTES,
    FIXED32,
    FIXED64,
    MAGIC,
    OPTIONS,
    SCALARS,
    VARINT,
    Field,
    fields,
    kinds,
)

Tree = dict[str, Any]
Value = int | bytes
Names: TypeAlias = "dict[int, Field | Names]"
MOST_BITS = 63
GREATEST_FIELD = (1 << 29) - 1
UNSERVED = (
    "the body of the request was in an unknown format - accepted media types include: "
    "application/json, application/yaml"
)


def read(body: bytes, kind: str) -> Tree:
    """The tree of a body; raise BadRequest when it is none. `kind` is what it ought to be, for the message."""
    try:
        if not body.startswith(MAGIC):
            raise ValueError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
        if len(body) == len(MAGIC):
            raise ValueError("empty body")
        envelope = dict(_members(body[len(MAGIC) :]))
        names = {number: _text(value) for number, value in _members(_bytes(envelope.get(1, b"")))}
        version, named = names.get(1, ""), names.get(2, "")
        type_ = OPTIONS if named == "DeleteOptions" else kinds().get((version, named))
        if type_ is None:
            raise _unserved(version, named)
        return {"apiVersion": version, "kind": named, **message(_bytes(envelope.get(2, b"")), type_)}
    except (ValueError, OverflowError, OSError, RecursionError, struct.error, msgspec.DecodeError) as error:
        raise BadRequest(f"the object provided is unrecognized (must be of type {kind}): {error}") from None


def _unserved(version: str, kind: str) -> BadRequest | UnsupportedMediaType:
    """What is said of a kind without a message: one that is known may come in another format."""
    from knarr.kinds import schema

    group, _, short = version.rpartition("/")
    known = {"group": group, "version": short, "kind": kind}
    if any(known in entry.get("gvk", ()) for entry in schema.types().values()):
        return UnsupportedMediaType(UNSERVED)
    return BadRequest(f'no kind "{kind}" is registered for version "{version}"')


@cache
def _names(type_: str) -> Names:
    """A type's fields by number; those of an embedded struct in a table of their own."""
    found: Names = {}
    for field in fields(type_):
        table = found
        for number in field.path[:-1]:
            inner = table.setdefault(number, {})
            assert isinstance(inner, dict)
            table = inner
        table[field.path[-1]] = field
    return found


def message(raw: bytes, type_: str) -> Tree:
    """One message as a tree."""
    out: Tree = {}
    _fill(out, raw, _names(type_))
    return out


def _fill(out: Tree, raw: bytes, names: Names) -> None:
    for number, value in _members(raw):
        field = names.get(number)
        if field is None:
            continue
        if isinstance(field, dict):
            _fill(out, _bytes(value), field)
        else:
            _add(out, field, value)


def _add(out: Tree, field: Field, value: Value) -> None:
    name, type_, form = field.name, field.type, field.format
    if type_.startswith("[]") and not field.wrapped:
        out.setdefault(name, []).extend(_repeated(type_[2:], form, value))
    elif type_.startswith("{}"):
        entry = dict(_members(_bytes(value)))
        item = _value(type_[2:], form, entry.get(2, b""))
        out.setdefault(name, {})[_text(entry.get(1, b""))] = item
    else:
        found = _value(type_, form, value)
        if found is not None:
            out[name] = found


def _repeated(type_: str, form: str, value: Value) -> list[Any]:
    """One element of a list, or several packed numbers."""
    if type_ in ("int", "bool") and isinstance(value, bytes):
        numbers, at = [], 0
        while at < len(value):
            number, at = _varint(value, at)
            numbers.append(_value(type_, form, number))
        return numbers
    return [_value(type_, form, value)]


def _value(type_: str, form: str, value: Value) -> Any:
    match type_:
        case "str":
            return base64.b64encode(_bytes(value)).decode() if form == "byte" else _text(value)
        case "int":
            return _signed(value)
        case "bool":
            return _signed(value) != 0
        case "float":
            return struct.unpack("<d", _bytes(value))[0]
        case "Time" | "MicroTime":
            return _time(_bytes(value), micro=type_ == "MicroTime")
        case "Quantity":
            return _text(dict(_members(_bytes(value))).get(1, b""))
        case "IntOrString":
            parts = dict(_members(_bytes(value)))
            return _text(parts.get(3, b"")) if parts.get(1) else _signed(parts.get(2, 0))
        case "Object" | "Any":
            return _json(_bytes(dict(_members(_bytes(value))).get(1, b"")))
    if type_.startswith("[]"):
        return [_text(each) for _, each in _members(_bytes(value))]
    assert type_ not in SCALARS
    return message(_bytes(value), type_)


def _json(raw: bytes) -> Any:
    """A RawExtension's object."""
    found = msgspec.json.decode(raw) if raw else None
    if isinstance(found, (dict, list)) and depth(found) > MAX_DEPTH:
        raise ValueError("exceeded max depth")
    return found


def _time(raw: bytes, *, micro: bool) -> str | None:
    parts = dict(_members(raw))
    if not raw:
        return None
    seconds, nanos = _signed(parts.get(1, 0)), _signed(parts.get(2, 0))
    when = datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanos // 1000)
    return clock.micro_timestamp(when) if micro else clock.timestamp(when)


def _members(raw: bytes) -> Iterator[tuple[int, Value]]:
    """The fields of a message in order; raise ValueError for what is no message."""
    at = 0
    while at < len(raw):
        key, at = _varint(raw, at)
        number, form = key >> 3, key & 7
        if not 0 < number <= GREATEST_FIELD:
            raise ValueError(f"proto: illegal tag {number} (wire type {form})")
        if form == VARINT:
            value, at = _varint(raw, at)
            yield number, value
        elif form in (FIXED64, FIXED32, BYTES):
            size, at = _varint(raw, at) if form == BYTES else (8 if form == FIXED64 else 4, at)
            if at + size > len(raw):
                raise ValueError("unexpected EOF")
            yield number, raw[at : at + size]
            at += size
        else:
            raise ValueError(f"proto: illegal wireType {form}")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(raw):
            raise ValueError("unexpected EOF")
        if shift > MOST_BITS:
            raise ValueError("proto: integer overflow")
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ((1 << 64) - 1), at
        shift += 7


def _signed(value: Value) -> int:
    if isinstance(value, bytes):
        raise ValueError("proto: wrong wireType for an integer")
    return value - (1 << 64) if value >= 1 << 63 else value


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise ValueError("proto: wrong wireType for a message")
    return value


def _text(value: Value) -> str:
    return _bytes(value).decode()
