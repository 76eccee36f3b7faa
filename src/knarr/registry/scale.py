"""Scale: the number of an object's replicas, read and written as an autoscaling/v1 Scale."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.kind import Scale as Paths
from knarr.kinds.types import autoscaling_v1
from knarr.meta.errors import BadRequest
from knarr.meta.field import wrong
from knarr.registry import pipeline
from knarr.registry.core import Core, Options, not_found
from knarr.registry.entry import Entry, encode, load
from knarr.registry.modify import TRIES, modify
from knarr.registry.patch import Form, patched


def row(scale: autoscaling_v1.Scale, now: datetime) -> tuple[object, ...]:
    """What `kubectl get --subresource=scale` prints."""
    return scale.metadata.name, scale.spec.replicas or 0, scale.status.replicas, cells.age(scale, now)


SCALE = Kind(
    type=autoscaling_v1.Scale,
    group="autoscaling",
    version="v1",
    kind="Scale",
    plural="scales",
    singular="scale",
    columns=(NAME_COLUMN, Column("Desired", "integer"), Column("Available", "integer"), AGE_COLUMN),
    row=row,
)


async def get_scale(core: Core, kind: Kind, namespace: str, name: str) -> Entry:
    """An object's Scale."""
    return _shown(kind, core.find(kind, namespace, name))


async def update_scale(
    core: Core, kind: Kind, namespace: str, name: str, body: Tree, options: Options | None = None
) -> Entry:
    """Set the replicas from a whole Scale."""
    options = options or Options()
    pipeline.read(SCALE, body, options)
    return await _write(core, kind, namespace, name, lambda scale: body, options)


async def patch_scale(
    core: Core, kind: Kind, namespace: str, name: str, form: Form, body: Any, options: Options | None = None
) -> Entry:
    """Set the replicas by patching the Scale. Unlike a whole Scale, a patch makes nobody the owner of the number."""
    options = replace(options or Options(), field_manager="")
    saved = msgspec.json.encode(body)

    def change(scale: Tree) -> Tree:
        new = patched(SCALE, scale, form, msgspec.json.decode(saved))
        pipeline.read(SCALE, new, options)
        if new["metadata"].get("resourceVersion") == scale["metadata"]["resourceVersion"]:
            del new["metadata"]["resourceVersion"]  # the patch did not ask for another one
        return new

    return await _write(core, kind, namespace, name, change, options)


async def _write(core: Core, kind: Kind, namespace: str, name: str, change: Any, options: Options) -> Entry:
    paths = _paths(kind, name)

    def rescale(entry: Entry, before: Tree) -> Tree:
        old = entry.tree()
        scale = change(scale_of(kind, old))
        metadata = scale["metadata"]
        if metadata.get("name") != name:
            raise BadRequest(
                f"the name of the object ({metadata.get('name', '')}) does not match the name on the URL ({name})"
            )
        replicas = scale.get("spec", {}).get("replicas", 0)
        if replicas < 0:
            error = wrong("spec.replicas", replicas, "must be greater than or equal to 0")
            pipeline.check(SCALE, name, [error])
        set_at(old, paths.replicas, replicas)
        old["metadata"]["resourceVersion"] = metadata.get("resourceVersion", "")
        if metadata.get("uid"):
            old["metadata"]["uid"] = metadata["uid"]
        return old

    return _shown(kind, await modify(core, kind, namespace, name, rescale, options, subresource="scale", tries=TRIES))


def scale_of(kind: Kind, tree: Tree) -> Tree:
    """The Scale of an object's tree."""
    paths = _paths(kind, tree["metadata"]["name"])
    metadata = tree["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    spec = {"replicas": replicas} if (replicas := value_at(tree, paths.replicas)) else {}
    status: Tree = {"replicas": value_at(tree, paths.status_replicas) or 0}
    if selector := paths.selector(pipeline.struct(kind, tree)):
        status["selector"] = selector
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": spec,
        "status": status,
    }


def value_at(tree: Tree, path: str) -> Any:
    """What stands at a dotted path; None when nothing does."""
    found: Any = tree
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def set_at(tree: Tree, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        tree = tree.setdefault(key, {})
    tree[last] = value


def _shown(kind: Kind, entry: Entry) -> Entry:
    return load(SCALE, encode(scale_of(kind, entry.tree())), entry.revision)


def _paths(kind: Kind, name: str) -> Paths:
    if kind.scale is None:
        raise not_found(kind, name)
    return kind.scale
