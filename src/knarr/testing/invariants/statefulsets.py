"""What a StatefulSet keeps: its order, its bounds and its partition.

Judged by what the controller could know: each pod and the set itself as they were at the moment most favourable to it,
no earlier than `Write.since`.
"""

from collections.abc import Iterator

from knarr.kinds.pod import is_active, is_finished, is_ready, is_terminating, ordinal
from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import Pod
from knarr.testing.invariants.world import World, Write, controller_uid


def order(write: Write, world: World) -> Iterator[str]:
    """An ordered set makes pod n while all before it are ready, and deletes a surplus pod while none after it is."""
    if write.writer != "statefulset" or write.type is not Pod or not (write.created or write.asked_to_go):
        return
    found = [list(_wrong(write, world, set_)) for set_ in sets_of(write, world)]
    if found and all(found):
        yield from found[0]


def _wrong(write: Write, world: World, set_: StatefulSet) -> Iterator[str]:
    pod, start, end = write.obj, first(set_), first(set_) + replicas(set_)
    number = ordinal(pod, set_.metadata.name)
    if number is None:
        return
    if write.created:
        if not start <= number < end:
            yield f"its ordinal is not among {start} to {end - 1}"
        if set_.spec.podManagementPolicy != "Parallel":
            for below in range(start, number):
                if not was_ready(write, world, set_, below):
                    yield f"pod {below} is not ready"
        return
    if start <= number < end:
        if not is_finished(pod) and not any(map(is_finished, known(write, world, set_, number))):
            yield from _wrong_update(set_, number - start)
    elif set_.spec.podManagementPolicy != "Parallel":
        yield from (f"surplus pod {above} is still there" for above in _surplus_above(write, world, set_, number, end))


def _wrong_update(set_: StatefulSet, place: int) -> Iterator[str]:
    strategy = set_.spec.updateStrategy
    if strategy is not None and strategy.type == "OnDelete":
        yield "the strategy is OnDelete"
    rolling = strategy.rollingUpdate if strategy else None
    if place < ((rolling.partition or 0) if rolling else 0):
        yield f"the partition is {rolling.partition if rolling else 0}"


def _surplus_above(write: Write, world: World, set_: StatefulSet, number: int, end: int) -> Iterator[int]:
    for pod in world.owned_by(Pod, set_.metadata.uid):
        above = ordinal(pod, set_.metadata.name)
        if above is not None and above > number and above >= end and not _came_late(write, world, pod):
            yield above


def _came_late(write: Write, world: World, pod: Pod) -> bool:
    """Whether the writer may not know that the pod is the set's: it came or was adopted just now."""
    former = world.versions.get(f"/registry/core/pods/{pod.metadata.namespace}/{pod.metadata.name}", [])
    return any(time >= write.since and (obj is None or not controller_uid(obj)) for time, obj in former)


def sets_of(write: Write, world: World) -> list[StatefulSet]:
    """The pod's set, in every version that the writer may go by, the newest first."""
    uid, meta = controller_uid(write.obj), write.obj.metadata
    names = [owner.name for owner in meta.ownerReferences if owner.controller]
    found = world.known(StatefulSet, meta.namespace, names[0], write.since) if names else iter(())
    return [set_ for set_ in found if set_.metadata.uid == uid]


def known(write: Write, world: World, set_: StatefulSet, number: int) -> Iterator[Pod]:
    name = f"{set_.metadata.name}-{number}"
    return world.known(Pod, set_.metadata.namespace, name, write.since)


def was_ready(write: Write, world: World, set_: StatefulSet, number: int) -> bool:
    return any(
        is_active(pod) and is_ready(pod) and not is_terminating(pod) for pod in known(write, world, set_, number)
    )


def first(set_: StatefulSet) -> int:
    return (set_.spec.ordinals.start or 0) if set_.spec.ordinals else 0


def replicas(set_: StatefulSet) -> int:
    return 1 if set_.spec.replicas is None else set_.spec.replicas
