"""Protocol Buffers for the few messages of `messages`: Structs to bytes and back. Pure; called by `client`.

A field names its number in its annotation. What a Struct does not name is skipped, as the format wants it, so a newer
runtime is understood too.
"""

from collections.abc import Iterator
from functools import cache
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from knarr.meta.varint import varint

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
WORD = 1 << 64


Message = msgspec.Struct  #: each of its fields has `Annotated[type, number]` for a type
M = TypeVar("M", bound=Message)
Field = tuple[str, Any]  #: its name and its type: str, bytes, int, bool, a Message, or list or dict of them


@cache
def fields(type_: type[Message]) -> dict[int, Field]:
    """A message's fields by number; an optional one counts as what it is when it is there."""
    found = {}
    for name, hint in get_type_hints(type_, include_extras=True).items():
        assert get_origin(hint) is Annotated, f"{type_.__name__}.{name} has no number"
        kind, number = get_args(hint)
        alternatives = [each for each in get_args(kind) if each is not NoneType]
        found[number] = (name, alternatives[0] if NoneType in get_args(kind) else kind)
    return found


def _origin(kind: Any) -> Any:
    return get_origin(kind)


def encode(message: Message) -> bytes:
    """A message's bytes; fields at their zero are left out."""
    return b"".join(
        _tagged(number, kind, value)
        for number, (name, kind) in fields(type(message)).items()
        if (value := getattr(message, name)) or isinstance(value, Message)
    )


def _tagged(number: int, kind: Any, value: Any) -> bytes:
    if _origin(kind) is list:
        return b"".join(_tagged(number, get_args(kind)[0], each) for each in value)
    if _origin(kind) is dict:
        pairs = (_tagged(1, str, key) + _tagged(2, str, item) for key, item in value.items())
        return b"".join(_tagged(number, bytes, pair) for pair in pairs)
    if kind in (int, bool):
        return varint(number << 3 | VARINT) + varint(int(value) % WORD)
    raw = encode(value) if isinstance(value, Message) else value.encode() if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(raw)) + raw


def decode(type_: type[M], raw: bytes) -> M:
    """A message from its bytes; ValueError when they are none."""
    known = fields(type_)
    values: dict[str, Any] = {}
    for number, value in _split(raw):
        if number not in known:
            continue
        name, kind = known[number]
        if _origin(kind) is list:
            values.setdefault(name, []).extend(_items(get_args(kind)[0], value))
        elif _origin(kind) is dict:
            entry = dict(_split(_raw(value)))
            values.setdefault(name, {})[_raw(entry.get(1, b"")).decode()] = _raw(entry.get(2, b"")).decode()
        else:
            values[name] = _value(kind, value)
    return type_(**values)


def _items(kind: Any, value: int | bytes) -> list[Any]:
    """One element of a list, or several packed numbers."""
    if kind is not int or isinstance(value, int):
        return [_value(kind, value)]
    numbers, at = [], 0
    while at < len(value):
        number, at = _read(value, at)
        numbers.append(_value(kind, number))
    return numbers


def _value(kind: Any, value: int | bytes) -> Any:
    if kind in (int, bool):
        if not isinstance(value, int):
            raise ValueError("bytes where a number belongs")
        return bool(value) if kind is bool else value - WORD if value >= WORD >> 1 else value
    raw = _raw(value)
    if kind is str:
        return raw.decode(errors="replace")
    return raw if kind is bytes else decode(kind, raw)


def _raw(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where bytes belong")
    return value


def _split(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and their values."""
    at = 0
    while at < len(raw):
        tag, at = _read(raw, at)
        shape = tag & 7
        if shape == VARINT:
            value, at = _read(raw, at)
            yield tag >> 3, value
            continue
        if shape == BYTES:
            size, at = _read(raw, at)
        elif shape in (FIXED64, FIXED32):
            size = 8 if shape == FIXED64 else 4
        else:
            raise ValueError(f"field {tag >> 3} has the unknown wire type {shape}")
        if at + size > len(raw):
            raise ValueError("a message is cut off")
        yield tag >> 3, raw[at : at + size]
        at += size


def _read(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(raw):
            raise ValueError("a number is cut off")
        value |= (raw[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not raw[at - 1] & 0x80:
            return value, at
