"""Checks of single JSON values against Go's scalar types, and the complaint when one does not fit.

A check returns what to keep and no unknown fields; `schema` composes them into walkers.
"""

import base64
import binascii
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from knarr.kinds.decode import go_name
from knarr.meta import clock, quantity

Kept = tuple[Any, list[str] | None]
Check = Callable[[Any], Kept]

RANGES = {"int32": 2**31, "int64": 2**63}

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


class Mismatch(Exception):
    """A value that Go's decoder refuses; each struct on the way up adds its name and the field's."""

    def __init__(self, found: str = "", wanted: str = "", *, plain: str = "") -> None:
        super().__init__(found, wanted, plain)
        self.found, self.wanted, self.plain = found, wanted, plain
        self.struct = ""
        self.path: list[str] = []

    def within(self, struct: str, key: str) -> "Mismatch":
        self.struct = self.struct or struct
        self.path.insert(0, key)
        return self

    def text(self) -> str:
        if self.plain:
            return self.plain
        where = f"Go struct field {self.struct}.{'.'.join(self.path)}" if self.struct else "Go value"
        return f"json: cannot unmarshal {self.found} into {where} of type {self.wanted}"


def string(go: str) -> Check:
    def check(value: Any) -> Kept:
        if value is None or type(value) is str:
            return value, None
        raise Mismatch(go_name(value), go)

    return check


def boolean(go: str) -> Check:
    def check(value: Any) -> Kept:
        if value is None or type(value) is bool:
            return value, None
        raise Mismatch(go_name(value), go)

    return check


def integer(go: str) -> Check:
    limit = RANGES[go]

    def check(value: Any) -> Kept:
        if value is None or (type(value) is int and -limit <= value < limit):
            return value, None
        found = go_name(value)
        raise Mismatch(f"number {_literal(value)}" if found == "number" else found, go)

    return check


def _literal(value: float) -> str:
    """A number as it probably stood in the text."""
    return repr(value)


def number(go: str) -> Check:
    def check(value: Any) -> Kept:
        if value is None or type(value) in (int, float):
            return value, None
        raise Mismatch(go_name(value), go)

    return check


def int_or_string(go: str) -> Check:
    number_check = integer("int32")

    def check(value: Any) -> Kept:
        return (value, None) if type(value) is str else number_check(value)

    return check


def amount(go: str) -> Check:
    def check(value: Any) -> Kept:
        if value is None:
            return None, None
        if type(value) is not str:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise Mismatch(plain=quantity.WRONG_FORMAT)
            value = f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        try:
            return quantity.canonical(value.strip()), None
        except ValueError as error:
            raise Mismatch(plain=str(error)) from None

    return check


def time(layout: str, micro: bool) -> Callable[[str], Check]:
    show = clock.micro_timestamp if micro else clock.timestamp

    @lru_cache(512)  # what is written now says "now" many times
    def canonical(value: str) -> str:
        if not _TIME.fullmatch(value):
            raise ValueError
        return show(clock.parse(value.upper()))

    def make(go: str) -> Check:
        def check(value: Any) -> Kept:
            if value is None:
                return None, None
            if type(value) is not str:
                raise Mismatch(go_name(value), "string")
            try:
                return canonical(value), None
            except (ValueError, OverflowError):
                plain = f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"'
                raise Mismatch(plain=plain) from None

        return check

    return make


def octets(go: str) -> Check:
    """Bytes, in base64 on the wire; line breaks inside are dropped as Go does."""

    def check(value: Any) -> Kept:
        if value is None:
            return None, None
        if type(value) is not str:
            raise Mismatch(go_name(value), "[]uint8")
        try:
            text = value.replace("\r", "").replace("\n", "")
            base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise Mismatch(plain=f"illegal base64 data at input byte {_first_illegal(value)}") from None
        return text, None

    return check


def _first_illegal(value: str) -> int:
    """Where Go's decoder would stop."""
    found = re.match(r"(?:[A-Za-z0-9+/\r\n]{4})*[A-Za-z0-9+/\r\n]*", value)
    stop = found.end() if found else 0
    return stop if stop < len(value) and value[stop] != "=" else len(value) // 4 * 4


def tree(go: str) -> Check:
    """A RawExtension or the like: an object without a type of its own."""

    def check(value: Any) -> Kept:
        if value is None or type(value) is dict:
            return value, None
        raise Mismatch(go_name(value), "map[string]interface {}")

    return check


def anything(go: str) -> Check:
    return lambda value: (value, None)


SCALARS: dict[str, Callable[[str], Check]] = {
    "str": string,
    "bool": boolean,
    "float": number,
    "IntOrString": int_or_string,
    "Quantity": amount,
    "Time": time("2006-01-02T15:04:05Z07:00", micro=False),
    "MicroTime": time("2006-01-02T15:04:05.000000Z07:00", micro=True),
    "bytes": octets,
    "Object": tree,
    "Any": anything,
}
