"""What the garbage collector changes on objects: their owner references and the finalizers that ask it for something.

An object that is gone by then is fine. Each change is of the very object that was looked at.
"""

from collections.abc import Sequence
from typing import Any

from knarr.client.api import Api
from knarr.client.resource import Partial, Resource
from knarr.controllers.ownership_graph import without
from knarr.kinds.types.meta_v1 import OwnerReference
from knarr.meta.errors import NotFound, UnsupportedMediaType


async def remove_finalizer(api: Api, resource: Resource[Partial], latest: Partial, name: str) -> None:
    """Take a finalizer off an object that has it."""
    meta = latest.metadata
    if name not in meta.finalizers:
        return
    finalizers = [finalizer for finalizer in meta.finalizers if finalizer != name]
    patch = {"metadata": {"resourceVersion": meta.resourceVersion, "finalizers": finalizers}}
    try:
        await api.patch(resource, meta.name, meta.namespace, patch)
    except NotFound:
        return


async def remove_references(api: Api, resource: Resource[Partial], latest: Partial, uids: set[str]) -> None:
    """Take the references to these owners off an object."""
    gone = [{"$patch": "delete", "uid": uid} for uid in sorted(uids)]
    await _patch_references(api, resource, latest, gone, without(latest.metadata.ownerReferences, uids))


async def unblock(api: Api, resource: Resource[Partial], latest: Partial) -> None:
    """Make an object block none of its owners, so that a circle of foreground deletions opens."""
    blocking = [{"uid": found.uid, "blockOwnerDeletion": False} for found in latest.metadata.ownerReferences]
    references = [_plain(found) | {"blockOwnerDeletion": False} for found in latest.metadata.ownerReferences]
    await _patch_references(api, resource, latest, blocking, references)


async def _patch_references(
    api: Api, resource: Resource[Partial], latest: Partial, changes: Sequence[Any], whole: Sequence[Any]
) -> None:
    """Patch the references by the changes; where the server has no strategy, by the whole list."""
    meta = latest.metadata
    patch: dict[str, Any] = {"metadata": {"uid": meta.uid, "ownerReferences": changes}}
    try:
        try:
            await api.patch(resource, meta.name, meta.namespace, patch, kind="strategic")
        except UnsupportedMediaType:
            patch = {"metadata": {"resourceVersion": meta.resourceVersion, "ownerReferences": whole}}
            await api.patch(resource, meta.name, meta.namespace, patch)
    except NotFound:
        return


def _plain(reference: OwnerReference) -> dict[str, Any]:
    return {name: getattr(reference, name) for name in ("apiVersion", "kind", "name", "uid", "controller")}
