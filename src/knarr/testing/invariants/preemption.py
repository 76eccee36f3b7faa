"""The scheduler has a pod go only for a more important one for which the node is written down before."""

from collections.abc import Iterator

from knarr.kinds.types.core_v1 import Pod
from knarr.testing.invariants.world import World, Write, key_of

SCHEDULER = "scheduler"


def preempted(write: Write, world: World) -> Iterator[str]:
    pod = write.old
    if write.type is not Pod or write.writer != SCHEDULER or not write.asked_to_go:
        return
    folder = key_of(Pod, pod.metadata.namespace, "")
    keys = {key for key in (*world.objects, *world.versions) if key.startswith(folder)}
    if not any(makes_room_for(other, pod) for key in keys for other in world.known_at(key, write.since)):
        yield f"{pod.metadata.name} goes for nobody who is more important and nominated to {pod.spec.nodeName}"


def makes_room_for(other: Pod, pod: Pod) -> bool:
    """Whether the other is more important and nominated to the pod's node, or to any while that is not known yet."""
    node = other.status.nominatedNodeName
    return (other.spec.priority or 0) > (pod.spec.priority or 0) and node != "" and pod.spec.nodeName in ("", node)
