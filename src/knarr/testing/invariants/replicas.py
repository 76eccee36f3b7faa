"""Equal pods: a ReplicaSet or ReplicationController never has more active pods than it wants, by its own making.

Strict even under stale caches: what the controller itself made it must remember. Only creations without an answer
(`Write.doubts`) it cannot count, as upstream's cannot. It deletes only while it may believe that there are too many.
"""

from collections.abc import Iterator
from typing import Any

from knarr.kinds.pod import is_active
from knarr.kinds.types.apps_v1 import ReplicaSet
from knarr.kinds.types.core_v1 import Pod, ReplicationController
from knarr.testing.invariants.world import World, Write, controller_uid, key_of

OWNERS: dict[str, type[Any]] = {"replicaset": ReplicaSet, "replicationcontroller": ReplicationController}


def number(write: Write, world: World) -> Iterator[str]:
    type_ = OWNERS.get(write.writer)
    if type_ is None or write.type is not Pod or not (write.created or write.asked_to_go):
        return
    wanted = [replicas(owner) for owner in owners(type_, write, world)]
    if not wanted:
        return
    pods = [pod for pod in world.owned_by(Pod, controller_uid(write.obj)) if is_active(pod)]
    if write.created and len(pods) + 1 > max(wanted) + write.doubts:
        yield f"{max(wanted)} pods are wanted, and {len(pods)} are there"
    if write.asked_to_go:
        gone = sum(_was_active(pod, write, world) for pod in _others(pods, write, world))
        if len(pods) + gone <= min(wanted):
            yield f"{min(wanted)} pods are wanted, and no more than {len(pods) + gone} can seem to be there"


def owners(type_: type[Any], write: Write, world: World) -> Iterator[Any]:
    """The pod's owner in every version that the writer may go by."""
    uid, meta = controller_uid(write.obj), write.obj.metadata
    for reference in meta.ownerReferences:
        if reference.controller:
            found = world.known_at(key_of(type_, meta.namespace, reference.name), write.since)
            yield from (owner for owner in found if owner.metadata.uid == uid)


def replicas(owner: Any) -> int:
    return 1 if owner.spec.replicas is None else int(owner.spec.replicas)


def _others(pods: list[Pod], write: Write, world: World) -> Iterator[str]:
    """The keys of pods of this owner that are not active now."""
    active, uid = {pod.metadata.uid for pod in pods}, controller_uid(write.obj)
    for key, versions in world.versions.items():
        if key.startswith("/registry/core/pods/") and versions and versions[-1][0] >= write.since:
            former = next((obj for _, obj in reversed(versions) if obj is not None), None)
            if former is not None and former.metadata.uid not in active and controller_uid(former) == uid:
                yield key


def _was_active(key: str, write: Write, world: World) -> bool:
    return any(is_active(pod) for pod in world.known_at(key, write.since))
