"""Conversions between types, times and durations, optionals."""

import base64
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from knarr.kinds.cel import types, values
from knarr.kinds.cel.functions import OVERLOADS, Overload, add, functions, methods, unsigned, whole
from knarr.kinds.cel.strings import shown
from knarr.kinds.cel.types import Type
from knarr.kinds.cel.values import Failed, Optional


def _int(value: Any) -> int:
    try:
        return whole(int(value)) if not isinstance(value, float) else whole(math.trunc(value))
    except (ValueError, OverflowError):
        raise Failed(f'strconv.ParseInt: parsing "{value}": invalid syntax') from None


def _double(value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        raise Failed(f'strconv.ParseFloat: parsing "{value}": invalid syntax') from None


def _bool(value: str) -> bool:
    if value in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if value in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise Failed(f'strconv.ParseBool: parsing "{value}": invalid syntax')


def _as(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        try:
            return parse(value)
        except (ValueError, OverflowError) as error:
            raise Failed(str(error)) from None

    return run


for source in ("int", "uint", "double", "string"):
    add("int", f"{source} -> int", _int)
    add("uint", f"{source} -> uint", lambda v: unsigned(_int(v)))
    add("double", f"{source} -> double", _double)
add("int", "timestamp -> int", lambda t: int(t.timestamp()))
for source in (
    "string", "int", "uint", "double", "bool", "bytes", "timestamp", "duration", "net.IP", "net.CIDR",
    "kubernetes.URL", "kubernetes.Quantity",
):  # fmt: skip
    OVERLOADS.setdefault("string", []).append(
        Overload((types.SHORT.get(source, Type(source)),), types.STRING, False, shown)
    )
add("bytes", "string -> bytes", str.encode)
add("bytes", "bytes -> bytes", lambda b: b)
add("bool", "bool -> bool", lambda b: b)
add("bool", "string -> bool", _bool)
add("duration", "string -> duration", _as(values.duration))
add("duration", "duration -> duration", lambda d: d)
add("timestamp", "string -> timestamp", _as(values.timestamp))
add("timestamp", "timestamp -> timestamp", lambda t: t)
add("timestamp", "int -> timestamp", _as(lambda n: datetime.fromtimestamp(n, UTC)))  # type: ignore[arg-type]
add("base64.encode", "bytes -> string", lambda b: base64.b64encode(b).decode())
add("base64.decode", "string -> bytes", _as(base64.b64decode))


def _zoned(read: Callable[[datetime], int]) -> Callable[..., int]:
    def run(when: datetime, zone: str = "UTC") -> int:
        try:
            found = re.fullmatch(r"([+-]?)(\d\d):(\d\d)", zone)
            if found is None:
                return read(when.astimezone(ZoneInfo(zone)))
            ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
            return read(when.astimezone(UTC) + (-ahead if found[1] == "-" else ahead))
        except (ZoneInfoNotFoundError, ValueError):
            raise Failed(f"unknown time zone {zone}") from None

    return run


PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda t: t.year,
    "getMonth": lambda t: t.month - 1,
    "getDayOfYear": lambda t: t.timetuple().tm_yday - 1,
    "getDayOfMonth": lambda t: t.day - 1,
    "getDate": lambda t: t.day,
    "getDayOfWeek": lambda t: t.isoweekday() % 7,
    "getHours": lambda t: t.hour,
    "getMinutes": lambda t: t.minute,
    "getSeconds": lambda t: t.second,
    "getMilliseconds": lambda t: t.microsecond // 1000,
}
for name, part in PARTS.items():
    add(name, "timestamp -> int", _zoned(part), method=True)
    add(name, "timestamp, string -> int", _zoned(part), method=True)
for name, size in (("getHours", 3600.0), ("getMinutes", 60.0), ("getSeconds", 1.0), ("getMilliseconds", 1e-3)):
    add(name, "duration -> int", lambda d, size=size: int(d.total_seconds() / size), method=True)


def _unwrapped(of: Optional) -> Any:
    if not of.items:
        raise Failed("optional.none() dereference")
    return of.items[0]


functions(
    {
        "optional.of": ("A -> optional<A>", lambda a: Optional((a,))),
        "optional.none": ("-> optional<A>", Optional),
        "optional.ofNonZeroValue": ("A -> optional<A>", lambda a: Optional((a,)) if a else Optional()),
    }
)
methods(
    {
        "hasValue": ("optional<A> -> bool", lambda o: bool(o.items)),
        "value": ("optional<A> -> A", _unwrapped),
        "orValue": ("optional<A>, A -> A", lambda o, other: o.items[0] if o.items else other),
        "or": ("optional<A>, optional<A> -> optional<A>", lambda o, other: o if o.items else other),
    }
)
