"""Strings: CEL's extended library, regular expressions in RE2's form, `format`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from knarr.kinds.cel import values
from knarr.kinds.cel.functions import add, methods
from knarr.kinds.cel.scope import OverLimit
from knarr.kinds.cel.values import Amount, Failed, Ip, Url
from knarr.kinds.go_pattern import BadPattern, go_pattern

LONGEST = 3 * 1024 * 1024  #: characters that a call may make of its arguments: more than a request can bring
MOST_DIGITS = 1000  #: after the point of a number that `format` writes


def _pattern(text: str) -> Any:
    try:
        return go_pattern(text)
    except BadPattern as error:
        raise Failed(f"error parsing regexp: {error}") from None


def _matches(text: str, pattern: str) -> bool:
    return _pattern(pattern).search(text) is not None


add("matches", "string, string -> bool", _matches)
methods(
    {
        "contains": ("string, string -> bool", lambda s, t: t in s),
        "startsWith": ("string, string -> bool", lambda s, t: s.startswith(t)),
        "endsWith": ("string, string -> bool", lambda s, t: s.endswith(t)),
        "matches": ("string, string -> bool", _matches),
        "lowerAscii": ("string -> string", lambda s: re.sub("[A-Z]", lambda m: m[0].lower(), s)),
        "upperAscii": ("string -> string", lambda s: re.sub("[a-z]", lambda m: m[0].upper(), s)),
        "trim": ("string -> string", lambda s: s.strip()),
        "reverse": ("string -> string", lambda s: s[::-1]),
        "charAt": ("string, int -> string", lambda s, i: _sub(s, i, min(i + 1, len(s)))),
        "find": ("string, string -> string", lambda s, p: m[0] if (m := _pattern(p).search(s)) else ""),
        "format": ("string, list<A> -> string", lambda s, args: formatted(s, args)),
    }
)


def _sub(text: str, start: int, end: int) -> str:
    if not 0 <= start <= end <= len(text):
        raise Failed(f"index out of range: {start if not 0 <= start <= len(text) else end}")
    return text[start:end]


for name, run in (("indexOf", str.find), ("lastIndexOf", str.rfind)):
    add(name, "string, string -> int", run, method=True)
add("indexOf", "string, string, int -> int", lambda s, t, i: s.find(t, i), method=True)
add("lastIndexOf", "string, string, int -> int", lambda s, t, i: s.rfind(t, 0, i + len(t)), method=True)
add("substring", "string, int -> string", lambda s, a: _sub(s, a, len(s)), method=True)
add("substring", "string, int, int -> string", _sub, method=True)
add("replace", "string, string, string -> string", lambda s, a, b: _replace(s, a, b, -1), method=True)
add("replace", "string, string, string, int -> string", lambda s, a, b, n: _replace(s, a, b, n), method=True)
add("split", "string, string -> list<string>", lambda s, t: s.split(t) if t else list(s), method=True)
add("split", "string, string, int -> list<string>", lambda s, t, n: _split(s, t, n), method=True)
add("join", "list<string> -> string", "".join, method=True)
add("join", "list<string>, string -> string", lambda items, t: _join(items, t), method=True)
add("findAll", "string, string -> list<string>", lambda s, p: [m[0] for m in _pattern(p).finditer(s)], method=True)
add(
    "findAll",
    "string, string, int -> list<string>",
    lambda s, p, n: [m[0] for m in _pattern(p).finditer(s)][: n if n >= 0 else None],
    method=True,
)
add("strings.quote", "string -> string", lambda s: msgspec.json.encode(s).decode())


def _replace(text: str, old: str, new: str, most: int) -> str:
    """Raises OverLimit, before it takes the memory, when the outcome would be too long."""
    times = text.count(old) if most < 0 else min(text.count(old), most)
    if len(text) + times * (len(new) - len(old)) > max(LONGEST, len(text)):
        raise OverLimit
    return text.replace(old, new, most)


def _join(items: list[str], by: str) -> str:
    if len(items) * len(by) > LONGEST:
        raise OverLimit
    return by.join(items)


def _split(text: str, by: str, most: int) -> list[str]:
    if most == 0:
        return []
    return text.split(by, most - 1 if most > 0 else -1)


def formatted(text: str, args: list[Any]) -> str:
    """`"%s is %d".format([...])`."""
    left = list(args)

    def one(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if not left:
            raise Failed(f"index {len(args)} out of range")
        value, verb = left.pop(0), match[2]
        if verb == "s":
            return shown(value)
        if verb == "d" and values.is_number(value):
            return str(int(value)) if isinstance(value, int) else shown(value)
        if verb in "fe" and values.is_number(value):
            if len(match[1] or "") > 1 and int(match[1][1:]) > MOST_DIGITS:
                raise OverLimit
            return str(f"%{match[1] or '.6'}{verb}" % value)
        if verb in "xXob" and isinstance(value, int):
            return format(int(value), verb)
        if verb in "xX" and isinstance(value, str | bytes):
            raw = value.encode() if isinstance(value, str) else value
            return raw.hex() if verb == "x" else raw.hex().upper()
        raise Failed(f"error during formatting: unrecognized formatting clause: %{verb}")

    return re.sub(r"%%|%(\.\d+)?([a-zA-Z])", one, text)


def shown(value: Any) -> str:
    """A value as `string()` and `%s` print it."""
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case bytes():
            return value.decode(errors="replace")
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
        case int():
            return str(int(value))
        case None:
            return "null"
        case timedelta():
            return f"{shown(value.total_seconds())}s"
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case list():
            return "[" + ", ".join(map(shown, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{shown(k)}: {shown(value[k])}" for k in sorted(value, key=shown)) + "}"
        case Amount():
            return str(value.quantity)
        case Ip():
            return str(value.address)
        case values.Cidr():
            return str(value.interface)
        case Url():
            return value.parts.geturl()
    return str(value)
