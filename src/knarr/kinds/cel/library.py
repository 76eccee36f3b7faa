"""The functions of CEL and of Kubernetes' libraries: for each the types it takes and gives, and what it does.

A row serves both the checker, by types, and the evaluator, by values. Methods have their target as first argument.
"""

import base64
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from knarr.kinds.cel import types, values
from knarr.kinds.cel.syntax import Uint
from knarr.kinds.cel.types import Type
from knarr.kinds.cel.values import Amount, Failed, Ip, Optional, Url, compare, equal
from knarr.kinds.custom_validation import FORMATS
from knarr.kinds.go_pattern import BadPattern, go_pattern
from knarr.meta import names
from knarr.meta.quantity import Quantity


@dataclass(frozen=True, slots=True)
class Overload:
    args: tuple[Type, ...]
    result: Type
    method: bool
    run: Callable[..., Any]


OVERLOADS: dict[str, list[Overload]] = {}


def add(name: str, signature: str, run: Callable[..., Any], *, method: bool = False) -> None:
    """A row: "string, int -> bool"."""
    args, _, result = signature.partition("->")
    depth, parts = 0, [""]
    for character in args:
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    read = tuple(types.read(part.strip()) for part in parts if part.strip())
    OVERLOADS.setdefault(name, []).append(Overload(read, types.read(result.strip()), method, run))


def methods(rows: dict[str, tuple[str, Callable[..., Any]]]) -> None:
    for name, (signature, run) in rows.items():
        add(name, signature, run, method=True)


def functions(rows: dict[str, tuple[str, Callable[..., Any]]]) -> None:
    for name, (signature, run) in rows.items():
        add(name, signature, run)


def whole(value: float) -> int:
    """Within 64 bits, or Failed."""
    if not -(1 << 63) <= value < 1 << 63:
        raise Failed("integer overflow")
    return int(value)


def unsigned(value: float) -> Uint:
    if not 0 <= value < 1 << 64:
        raise Failed("unsigned integer overflow")
    return Uint(value)


def _divide(left: int, right: int) -> int:
    if right == 0:
        raise Failed("division by zero")
    found = abs(left) // abs(right)
    return whole(found if (left < 0) == (right < 0) else -found)


def _modulo(left: int, right: int) -> int:
    if right == 0:
        raise Failed("modulus by zero")
    return (
        int(math.copysign(abs(left) % abs(right), left)) if abs(left) < 1 << 52 else left - _divide(left, right) * right
    )


