"""Kubernetes' own libraries: quantities, URLs, addresses, versions, named formats."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from knarr.kinds.cel import types, values
from knarr.kinds.cel.functions import OVERLOADS, Overload, add, typed, whole
from knarr.kinds.cel.types import Type
from knarr.kinds.cel.values import Amount, Failed, Ip, Optional
from knarr.kinds.custom_formats import FORMATS
from knarr.meta import names
from knarr.meta.quantity import Quantity


def _is(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def run(text: str) -> bool:
        try:
            parse(text)
        except Failed:
            return False
        return True

    return run


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
add("jsonpatch.escapeKey", "string -> string", lambda key: key.replace("~", "~0").replace("/", "~1"))
