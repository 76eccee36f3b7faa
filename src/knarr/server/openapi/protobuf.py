"""An OpenAPI v2 document in the protobuf form that kubectl up to 1.26 insists on.

Field numbers are those of gnostic's openapi.v2; only what the documents of this package contain is written.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from knarr.meta.varint import varint

Tree = dict[str, Any]
SCHEMA_TEXTS = {"$ref": 1, "format": 2, "description": 4}
METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def encode(document: Tree) -> bytes:
    """The Document message."""
    return b"".join(
        (
            _text(1, document["swagger"]),
            _message(2, _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])),
            _message(8, b"".join(_named(2, path, _path(item)) for path, item in document["paths"].items())),
            _message(9, b"".join(_named(1, name, _schema(s)) for name, s in document["definitions"].items())),
        )
    )


def _schema(schema: Tree) -> bytes:
    out = [_text(number, schema[key]) for key, number in SCHEMA_TEXTS.items() if key in schema]
    out += [_text(19, name) for name in schema.get("required", ())]
    if "additionalProperties" in schema:
        out.append(_message(21, _message(1, _schema(schema["additionalProperties"]))))
    if "type" in schema:
        out.append(_message(22, _text(1, schema["type"])))
    if "items" in schema:
        out.append(_message(23, _message(1, _schema(schema["items"]))))
    if "properties" in schema:
        properties = schema["properties"].items()
        out.append(_message(25, b"".join(_named(1, name, _schema(value)) for name, value in properties)))
    out.append(_extensions(31, schema))
    return b"".join(out)


def _path(item: Tree) -> bytes:
    out = [_message(number, _operation(item[method])) for method, number in METHODS.items() if method in item]
    out += [_message(9, _parameter(parameter)) for parameter in item.get("parameters", ())]
    return b"".join(out)


def _operation(operation: Tree) -> bytes:
    return b"".join(
        (
            _texts(1, operation["tags"]),
            _text(5, operation["operationId"]),
            _texts(6, operation["produces"]),
            _texts(7, operation["consumes"]),
            b"".join(_message(8, _parameter(parameter)) for parameter in operation["parameters"]),
            _message(9, b"".join(_named(1, code, _answer(a)) for code, a in operation["responses"].items())),
            _texts(10, operation["schemes"]),
            _extensions(13, operation),
        )
    )


def _answer(answer: Tree) -> bytes:
    """A ResponseValue that holds a Response."""
    schema = _message(2, _message(1, _schema(answer["schema"]))) if "schema" in answer else b""
    return _message(1, _text(1, answer["description"]) + schema)


def _parameter(parameter: Tree) -> bytes:
    """A ParametersItem that holds a Parameter."""
    if parameter["in"] == "body":
        body = _text(2, "body") + _text(3, "body") + _flag(4, parameter["required"])
        return _message(1, _message(1, body + _message(5, _schema(parameter["schema"]))))
    common = _text(2, parameter["in"]) + _text(4, parameter["name"]) + _flag(1, parameter.get("required", False))
    if parameter["in"] == "query":
        return _message(1, _message(2, _message(3, common + _text(6, parameter["type"]) + _flag(20, True))))
    return _message(1, _message(2, _message(4, common + _text(5, parameter["type"]) + _flag(19, True))))


def _extensions(number: int, tree: Tree) -> bytes:
    """The x- members, their values as YAML, of which JSON is a part."""
    named = ((key, value) for key, value in tree.items() if key.startswith("x-"))
    return b"".join(_named(number, key, _text(2, msgspec.json.encode(value).decode() + "\n")) for key, value in named)


def _named(number: int, name: str, value: bytes) -> bytes:
    return _message(number, _text(1, name) + _message(2, value))


def _texts(number: int, values: Iterable[str]) -> bytes:
    return b"".join(_text(number, value) for value in values)


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode()) if value else b""


def _flag(number: int, value: bool) -> bytes:
    return varint(number << 3) + b"\x01" if value else b""


def _message(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value
