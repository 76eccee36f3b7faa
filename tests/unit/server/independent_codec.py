"""Kubernetes' messages as google.protobuf makes them of `tools/protobuf-fields.json`: a second opinion on the bytes."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = Path(__file__).resolve().parents[3]
FIELD = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "string": FIELD.TYPE_STRING,
    "bytes": FIELD.TYPE_BYTES,
    "bool": FIELD.TYPE_BOOL,
    "int32": FIELD.TYPE_INT32,
    "int64": FIELD.TYPE_INT64,
    "uint32": FIELD.TYPE_UINT32,
    "double": FIELD.TYPE_DOUBLE,
}


def message(name: str, raw: bytes) -> Any:
    """A message of the named type ("k8s.io.api.core.v1.Pod"), parsed; raises DecodeError."""
    found = message_factory.GetMessageClass(pool().FindMessageTypeByName(safe(name)))()
    found.ParseFromString(raw)
    return found


def safe(name: str) -> str:
    """A message's name as protobuf's own checks want it."""
    package, _, last = name.rpartition(".")
    return f"{package.replace('-', '_')}.{last}"


@cache
def table() -> dict[str, Any]:
    """The fields of every message."""
    found: dict[str, Any] = json.loads((ROOT / "tools/protobuf-fields.json").read_text())["messages"]
    return found


@cache
def pool() -> descriptor_pool.DescriptorPool:
    """All messages, in one file."""
    messages = table()
    made = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="all.proto", syntax="proto2")
    nodes: dict[str, Any] = {}
    for name, fields in messages.items():
        add(nested(file, nodes, safe(name)), name, fields, messages)
    made.Add(file)
    return made


def nested(file: Any, nodes: dict[str, Any], name: str) -> Any:
    """The descriptor of a message; what would be its package is a chain of messages around it."""
    if name not in nodes:
        outer, _, last = name.rpartition(".")
        parent = nested(file, nodes, outer).nested_type if outer else file.message_type
        nodes[name] = parent.add(name=last)
    return nodes[name]


def add(descriptor: Any, name: str, fields: list[Any], messages: dict[str, Any]) -> None:
    for number, field, type_, form in fields:
        label = FIELD.LABEL_OPTIONAL if form == "single" else FIELD.LABEL_REPEATED
        if form == "map":
            entry = descriptor.nested_type.add(name=field[0].upper() + field[1:] + "Entry")
            entry.options.map_entry = True
            key, value = type_.removeprefix("map<").removesuffix(">").split(",")
            typed(entry.field.add(name="key", number=1, label=FIELD.LABEL_OPTIONAL), key.strip(), name, messages)
            typed(entry.field.add(name="value", number=2, label=FIELD.LABEL_OPTIONAL), value.strip(), name, messages)
            own = f".{safe(name)}.{entry.name}"
            descriptor.field.add(name=field, number=number, label=label, type=FIELD.TYPE_MESSAGE, type_name=own)
        else:
            typed(descriptor.field.add(name=field, number=number, label=label), type_, name, messages)


def typed(field: Any, type_: str, around: str, messages: dict[str, Any]) -> None:
    type_ = type_.lstrip(".")
    if type_ in SCALARS:
        field.type = SCALARS[type_]
        return
    package = around.rpartition(".")[0]
    field.type = FIELD.TYPE_MESSAGE
    field.type_name = "." + safe(type_ if type_ in messages else f"{package}.{type_}")


def name_of(type_: str) -> str:
    """The message of a type of schema.json."""
    from knarr.kinds import schema

    name = schema.types()[type_]["definition"].replace("io.k8s.", "k8s.io.", 1)
    messages = table()
    return name if name in messages else name.replace(".v1.", ".v1beta1.")
