"""Bodies in Kubernetes' protobuf form, read into trees: newer kubectl and Go clients send their own kinds this way.

Field numbers come from `kinds/types/schema.json`; a field that has none there is skipped, as protobuf skips what it
does not know. Embedded structs are messages of their own here but not in JSON: `EMBEDDED` names those.
"""

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from knarr.kinds import schema
from knarr.meta import clock
from knarr.meta.errors import BadRequest

Tree = dict[str, Any]
Value = int | bytes
MAGIC = b"k8s\x00"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
OPTIONS = "meta_v1.DeleteOptions"
#: fields whose protobuf name is not their JSON name, so that the schema has no number for them
RENAMED = {"authentication_v1.BoundObjectReference": {4: "uid"}}
NAME_ONLY = {1: "name"}
VOLUME_SOURCES = (
    "hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi glusterfs "
    "persistentVolumeClaim rbd flexVolume cinder cephfs flocker downwardAPI fc azureFile configMap vsphereVolume "
    "quobyte azureDisk photonPersistentDisk portworxVolume scaleIO projected storageos csi ephemeral image"
)
PERSISTENT_SOURCES = (
    "gcePersistentDisk awsElasticBlockStore hostPath glusterfs nfs rbd iscsi cinder cephfs fc flocker flexVolume "
    "azureFile vsphereVolume quobyte azureDisk photonPersistentDisk portworxVolume scaleIO local storageos csi"
)
EMBEDDED: dict[str, tuple[int, dict[int, str]]] = {
    "core_v1.Volume": (2, dict(enumerate(VOLUME_SOURCES.split(), 1))),
    "core_v1.PersistentVolumeSpec": (2, dict(enumerate(PERSISTENT_SOURCES.split(), 1))),
    "core_v1.Probe": (1, {1: "exec", 2: "httpGet", 3: "tcpSocket", 4: "grpc"}),
    "networking_v1.IngressRule": (2, {1: "http"}),
    **dict.fromkeys(
        (
            "core_v1.ConfigMapEnvSource",
            "core_v1.ConfigMapKeySelector",
            "core_v1.ConfigMapProjection",
            "core_v1.ConfigMapVolumeSource",
            "core_v1.SecretEnvSource",
            "core_v1.SecretKeySelector",
            "core_v1.SecretProjection",
        ),
        (1, NAME_ONLY),
    ),
}


def read(body: bytes, kind: str) -> Tree:
    """The tree of a body; raise BadRequest when it is none. `kind` is what it ought to be, for the message."""
    if not body.startswith(MAGIC):
        raise BadRequest(f"the object provided is unrecognized (must be of type {kind}): expected protobuf prefix")
    try:
        envelope = dict(_fields(body[len(MAGIC) :]))
        names = {number: _text(value) for number, value in _fields(_bytes(envelope.get(1, b"")))}
        version, named = names.get(1, ""), names.get(2, "")
        raw = _bytes(envelope.get(2, b""))
        type_ = OPTIONS if named == "DeleteOptions" else _types().get((version, named))
        if type_ is None:
            raise BadRequest(f'no kind "{named}" is registered for version "{version}"')
        return {"apiVersion": version, "kind": named, **message(raw, type_)}
    except (IndexError, ValueError, OverflowError, OSError, struct.error) as error:
        raise BadRequest(f"the object provided is unrecognized (must be of type {kind}): {error}") from None


@cache
def _types() -> dict[tuple[str, str], str]:
    """Types by apiVersion and kind."""
    found = {}
    for name, entry in schema.types().items():
        for gvk in entry.get("gvk", ()):
            group, version = gvk["group"], gvk["version"]
            found[f"{group}/{version}" if group else version, gvk["kind"]] = name
    return found


@cache
def _numbers(type_: str) -> dict[int, tuple[str, str, str]]:
    """Of a type, by field number: the field's name, type and format."""
    fields = schema.types()[type_]["fields"]
    found = {
        field["number"]: (name, field["type"], field.get("format", ""))
        for name, field in fields.items()
        if "number" in field
    }
    return found | {number: (name, "str", "") for number, name in RENAMED.get(type_, {}).items()}


