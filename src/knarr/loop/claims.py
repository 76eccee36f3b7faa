"""Ownership: which objects an owner manages, by its selector and the objects' references. Workload controllers call it.

An owner adopts what matches and has no controller, and releases what no longer matches. Before the first adoption it
looks at itself on the server, so that an owner that was deleted, or deleted and made anew, adopts nothing; every patch
names the object's uid, so that it never touches another object of the same name.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, TypeVar

from knarr.client.api import Api
from knarr.kinds.types.base import Type
from knarr.kinds.types.meta_v1 import OwnerReference
from knarr.loop.revisions import controller_reference
from knarr.meta.errors import Conflict, Invalid, NotFound

T = TypeVar("T", bound=Type)


ORPHANS = "orphans"  #: the index of objects that nobody manages, by namespace


def orphaned_in(obj: Any) -> Iterable[str]:
    """The namespace of an object that nobody manages."""
    return () if controller_of(obj) is not None else (obj.metadata.namespace,)


class Claim(Enum):
    """What an owner does about an object."""

    OWN = "own"
    ADOPT = "adopt"
    RELEASE = "release"
    IGNORE = "ignore"


def controller_of(obj: Any) -> OwnerReference | None:
    """The reference to the owner that manages the object."""
    for owner in obj.metadata.ownerReferences:  # no generator: asked of every pod in every pass
        if owner.controller:
            return owner  # type: ignore[no-any-return]  # obj is of any kind
    return None


def claim_on(owner: Any, obj: Any, matches: bool) -> Claim:
    """Decide about one object; `matches` says whether the owner's selector selects it."""
    reference = controller_of(obj)
    ours = reference is not None and reference.uid == owner.metadata.uid
    if ours and matches:
        return Claim.OWN
    if owner.metadata.deletionTimestamp:
        return Claim.IGNORE
    if ours:
        return Claim.RELEASE
    free = reference is None and not obj.metadata.deletionTimestamp
    return Claim.ADOPT if free and matches else Claim.IGNORE


async def claim(
    api: Api, owner: Any, objects: Iterable[T], matches: Callable[[T], bool], finalizers: Sequence[str] = ()
) -> list[T]:
    """Adopt and release as need be; give the objects that the owner manages now, in the order given.

    `finalizers` are those that the owner keeps on its objects: they come and go with the reference.
    """
    owned: list[T] = []
    sure = False
    for obj in objects:
        if (decision := claim_on(owner, obj, matches(obj))) is Claim.OWN:
            owned.append(obj)
        elif decision is Claim.RELEASE:
            await release(api, owner, obj, finalizers)
        elif decision is Claim.ADOPT:
            if not sure:
                await ensure_alive(api, owner)
                sure = True
            if (adopted := await adopt(api, owner, obj, finalizers)) is not None:
                owned.append(adopted)
    return owned


async def ensure_alive(api: Api, owner: Any) -> None:
    """Raise Conflict unless the owner, on the server, is this very object and not being deleted."""
    meta = owner.metadata
    fresh: Any = await api.get(type(owner), meta.name, meta.namespace)
    if fresh.metadata.uid != meta.uid:
        raise Conflict(
            f"original {owner.kind} {meta.namespace}/{meta.name} is gone: "
            f"got uid {fresh.metadata.uid}, wanted {meta.uid}"
        )
    if fresh.metadata.deletionTimestamp:
        raise Conflict(f"{meta.namespace}/{meta.name} has just been deleted at {fresh.metadata.deletionTimestamp}")


async def adopt(api: Api, owner: Any, obj: T, finalizers: Sequence[str] = ()) -> T | None:
    """Make the owner the object's controller; None when the object is gone."""
    meta = _meta(obj)
    changes: dict[str, Any] = {"uid": meta.uid, "ownerReferences": [controller_reference(owner)]}
    if finalizers:
        changes["finalizers"] = [*finalizers]
    try:
        return await api.patch(type(obj), meta.name, meta.namespace, {"metadata": changes}, kind="strategic")
    except NotFound:
        return None


async def release(api: Api, owner: Any, obj: Type, finalizers: Sequence[str] = ()) -> None:
    """Take the owner's reference off the object; one that is gone or released already is fine."""
    meta = _meta(obj)
    reference = {"$patch": "delete", "uid": owner.metadata.uid}
    changes: dict[str, Any] = {"uid": meta.uid, "ownerReferences": [reference]}
    if finalizers:
        changes["$deleteFromPrimitiveList/finalizers"] = [*finalizers]
    try:
        await api.patch(type(obj), meta.name, meta.namespace, {"metadata": changes}, kind="strategic")
    except (NotFound, Invalid):
        return


def _meta(obj: Any) -> Any:
    return obj.metadata
