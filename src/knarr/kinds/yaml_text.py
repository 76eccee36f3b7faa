"""YAML as sigs.k8s.io/yaml reads and writes it: YAML 1.1's booleans and octals, JSON's types, string keys, no times.

`decode.decode_yaml` calls it with a bound on nesting. Aliases may not blow a document up: expanded, it may not have
more nodes than it has characters (or than a small allowance).
"""

import re
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ALLOWANCE = 10_000  #: nodes that a short document may expand to
LONGEST_NUMBER = 1000  #: characters of a number; Python reads only some thousands of digits

TRUE = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
FALSE = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
NULL = {"", "~", "null", "Null", "NULL"}
NO_FOLD = 1 << 30  #: columns after which a long line is broken

_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class Unreadable(Exception):
    """The text is no YAML that may come in; worded as upstream words it."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes plain values so that `load` reads them back as they were."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    style = None
    if "\n" in value:
        style = "|"
    elif _plain_word(value):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> bytes:
    """A JSON value as a YAML document, its keys sorted."""
    text: bytes = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=True,
        width=NO_FOLD,
        allow_unicode=True,
        encoding="utf-8",
    )
    return text


def load(text: str, max_depth: int) -> tuple[Any, list[str]]:
    """The first document's value, and the paths of keys that occur twice."""
    try:
        _check_depth(text, max_depth)
        loader = LOADER(text)
        try:
            node = loader.get_node() if loader.check_node() else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        if isinstance(error, yaml.scanner.ScannerError) and line:
            line += 1
        raise Unreadable(f"yaml: {f'line {line}: ' if line else ''}{error.problem}") from error
    except yaml.YAMLError as error:
        raise Unreadable(f"yaml: {error}".splitlines()[0]) from error
    builder = _Builder(max(len(text), ALLOWANCE), max_depth)
    return (builder.build(node, "", 0) if node else None), builder.duplicates


def _check_depth(text: str, max_depth: int) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth > max_depth:
                raise Unreadable("yaml: exceeded max depth")
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        elif isinstance(event, yaml.DocumentEndEvent):
            return


class _Builder:
    """Makes JSON values of one document's nodes."""

    def __init__(self, most: int, max_depth: int) -> None:
        self.left = most
        self.max_depth = max_depth
        self.duplicates: list[str] = []

    def build(self, node: yaml.Node, path: str, depth: int) -> Any:
        self.left -= 1
        if self.left < 0 or depth > self.max_depth:
            raise Unreadable("yaml: document contains excessive aliasing")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(node.value)]
        return scalar(node)

    def mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                sources = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for source in sources:
                    value = self.build(source, path, depth + 1)
                    merged = {**value, **merged} if isinstance(value, dict) else merged
                continue
            key = _key(self.build(key_node, path, depth + 1))
            at = f"{path}.{key}" if path else key
            if key in out and at not in self.duplicates:
                self.duplicates.append(at)
            out[key] = self.build(value_node, at, depth + 1)
        return {**merged, **out} if merged else out


def scalar(node: Any) -> Any:
    """A scalar's JSON value; quoted and block scalars are strings."""
    text: str = node.value
    if node.style or (node.tag == "tag:yaml.org,2002:str" and not _plain_word(text)):
        return text
    return _resolved(text)


def _plain_word(text: str) -> bool:
    """Whether a plain scalar that PyYAML takes for a string is none in upstream's eyes: y, n, 1e3."""
    return text in ("y", "Y", "n", "N") or _FLOAT.fullmatch(text) is not None


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
