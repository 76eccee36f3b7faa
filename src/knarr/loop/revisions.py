"""ControllerRevisions: the numbered history of a template. Called by the StatefulSet and DaemonSet controllers.

Names come from a hash of the revision's data (upstream's FNV-1 of the JSON as Go writes it), so equal templates get
equal names here and there: `db-b46d4fcb7`. A name that other data holds already raises the collision count and is tried
again with that in the hash.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace

from knarr.client.api import Api
from knarr.kinds.types.apps_v1 import ControllerRevision
from knarr.kinds.types.core_v1 import PodTemplateSpec
from knarr.kinds.types.meta_v1 import ObjectMeta, OwnerReference
from knarr.meta import clock
from knarr.meta.errors import AlreadyExists

HASH_LABEL = "controller.kubernetes.io/hash"
LONGEST_PREFIX = 223  #: so that a name with its hash is a valid one
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}

Tree = dict[str, Any]


def template_patch(template: PodTemplateSpec) -> Tree:
    """The data of a StatefulSet's or DaemonSet's revision: a patch that brings this template back."""
    return {"spec": {"template": {"$patch": "replace", **to_builtins(template)}}}


def revision_hash(data: Mapping[str, Any], collisions: int | None) -> str:
    """The hash in a revision's name."""
    text = json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    probe = "" if collisions is None else str(collisions)
    return safe(str(fnv1(text.encode() + probe.encode())))


def fnv1(data: bytes) -> int:
    """FNV-1, 32 bits."""
    value = 2166136261
    for byte in data:
        value = value * 16777619 & 0xFFFFFFFF ^ byte
    return value


def safe(text: str) -> str:
    """Text in the alphabet of generated names: no vowels, so no words."""
    return "".join(clock.ALPHABET[ord(character) % len(clock.ALPHABET)] for character in text)


def revision_name(prefix: str, hash_: str) -> str:
    return f"{prefix[:LONGEST_PREFIX]}-{hash_}"


def new_revision(
    owner: Any, data: Tree, number: int, collisions: int, *, labels: Mapping[str, str]
) -> ControllerRevision:
    """A revision of the owner's, with the annotations that the owner has and the template's labels."""
    hash_ = revision_hash(data, collisions)
    meta = owner.metadata
    return ControllerRevision(
        metadata=ObjectMeta(
            name=revision_name(meta.name, hash_),
            namespace=meta.namespace,
            labels={**labels, HASH_LABEL: hash_},
            annotations=dict(meta.annotations),
            ownerReferences=[controller_reference(owner)],
        ),
        data=data,
        revision=number,
    )


def controller_reference(owner: Any) -> OwnerReference:
    """The reference that makes an owner the one that manages an object."""
    return OwnerReference(
        apiVersion=owner.apiVersion,
        kind=owner.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        blockOwnerDeletion=True,
    )


def ordered(history: Iterable[ControllerRevision]) -> list[ControllerRevision]:
    """The history, oldest first."""
    return sorted(
        history, key=lambda found: (found.revision or 0, found.metadata.creationTimestamp, found.metadata.name)
    )


def next_number(history: Iterable[ControllerRevision]) -> int:
    return max((found.revision or 0 for found in history), default=0) + 1


def equal(one: ControllerRevision, other: ControllerRevision) -> bool:
    """Whether two revisions bring the same template back."""
    hashes = {one.metadata.labels.get(HASH_LABEL), other.metadata.labels.get(HASH_LABEL)} - {None}
    return len(hashes) < 2 and one.data == other.data


def equal_to(wanted: ControllerRevision, history: Iterable[ControllerRevision]) -> list[ControllerRevision]:
    """The revisions of a history that are equal to the wanted one, in the history's order."""
    return [found for found in history if equal(found, wanted)]


def surplus(history: Sequence[ControllerRevision], live: Iterable[str], limit: int) -> list[ControllerRevision]:
    """What a history has beyond its limit: the oldest of those that nothing lives on, given by name."""
    names = set(live)
    idle = [found for found in ordered(history) if found.metadata.name not in names]
    return idle[: max(len(idle) - limit, 0)]


async def create_revision(
    api: Api, wanted: ControllerRevision, collisions: int, label: str = ""
) -> tuple[ControllerRevision, int]:
    """Create a revision under a free name, with the name's hash as `label`, if given.

    Give what is on the server, and the collisions counted until then.
    """
    prefix = wanted.metadata.ownerReferences[0].name
    while True:
        hash_ = revision_hash(wanted.data or {}, collisions)
        name = revision_name(prefix, hash_)
        labels = {**wanted.metadata.labels, label: hash_} if label else wanted.metadata.labels
        named = replace(wanted, metadata=replace(wanted.metadata, name=name, labels=labels))
        try:
            return await api.create(named), collisions
        except AlreadyExists:
            found = await api.get(ControllerRevision, name, wanted.metadata.namespace)
            if found.data == wanted.data:
                return found, collisions
            collisions += 1


async def renumber(api: Api, revision: ControllerRevision, number: int) -> ControllerRevision:
    """Make an old revision the newest."""
    if revision.revision == number:
        return revision
    meta = revision.metadata
    return await api.patch(ControllerRevision, meta.name, meta.namespace, {"revision": number})
