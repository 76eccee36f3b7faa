"""YAML as sigs.k8s.io/yaml reads and writes it: YAML 1.1's booleans and octals, JSON's types, string keys, no times.

`decode.decode_yaml` calls it with a bound on nesting. Aliases may not blow a document up: see `_allowed`.
"""

import base64
import json
import re
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FEW, MANY = 400_000, 4_000_000  #: values of a document between which ever fewer may come of aliases
MOST_COMPLAINTS = 100
LONGEST_NUMBER = 1000  #: characters of a number; Python reads only some thousands of digits

TRUE = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
FALSE = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
NULL = {"", "~", "null", "Null", "NULL"}
RESOLVED = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null")}
TEXT = "tag:yaml.org,2002:str"
NO_FOLD = 1 << 30  #: columns after which a long line is broken

_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


_OPEN: Any = object()  #: stands for an anchor's value until that is complete


class Unreadable(Exception):
    """The text is no YAML that may come in; worded as upstream words it."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes plain values so that `load` reads them back as they were."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    """Text: in a block when it has lines, in double quotes when it would read as something else."""
    style = None
    if "\n" in value:
        style = "|"
    elif not isinstance(_resolved(value), str) or dumper.resolve(yaml.ScalarNode, value, (True, False)) != TEXT:
        style = '"'
    return dumper.represent_scalar(TEXT, value, style=style)


_Dumper.add_representer(str, _text)


END = b"...\n"  #: how PyYAML ends a document whose last text ends in empty lines: more may follow here


def dump(value: Any) -> bytes:
    """A JSON value as a YAML document, its keys sorted.

    A list's items are written one after the other: the writer is C, and lets no other thread run until it returns.
    """
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list) or not items:
        return _dump(value)
    before = {key: item for key, item in value.items() if key < "items"}
    after = {key: item for key, item in value.items() if key > "items"}
    parts = [_dump(before) if before else b"", b"items:\n", *(_dump([item]) for item in items)]
    return b"".join([*parts, _dump(after) if after else b""])


def _dump(value: Any) -> bytes:
    text: bytes = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=True,
        width=NO_FOLD,
        allow_unicode=True,
        encoding="utf-8",
    )
    return text[: -len(END)] if text.endswith(b"\n" + END) else text


def load(text: str, max_depth: int) -> tuple[Any, list[str]]:
    """The first document's value, and a complaint when keys occur twice in a mapping."""
    loader = LOADER(text)
    try:
        builder = _Builder(loader, max_depth)
        value = builder.document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        if isinstance(error, yaml.scanner.ScannerError) and line:
            line += 1
        raise Unreadable(f"yaml: {f'line {line}: ' if line else ''}{error.problem}") from error
    except yaml.YAMLError as error:
        raise Unreadable(f"yaml: {error}".splitlines()[0]) from error
    finally:
        loader.dispose()
    lines = "".join(f"\n  {line}" for line in builder.twice)
    return value, [f"yaml: unmarshal errors:{lines}"] if lines else []


