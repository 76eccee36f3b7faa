"""A DaemonSet has at most one active pod on a node, or while it surges one of each revision, by its own making."""

from collections.abc import Iterator

from knarr.kinds.pod import is_active
from knarr.kinds.types.apps_v1 import DaemonSet
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.testing.invariants.replicas import owners
from knarr.testing.invariants.world import World, Write

HASH = "controller-revision-hash"


def one_a_node(write: Write, world: World) -> Iterator[str]:
    if write.writer != "daemonset" or write.type is not Pod or not write.created:
        return
    found = list(owners(DaemonSet, write, world))
    if not found:
        return
    node = target(write.new)
    if not any(world.known(Node, "", node, write.since)):
        yield f"there is no node {node}"
    there = [pod for pod in world.owned_by(Pod, found[0].metadata.uid) if is_active(pod) and target(pod) == node]
    if any(surges(set_) for set_ in found):
        there = [pod for pod in there if pod.metadata.labels.get(HASH) == write.new.metadata.labels.get(HASH)]
    if len(there) > write.doubts:
        yield f"{there[0].metadata.name} is on {node} already"


def surges(set_: DaemonSet) -> bool:
    rolling = set_.spec.updateStrategy.rollingUpdate if set_.spec.updateStrategy else None
    return rolling is not None and rolling.maxSurge not in (None, 0, "0%")


def target(pod: Pod) -> str:
    """The node that a pod is on or bound for."""
    if pod.spec.nodeName:
        return pod.spec.nodeName
    there = pod.spec.affinity.nodeAffinity if pod.spec.affinity else None
    required = there.requiredDuringSchedulingIgnoredDuringExecution if there else None
    names = [
        requirement.values[0]
        for term in (required.nodeSelectorTerms if required else ())
        for requirement in term.matchFields
        if requirement.key == "metadata.name" and requirement.values
    ]
    return names[0] if names else ""
