"""ConfigMap: plain configuration by key."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from knarr.kinds.types.core_v1 import ConfigMap, Secret
from knarr.meta import field, names
from knarr.meta.field import FieldError, at_key

LARGEST = 1024 * 1024  #: bytes of all values


def validate(config: ConfigMap) -> Iterator[FieldError]:
    yield from keys(config.data, "data")
    for key in config.data:
        if key in config.binaryData:
            yield field.wrong(at_key("data", key), key, "duplicate of key present in binaryData")
    yield from keys(config.binaryData, "binaryData")
    binary = sum(decoded_size(value) for value in config.binaryData.values())
    if binary + sum(len(value.encode()) for value in config.data.values()) > LARGEST:
        yield field.too_long("", LARGEST)


def keys(given: Iterable[str], path: str) -> Iterator[FieldError]:
    """Keys become file names."""
    for key in given:
        yield from rules.wrong(at_key(path, key), key, names.config_key_errors(key))


def decoded_size(text: str) -> int:
    """How many bytes a base64 text stands for."""
    return len(text) // 4 * 3 - text[-2:].count("=")


def frozen(new: ConfigMap | Secret, old: ConfigMap | Secret, *fields: str) -> Iterator[FieldError]:
    """What was made immutable stays so, and its contents with it."""
    if not old.immutable:
        return
    message = "field is immutable when `immutable` is set"
    if not new.immutable:
        yield field.forbidden("immutable", message)
    for name in fields:
        if getattr(new, name) != getattr(old, name):
            yield field.forbidden(name, message)


def validate_update(new: ConfigMap, old: ConfigMap) -> Iterator[FieldError]:
    yield from frozen(new, old, "data", "binaryData")
    yield from validate(new)


def row(config: ConfigMap, now: datetime) -> Sequence[object]:
    return config.metadata.name, len(config.data) + len(config.binaryData), cells.age(config, now)


KIND = Kind(
    type=ConfigMap,
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    singular="configmap",
    short_names=("cm",),
    validate=validate,
    validate_update=validate_update,
    columns=(NAME_COLUMN, Column("Data"), AGE_COLUMN),
    row=row,
)