class _Builder:
    """Makes a JSON value of one document's events, in one pass."""

    def __init__(self, loader: Any, max_depth: int) -> None:
        self.loader, self.max_depth = loader, max_depth
        self.twice: list[str] = []  #: what is said of each key that a mapping has already
        self.anchors: dict[str, Any] = {}
        self.nodes = self.aliased = 0  #: values made, and those of them that an alias made once more

    def document(self) -> Any:
        while not isinstance(event := self.loader.get_event(), yaml.DocumentStartEvent):
            if isinstance(event, yaml.StreamEndEvent):
                return None
        return self.build(self.loader.get_event(), 0)

    def build(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self.again(event.anchor or "")
        self.nodes += 1
        if event.anchor is not None:
            self.anchors[event.anchor] = _OPEN
        if isinstance(event, yaml.ScalarEvent):
            value = scalar(event)
        elif depth >= self.max_depth:
            raise Unreadable("yaml: exceeded max depth")
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(item := self.loader.get_event(), yaml.SequenceEndEvent):
                value.append(self.build(item, depth + 1))
        else:
            value = self.mapping(depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        return value

    def mapping(self, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := self.loader.get_event(), yaml.MappingEndEvent):
            if _merges(event):
                found = self.build(self.loader.get_event(), depth + 1)
                for source in found if isinstance(found, list) else [found]:
                    if not isinstance(source, dict):
                        raise Unreadable("yaml: map merge requires map or sequence of maps as the value")
                    merged = {**source, **merged}
                continue
            key = _key(self.build(event, depth + 1))
            event = self.loader.get_event()
            if key in out and len(self.twice) < MOST_COMPLAINTS:
                line = event.start_mark.line + 1
                self.twice.append(f"line {line}: key {json.dumps(key, ensure_ascii=False)} already set in map")
            out[key] = self.build(event, depth + 1)
        return {**merged, **out} if merged else out

    def again(self, anchor: str) -> Any:
        """What an alias stands for, as a value of its own: whoever gets it may change it."""
        if anchor not in self.anchors:
            raise Unreadable(f"yaml: unknown anchor '{anchor}' referenced")
        if (value := self.anchors[anchor]) is _OPEN:
            raise Unreadable(f"yaml: anchor '{anchor}' value contains itself")
        return self.copy(value, 0)

    def copy(self, value: Any, depth: int) -> Any:
        self.nodes += 1
        self.aliased += 1
        if depth > self.max_depth:
            raise Unreadable("yaml: exceeded max depth")
        if self.aliased > 100 and self.nodes > 1000 and self.aliased / self.nodes > _allowed(self.nodes):
            raise Unreadable("yaml: document contains excessive aliasing")
        if isinstance(value, dict):
            self.nodes += len(value)  # the keys
            self.aliased += len(value)
            return {key: self.copy(item, depth + 1) for key, item in value.items()}
        return [self.copy(item, depth + 1) for item in value] if isinstance(value, list) else value


def _allowed(nodes: int) -> float:
    """The share of a document's values that aliases may make, smaller in a large one, as upstream's parser has it."""
    return 0.99 - 0.89 * (min(max(nodes, FEW), MANY) - FEW) / (MANY - FEW)


def _merges(event: Any) -> bool:
    """Whether a key says that other mappings' members are to be taken in."""
    if not isinstance(event, yaml.ScalarEvent):
        return False
    return event.tag == "tag:yaml.org,2002:merge" or (event.value == "<<" and event.tag is None and not event.style)


def scalar(event: Any) -> Any:
    """A scalar's JSON value; quoted and block scalars are strings."""
    text: str = event.value
    if event.tag is None:
        return text if event.style else _resolved(text)
    if event.tag == "tag:yaml.org,2002:binary":
        try:
            return base64.b64decode(text).decode(errors="replace")
        except ValueError:
            raise Unreadable("yaml: !!binary value contains invalid base64 data") from None
    return _resolved(text) if event.tag in RESOLVED else text


def _resolved(text: str) -> Any:
    if text in NULL:
        return None
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    plain = text.replace("_", "")
    found = re.fullmatch(r"([-+]?)(0b[01]+|0x[0-9a-fA-F]+|0o?[0-7]+|0|[1-9][0-9]*)", plain)
    if found and len(plain) < LONGEST_NUMBER:
        digits = found[2]
        octal = len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567o"
        number = int(digits.replace("o", "")[1:] or "0", 8) if octal else int(digits, 0)
        return -number if found[1] == "-" else number
    if _FLOAT.fullmatch(plain):
        value = float(plain)
        return value if value - value == 0 else text
    return text


def _key(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case None:
            return "null"
    raise Unreadable(f"error converting YAML to JSON: unsupported map key of type: {type(value).__name__}")
