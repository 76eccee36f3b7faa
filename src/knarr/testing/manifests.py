"""Manifests as a test gives them: YAML of any number of objects, trees, or objects that a builder made."""

from typing import Any

import msgspec

from knarr.client.api import JSON, PATCH_TYPES, Api
from knarr.client.codec import encode
from knarr.client.resource import of_kind
from knarr.kinds.table import BUILTIN
from knarr.meta.errors import AlreadyExists


def trees(manifest: Any) -> list[dict[str, Any]]:
    """The objects of a manifest; what only the server sets is left out of an object that a builder made."""
    if not isinstance(manifest, str):
        tree = msgspec.to_builtins(manifest)
        for field in ("uid", "resourceVersion", "creationTimestamp"):
            tree["metadata"].pop(field, None)
        return [tree]
    import yaml

    from knarr.kinds.yaml_text import LOADER

    return [tree for tree in yaml.load_all(manifest, LOADER) if tree]


async def post(api: Api, tree: dict[str, Any], namespace: str) -> None:
    """Create an object, or merge it into the one of its name; KeyError when there is no such kind."""
    group, _, version = tree["apiVersion"].rpartition("/")
    if (kind := BUILTIN.by_kind(group, version, tree["kind"])) is None:
        raise KeyError(f"no kind {tree['kind']} in {tree['apiVersion']}")
    where = of_kind(kind, kind.type)
    name = tree["metadata"].get("name", "")
    space = tree["metadata"].get("namespace", "") or namespace
    body = encode(tree)
    try:
        await api.raw("POST", where.path(space), body=body, headers={"content-type": JSON})
    except AlreadyExists:
        headers = {"content-type": PATCH_TYPES["merge"]}
        await api.raw("PATCH", where.path(space, name), body=body, headers=headers)
