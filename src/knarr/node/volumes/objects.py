"""configMap and secret: the keys of an object as files."""

import base64
from collections.abc import Mapping, Sequence

from knarr.kinds.types.core_v1 import ConfigMap, KeyToPath, Secret
from knarr.node.volumes.volume import File, VolumeError

DEFAULT_MODE = 0o644


def config_map_data(source: ConfigMap) -> dict[str, bytes]:
    texts = {key: value.encode() for key, value in source.data.items()}
    return texts | {key: base64.b64decode(value) for key, value in source.binaryData.items()}


def secret_data(source: Secret) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in source.data.items()}


def files(
    data: Mapping[str, bytes], items: Sequence[KeyToPath], mode: int | None, *, optional: bool, what: str
) -> dict[str, File]:
    """All keys, or those that `items` name."""
    usual = DEFAULT_MODE if mode is None else mode
    if not items:
        return {key: File(value, usual) for key, value in data.items()}
    out: dict[str, File] = {}
    for item in items:
        if item.key in data:
            out[item.path] = File(data[item.key], usual if item.mode is None else item.mode)
        elif not optional:
            raise VolumeError(f"references non-existent {what} key: {item.key}")
    return out