def message(raw: bytes, type_: str) -> Tree:
    """One message as a tree."""
    out: Tree = {}
    numbers = _numbers(type_)
    embedded = EMBEDDED.get(type_)
    for number, value in _fields(raw):
        if embedded is not None and number == embedded[0]:
            _embed(out, _bytes(value), embedded[1], type_)
        elif number in numbers:
            name, field_type, form = numbers[number]
            _add(out, name, field_type, form, value)
    return out


def _embed(out: Tree, raw: bytes, names: dict[int, str], type_: str) -> None:
    fields = schema.types()[type_]["fields"]
    for number, value in _fields(raw):
        name = names.get(number, "")
        if name in fields:
            _add(out, name, fields[name]["type"], fields[name].get("format", ""), value)


def _add(out: Tree, name: str, type_: str, form: str, value: Value) -> None:
    if type_.startswith("[]"):
        out.setdefault(name, []).extend(_repeated(type_[2:], form, value))
    elif type_.startswith("{}"):
        entry = dict(_fields(_bytes(value)))
        out.setdefault(name, {})[_text(entry.get(1, b""))] = _value(type_[2:], form, entry.get(2, b""))
    else:
        found = _value(type_, form, value)
        if found is not None:
            out[name] = found


def _repeated(type_: str, form: str, value: Value) -> list[Any]:
    """One element of a list, or several packed numbers."""
    if type_ in ("int", "bool") and isinstance(value, bytes):
        numbers, at = [], 0
        while at < len(value):
            number, at = _varint(value, at)
            numbers.append(_value(type_, form, number))
        return numbers
    return [_value(type_, form, value)]


def _value(type_: str, form: str, value: Value) -> Any:
    match type_:
        case "str":
            return base64.b64encode(_bytes(value)).decode() if form == "byte" else _text(value)
        case "int":
            return _signed(value)
        case "bool":
            return bool(value)
        case "float":
            return struct.unpack("<d", _bytes(value))[0]
        case "Time" | "MicroTime":
            return _time(_bytes(value), micro=type_ == "MicroTime")
        case "Quantity":
            return _text(dict(_fields(_bytes(value))).get(1, b""))
        case "IntOrString":
            parts = dict(_fields(_bytes(value)))
            return _text(parts.get(3, b"")) if parts.get(1) else _signed(parts.get(2, 0))
        case "Object" | "Any":
            import msgspec

            raw = _bytes(dict(_fields(_bytes(value))).get(1, b""))
            return msgspec.json.decode(raw) if raw else None
    if type_.startswith("[]"):
        return [_text(each) for _, each in _fields(_bytes(value))]
    return message(_bytes(value), type_)


def _time(raw: bytes, *, micro: bool) -> str | None:
    parts = dict(_fields(raw))
    seconds = _signed(parts.get(1, 0))
    if not raw:
        return None
    when = datetime.fromtimestamp(seconds, UTC).replace(microsecond=_signed(parts.get(2, 0)) // 1000)
    return clock.micro_timestamp(when) if micro else clock.timestamp(when)


def _fields(raw: bytes) -> Iterator[tuple[int, Value]]:
    """The fields of a message in order; raise ValueError for what is no message."""
    at = 0
    while at < len(raw):
        key, at = _varint(raw, at)
        number, form = key >> 3, key & 7
        if form == VARINT:
            value, at = _varint(raw, at)
            yield number, value
        elif form in (FIXED64, FIXED32, BYTES):
            size, at = _varint(raw, at) if form == BYTES else (8 if form == FIXED64 else 4, at)
            if at + size > len(raw):
                raise ValueError("unexpected EOF")
            yield number, raw[at : at + size]
            at += size
        else:
            raise ValueError(f"illegal wireType {form}")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(raw) or shift > 63:
            raise ValueError("unexpected EOF")
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _signed(value: Value) -> int:
    if isinstance(value, bytes):
        raise ValueError("wrong wireType for an integer")
    return value - (1 << 64) if value >= 1 << 63 else value


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise ValueError("wrong wireType for a message")
    return value


def _text(value: Value) -> str:
    return _bytes(value).decode()