def _float_divide(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


for type_, wrap in (("int", whole), ("uint", unsigned)):
    add("_+_", f"{type_}, {type_} -> {type_}", lambda a, b, w=wrap: w(int(a) + int(b)))
    add("_-_", f"{type_}, {type_} -> {type_}", lambda a, b, w=wrap: w(int(a) - int(b)))
    add("_*_", f"{type_}, {type_} -> {type_}", lambda a, b, w=wrap: w(int(a) * int(b)))
    add("_/_", f"{type_}, {type_} -> {type_}", lambda a, b, w=wrap: w(_divide(a, b)))
    add("_%_", f"{type_}, {type_} -> {type_}", lambda a, b, w=wrap: w(_modulo(a, b)))
add("_+_", "double, double -> double", lambda a, b: a + b)
add("_-_", "double, double -> double", lambda a, b: a - b)
add("_*_", "double, double -> double", lambda a, b: a * b)
add("_/_", "double, double -> double", _float_divide)
for signature in (
    "string, string -> string", "bytes, bytes -> bytes", "list<A>, list<A> -> list<A>",
    "timestamp, duration -> timestamp", "duration, timestamp -> timestamp", "duration, duration -> duration",
):  # fmt: skip
    add("_+_", signature, lambda a, b: a + b)
for signature in (
    "timestamp, timestamp -> duration", "timestamp, duration -> timestamp", "duration, duration -> duration",
):  # fmt: skip
    add("_-_", signature, lambda a, b: a - b)
add("-_", "int -> int", lambda a: whole(-a))
add("-_", "double -> double", lambda a: -a)
add("!_", "bool -> bool", lambda a: not a)
add("_==_", "A, A -> bool", equal)
add("_!=_", "A, A -> bool", lambda a, b: not equal(a, b))
NUMBERS = ("int", "uint", "double")
ORDERED = [(a, b) for a in NUMBERS for b in NUMBERS] + [
    (t, t) for t in ("string", "bytes", "bool", "timestamp", "duration")
]
for left, right in ORDERED:
    add("_<_", f"{left}, {right} -> bool", lambda a, b: compare(a, b) < 0)
    add("_<=_", f"{left}, {right} -> bool", lambda a, b: compare(a, b) <= 0)
    add("_>_", f"{left}, {right} -> bool", lambda a, b: compare(a, b) > 0)
    add("_>=_", f"{left}, {right} -> bool", lambda a, b: compare(a, b) >= 0)
add("@in", "A, list<A> -> bool", lambda a, b: any(equal(a, item) for item in b))
add("@in", "A, map<A,B> -> bool", lambda a, b: lookup(b, a) is not MISSING)

MISSING: Any = object()


def lookup(found: dict[Any, Any], key: Any) -> Any:
    """The value of a map's key; true is not 1 here."""
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    value = found.get(key, MISSING) if isinstance(key, str | int | bool) else MISSING
    if value is not MISSING and isinstance(key, bool | int):
        return value if any(isinstance(k, bool) is isinstance(key, bool) for k in found if k == key) else MISSING
    return value


def index(of: list[Any], at: Any) -> Any:
    if isinstance(at, float) and at.is_integer():
        at = int(at)
    if isinstance(at, bool) or not isinstance(at, int):
        raise Failed("no such overload")
    if not 0 <= at < len(of):
        raise Failed(f"index out of bounds: {at}")
    return of[at]


def _key(found: dict[Any, Any], key: Any) -> Any:
    value = lookup(found, key)
    if value is MISSING:
        raise Failed(f"no such key: {key}")
    return value


def _maybe(read: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Optional]:
    def run(of: Any, at: Any) -> Optional:
        try:
            return Optional((read(of, at),))
        except Failed:
            return Optional()

    return run


def _chain(of: Optional, at: Any) -> Optional:
    if not of.items:
        return of
    inner = of.items[0]
    return _maybe(index if isinstance(inner, list) else _key)(inner, at)


add("_[_]", "list<A>, int -> A", index)
add("_[_]", "map<A,B>, A -> B", _key)
add("_[_]", "optional<list<A>>, int -> optional<A>", _chain)
add("_[_]", "optional<map<A,B>>, A -> optional<B>", _chain)
add("_[?_]", "list<A>, int -> optional<A>", _maybe(index))
add("_[?_]", "map<A,B>, A -> optional<B>", _maybe(_key))
add("_[?_]", "optional<list<A>>, int -> optional<A>", _chain)
add("_[?_]", "optional<map<A,B>>, A -> optional<B>", _chain)
for each in ("string", "bytes", "list<A>", "map<A,B>"):
    add("size", f"{each} -> int", len)
    add("size", f"{each} -> int", len, method=True)
add("type", "A -> type", types.type_of)
add("dyn", "A -> dyn", lambda a: a)


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
add("replace", "string, string, string -> string", lambda s, a, b: s.replace(a, b), method=True)
add("replace", "string, string, string, int -> string", lambda s, a, b, n: s.replace(a, b, n), method=True)
add("split", "string, string -> list<string>", lambda s, t: s.split(t) if t else list(s), method=True)
add("split", "string, string, int -> list<string>", lambda s, t, n: _split(s, t, n), method=True)
add("join", "list<string> -> string", "".join, method=True)
add("join", "list<string>, string -> string", lambda items, t: t.join(items), method=True)
add("findAll", "string, string -> list<string>", lambda s, p: [m[0] for m in _pattern(p).finditer(s)], method=True)
add(
    "findAll",
    "string, string, int -> list<string>",
    lambda s, p, n: [m[0] for m in _pattern(p).finditer(s)][: n if n >= 0 else None],
    method=True,
)
add("strings.quote", "string -> string", lambda s: msgspec.json.encode(s).decode())


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


def _ordered(items: list[Any]) -> bool:
    return all(compare(a, b) <= 0 for a, b in pairwise(items))


def _most(sign: int) -> Callable[[list[Any]], Any]:
    def run(items: list[Any]) -> Any:
        if not items:
            raise Failed(f"{'max' if sign > 0 else 'min'} called on empty list")
        best = items[0]
        for item in items[1:]:
            if compare(item, best) * sign > 0:
                best = item
        return best

    return run


def _sum(items: list[Any]) -> Any:
    total = items[0] if items else 0
    for item in items[1:]:
        total = total + item
    return whole(total) if type(total) is int else total


def _position(items: list[Any], value: Any, places: "range | reversed[int]") -> int:
    return next((at for at in places if equal(items[at], value)), -1)


methods(
    {
        "isSorted": ("list<A> -> bool", _ordered),
        "sum": ("list<A> -> A", _sum),
        "min": ("list<A> -> A", _most(-1)),
        "max": ("list<A> -> A", _most(1)),
    }
)
add("indexOf", "list<A>, A -> int", lambda of, v: _position(of, v, range(len(of))), method=True)
add("lastIndexOf", "list<A>, A -> int", lambda of, v: _position(of, v, range(len(of) - 1, -1, -1)), method=True)


def _covers(of: list[Any], others: list[Any]) -> bool:
    return all(any(equal(a, b) for b in of) for a in others)


functions(
    {
        "sets.contains": ("list<A>, list<A> -> bool", _covers),
        "sets.equivalent": ("list<A>, list<A> -> bool", lambda a, b: _covers(a, b) and _covers(b, a)),
        "sets.intersects": ("list<A>, list<A> -> bool", lambda a, b: any(equal(x, y) for x in a for y in b)),
    }
)


def _is(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def run(text: str) -> bool:
        try:
            parse(text)
        except Failed:
            return False
        return True

    return run


def typed(rows: dict[str, tuple[str, str, Callable[..., Any]]], own: str, *, method: bool = True) -> None:
    """Rows of a type of Kubernetes: `X` in a signature stands for it."""
    for name, (args, result, run) in rows.items():
        read = tuple(Type(own) if part == "X" else types.read(part) for part in args.split(", ") if part)
        given = Type(own) if result == "X" else types.read(result)
        OVERLOADS.setdefault(name, []).append(Overload(read, given, method, run))


for name, parse, own in (
    ("quantity", values.quantity, "kubernetes.Quantity"),
    ("url", values.url, "kubernetes.URL"),
    ("ip", values.ip, "net.IP"),
    ("cidr", values.cidr, "net.CIDR"),
    ("semver", values.semver, "kubernetes.Semver"),
):
    checked = {"quantity": "isQuantity", "url": "isURL", "ip": "isIP", "cidr": "isCIDR", "semver": "isSemver"}[name]
    typed({name: ("string", "X", parse)}, own, method=False)
    add(checked, "string -> bool", _is(parse))


def _nano(amount: Amount) -> Quantity:
    return amount.quantity


def _order(a: Any, b: Any) -> int:
    return int(b < a) - int(a < b)


def _quantity_int(amount: Amount) -> int:
    text = amount.quantity
    if text.milli % 1000:
        raise Failed("cannot convert value to integer")
    return whole(text.value)


def _whole_quantity(amount: Amount) -> bool:
    return not amount.quantity.milli % 1000


def _to_quantity(value: "Amount | int") -> Quantity:
    return value.quantity if isinstance(value, Amount) else values.quantity(str(value)).quantity


typed(
    {
        "isInteger": ("X", "bool", _whole_quantity),
        "asInteger": ("X", "int", _quantity_int),
        "asApproximateFloat": ("X", "double", lambda a: a.quantity.milli / 1000),
        "sign": ("X", "int", lambda a: _order(a.quantity, values.quantity("0").quantity)),
        "compareTo": ("X, X", "int", lambda a, b: _order(a.quantity, b.quantity)),
        "isLessThan": ("X, X", "bool", lambda a, b: a.quantity < b.quantity),
        "isGreaterThan": ("X, X", "bool", lambda a, b: b.quantity < a.quantity),
    },
    "kubernetes.Quantity",
)
for other in ("X", "int"):
    typed(
        {
            "add": (f"X, {other}", "X", lambda a, b: Amount(a.quantity + _to_quantity(b))),
            "sub": (f"X, {other}", "X", lambda a, b: Amount(a.quantity - _to_quantity(b))),
        },
        "kubernetes.Quantity",
    )
typed(
    {
        "getScheme": ("X", "string", lambda u: u.parts.scheme),
        "getHost": ("X", "string", lambda u: u.parts.netloc.rpartition("@")[2]),
        "getHostname": ("X", "string", lambda u: u.parts.hostname or ""),
        "getPort": ("X", "string", lambda u: str(u.parts.port or "")),
        "getEscapedPath": ("X", "string", lambda u: u.parts.path),
        "getQuery": ("X", "map<string,list<string>>", values.query),
    },
    "kubernetes.URL",
)
typed(
    {
        "family": ("X", "int", lambda i: i.address.version),
        "isUnspecified": ("X", "bool", lambda i: i.address.is_unspecified),
        "isLoopback": ("X", "bool", lambda i: i.address.is_loopback),
        "isLinkLocalMulticast": ("X", "bool", lambda i: str(i.address).startswith(("224.0.0.", "ff02:"))),
        "isLinkLocalUnicast": ("X", "bool", lambda i: i.address.is_link_local),
        "isGlobalUnicast": ("X", "bool", lambda i: _global(i)),
    },
    "net.IP",
)
add("ip.isCanonical", "string -> bool", lambda text: str(values.ip(text).address) == text)


def _global(of: Ip) -> bool:
    a = of.address
    return not (a.is_unspecified or a.is_loopback or a.is_multicast or a.is_link_local or str(a) == "255.255.255.255")


def _contains_ip(of: values.Cidr, given: "Ip | str") -> bool:
    address = (values.ip(given) if isinstance(given, str) else given).address
    return address.version == of.interface.version and address in of.interface.network


def _contains_cidr(of: values.Cidr, given: "values.Cidr | str") -> bool:
    inner = (values.cidr(given) if isinstance(given, str) else given).interface
    if inner.version != of.interface.version:
        return False
    return inner.network.prefixlen >= of.interface.network.prefixlen and inner.ip in of.interface.network


CIDR = Type("net.CIDR")
for given in (types.STRING, Type("net.IP")):
    OVERLOADS.setdefault("containsIP", []).append(Overload((CIDR, given), types.BOOL, True, _contains_ip))
for given in (types.STRING, CIDR):
    OVERLOADS.setdefault("containsCIDR", []).append(Overload((CIDR, given), types.BOOL, True, _contains_cidr))
OVERLOADS["ip"].append(Overload((CIDR,), Type("net.IP"), True, lambda c: Ip(c.interface.ip)))
typed(
    {
        "masked": ("X", "X", lambda c: values.cidr(str(c.interface.network))),
        "prefixLength": ("X", "int", lambda c: c.interface.network.prefixlen),
    },
    "net.CIDR",
)
typed(
    {
        "major": ("X", "int", lambda v: v.major),
        "minor": ("X", "int", lambda v: v.minor),
        "patch": ("X", "int", lambda v: v.patch),
        "compareTo": ("X, X", "int", _order),
        "isLessThan": ("X, X", "bool", lambda a, b: a < b),
        "isGreaterThan": ("X, X", "bool", lambda a, b: b < a),
    },
    "kubernetes.Semver",
)


@dataclass(frozen=True, slots=True)
class Format:
    """A named format, whose `validate` gives what is wrong."""

    errors: Callable[[str], list[str]]
    type = Type("kubernetes.NamedFormat")


def _plain(name: str) -> Callable[[str], list[str]]:
    return lambda text: [] if FORMATS[name](text) else [f"must be a valid {name}"]


NAMED: dict[str, Callable[[str], Any]] = {
    "dns1123Label": names.label_errors,
    "dns1123Subdomain": names.subdomain_errors,
    "dns1035Label": names.label_1035_errors,
    "qualifiedName": names.qualified_errors,
    "labelValue": names.label_value_errors,
    "uri": _plain("uri"),
    "uuid": _plain("uuid"),
    "byte": _plain("byte"),
    "date": _plain("date"),
    "datetime": _plain("date-time"),
}
FORMAT = Type("kubernetes.NamedFormat")
for name, errors in NAMED.items():
    OVERLOADS[f"format.{name}"] = [Overload((), FORMAT, False, lambda e=errors: Format(lambda text: list(e(text))))]
OVERLOADS["validate"] = [
    Overload(
        (FORMAT, types.STRING),
        types.optional_of(types.list_of(types.STRING)),
        True,
        lambda f, text: Optional((found,)) if (found := f.errors(text)) else Optional(),
    )
]
NAMESPACES = {name.partition(".")[0] for name in OVERLOADS if "." in name}
