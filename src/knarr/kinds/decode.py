"""Request bodies to Trees: JSON and YAML, with upstream's words for what is wrong with them.

Nothing that comes in can hurt: nesting and aliases are bounded, and every failure is a BadRequest. Keys given twice
are not lost: complaints of them come back beside the tree, for field validation to report. The registry's verbs call
this.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from knarr.kinds.kind import Tree
from knarr.meta.errors import BadRequest

MAX_DEPTH = 200  #: of nested objects and lists; no type of the API comes near it

YAMLS_OWN = (b"\\", b"\t", b"\x7f", b'"<<"')  #: what JSON may have and YAML reads otherwise, or not at all

MOST_COMPLAINTS = 100  #: of one body, as upstream's decoder counts

_GO_HEAD = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'


def decode_json(body: bytes, kind: str = "object") -> tuple[Tree, list[str]]:
    """The object in a JSON body, and complaints of fields that occur twice. `kind` is what the route expects."""
    try:
        value = msgspec.json.decode(body)
    except UnicodeDecodeError:
        return decode_json(body.decode(errors="replace").encode(), kind)
    except msgspec.DecodeError as error:
        unrecognized(body, kind, f"json parse error: {_go_syntax_error(body, error)}")
    except RecursionError:
        unrecognized(body, kind, "json parse error: exceeded max depth")
    if too_deep(body, value):
        unrecognized(body, kind, "json parse error: exceeded max depth")
    if not isinstance(value, dict):
        wanted = f"json: cannot unmarshal {go_name(value)} into Go value of type {_GO_HEAD}"
        unrecognized(body, kind, f"json parse error: {wanted}")
    return value, duplicates(body, value)


def decode_yaml(body: bytes, kind: str = "object") -> tuple[Tree, list[str]]:
    """The object in the first document of a YAML body, read as sigs.k8s.io/yaml does."""
    from knarr.kinds import yaml_text  # PyYAML takes 15 ms to import, and most clients send JSON

    try:
        value, twice = yaml_text.load(body.decode(errors="replace"), MAX_DEPTH)
    except yaml_text.Unreadable as error:
        unrecognized(body, kind, str(error), what="")
    if not isinstance(value, dict):
        wanted = f"json: cannot unmarshal {go_name(value)} into Go value of type {_GO_HEAD}"
        unrecognized(body, kind, f"json parse error: {wanted}")
    return value, twice


def decode_apply(body: bytes) -> tuple[Tree, list[str]]:
    """The object in an apply patch, YAML whatever it looks like; refused in the words that apply has."""
    if (plain := _plain_json(body)) is not None:
        return plain, []
    from knarr.kinds import yaml_text

    try:
        value, twice = yaml_text.load(body.decode(errors="replace"), MAX_DEPTH)
    except yaml_text.Unreadable as error:
        raise BadRequest(f"error decoding YAML: error converting YAML to JSON: {error}") from None
    if not isinstance(value, dict):
        detail = f"json: cannot unmarshal {go_name(value)} into Go value of type map[string]interface {{}}"
        raise BadRequest(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {detail}")
    return value, twice


def _plain_json(body: bytes) -> Tree | None:
    """The object in a body that is JSON and means the same as YAML, which takes ten times as long to read; None of any
    other: escapes, tabs, what is not ASCII, merge keys, fractions and whatever is to be refused are YAML's to judge.
    """
    if not body.startswith(b"{") or not body.isascii() or any(sign in body for sign in YAMLS_OWN):
        return None
    try:
        value = _whole_numbers.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _Fraction):
        return None
    return None if too_deep(body, value) or duplicates(body, value) else value


class _Fraction(Exception):
    """A number that is not whole."""


def _refuse_fraction(text: str) -> NoReturn:
    raise _Fraction


_whole_numbers = msgspec.json.Decoder(dict[str, Any], float_hook=_refuse_fraction)


def warnings(complaints: Iterable[str]) -> Iterator[str]:
    """Complaints as warnings: one for each line that YAML's parser complains of."""
    for text in complaints:
        head, *lines = text.split("\n")
        yield from [line.strip() for line in lines] or [head]


def unrecognized(body: bytes, kind: str, detail: str, what: str = "couldn't get version/kind; ") -> NoReturn:
    """Refuse a body of which not even the kind can be read."""
    raise BadRequest(f"the object provided is unrecognized (must be of type {kind}): {what}{detail} ({_summary(body)})")


def go_name(value: Any) -> str:
    """What Go's decoder calls a JSON value."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case None:
            return "null"
    return "object"


def _summary(body: bytes, most: int = 30) -> str:
    if not body:
        return "<empty>"
    start = body[:most]
    shown = start.decode(errors="replace") if start.startswith(b"{") else start.hex()
    return shown + (" ..." if len(body) > most else "")


def too_deep(body: bytes, value: Any) -> bool:
    """Whether a text's value nests deeper than anything may."""
    opened = len(body) - len(body.replace(b"{", b"").replace(b"[", b""))  # `count` and `translate` take thrice as long
    return opened > MAX_DEPTH and depth(value) > MAX_DEPTH


def depth(value: Any) -> int:
    """How deeply objects and lists nest."""
    depth, level = 1, [value]
    while level := [
        child
        for parent in level
        for child in (parent.values() if isinstance(parent, dict) else parent)
        if isinstance(child, (dict, list))
    ]:
        depth += 1
    return depth


def _go_syntax_error(body: bytes, error: Exception) -> str:
    """What Go's decoder says of a text that is no JSON."""
    if "truncated" in str(error) or not body.strip():
        return "unexpected end of JSON input"
    found = re.search(r"byte (\d+)", str(error))
    at = min(int(found[1]), len(body) - 1) if found else 0
    character = body[at:].decode(errors="replace")[:1]
    where = "after top-level value" if "trailing" in str(error) else "looking for beginning of value"
    return f"invalid character {character!r} {where}"


def duplicates(body: bytes, value: Any) -> list[str]:
    """Complaints of keys that an object of the text has twice, at most MOST_COMPLAINTS of them.

    A repeated key is lost in decoding, and its quotes with it; so the same text again proves that there is none, as
    most clients write it, and so do equal counts of quotes, unless quotes are hidden in escapes.
    """
    again = msgspec.json.encode(value)
    if again == body or (b"\\u0022" not in body and again.count(b'"') == body.count(b'"')):
        return []
    found = _Fields()
    found.walk(json.loads(body, object_pairs_hook=_Pairs, parse_int=str), "")
    return [Duplicate(f'duplicate field "{path}"', found.places) for path in found.twice]


class Duplicate(str):
    """A complaint of a key given twice, with the places of all complaints that the text could give rise to."""

    __slots__ = ("places",)

    def __new__(cls, text: str, places: Mapping[str, int]) -> "Duplicate":
        return super().__new__(cls, text)

    def __init__(self, text: str, places: Mapping[str, int]) -> None:
        self.places = places


def complaints(twice: Sequence[str], unknown: Iterable[str]) -> list[str]:
    """All complaints of a body, in its order as far as that is known, at most MOST_COMPLAINTS."""
    found = [*twice, *(f'unknown field "{path}"' for path in unknown)]
    if twice and isinstance(twice[0], Duplicate):
        places = twice[0].places
        found.sort(key=lambda text: places.get(text, len(places)))
    return found[:MOST_COMPLAINTS]


class _Pairs(list[tuple[str, Any]]):
    """An object's members as written."""


class _Fields:
    """The fields of a text in its order: which are there twice, and the places of what could be said of each."""

    def __init__(self) -> None:
        self.twice: dict[str, None] = {}
        self.places: dict[str, int] = {}

    def walk(self, value: Any, path: str) -> None:
        if isinstance(value, _Pairs):
            keys: set[str] = set()
            for key, item in value:
                at = f"{path}.{key}" if path else key
                self.places.setdefault(f'unknown field "{at}"', len(self.places))
                if key in keys and len(self.twice) < MOST_COMPLAINTS:
                    self.twice[at] = None
                    self.places.setdefault(f'duplicate field "{at}"', len(self.places))
                keys.add(key)
                self.walk(item, at)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.walk(item, f"{path}[{index}]")
