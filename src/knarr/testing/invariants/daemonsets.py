"""A DaemonSet has at most one active pod on a node, or while it surges one of each revision, by its own making; and an
update leaves no more nodes without a ready pod, or with two, than its strategy says.

Each pod counts as it was at the moment most favourable to the controller, no earlier than `Write.since`.
"""

from collections.abc import Iterator

from knarr.kinds.pod import is_active, is_ready
from knarr.kinds.types.apps_v1 import DaemonSet
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.meta.percent import share
from knarr.testing.invariants.replicas import owners
from knarr.testing.invariants.world import World, Write, key_of

HASH = "controller-revision-hash"
SILENT = ("node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready")


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
        there = [pod for pod in there if _alike(pod, write.new)]
    if len(there) > write.doubts:
        yield f"{there[0].metadata.name} is on {node} already"


def bounds(write: Write, world: World) -> Iterator[str]:
    """An update takes no more nodes' pods away, and doubles no more, than it may."""
    if write.writer != "daemonset" or write.type is not Pod or not (write.created or write.asked_to_go):
        return
    wrong = [
        list((_too_many_doubled if surges(each) else _too_many_down)(write, world, each))
        for each in owners(DaemonSet, write, world)
    ]
    if wrong and all(wrong):
        yield from wrong[0]


def _too_many_down(write: Write, world: World, set_: DaemonSet) -> Iterator[str]:
    """Without a surge: the pod that goes was ready, alone on its node, and the node is still there."""
    there, node = _by_node(write, world, set_), target(write.obj)
    nodes = [each.metadata.name for each in world.all(Node)]
    alone = [pod for pod in there.get(node, []) if pod.metadata.uid != write.obj.metadata.uid] == []
    seemed_broken = any(not is_ready(pod) or not is_active(pod) for pod in world.known_at(write.key, write.since))
    if not write.asked_to_go or node not in nodes or not alone or seemed_broken:
        return
    others = [other for other in nodes if other != node and _wants(write, world, other)]
    down = [other for other in others if not _was_ready(write, world, there.get(other, []))]
    rolling = set_.spec.updateStrategy.rollingUpdate if set_.spec.updateStrategy else None
    most = max(1, share(rolling.maxUnavailable, len(nodes), up=True) if rolling else 1)
    if len(down) + 1 > most:
        yield f"{most} nodes may be without a ready pod, and {down} are"


def _too_many_doubled(write: Write, world: World, set_: DaemonSet) -> Iterator[str]:
    """With a surge: the pod that comes joins one that is ready. One that joins a pod that is not may always come, and
    its node does not count."""
    if not write.created or set_.spec.updateStrategy is None or set_.spec.updateStrategy.rollingUpdate is None:
        return
    there, node = _by_node(write, world, set_), target(write.obj)
    if not there.get(node) or not _surely_ready(write, world, there[node]):
        return
    doubled = [
        other
        for other, pods in there.items()
        if other != node
        and len({pod.metadata.labels.get(HASH) for pod in pods}) > 1
        and not all(_was_ready(write, world, [pod]) for pod in pods)
        and _surely_ready(write, world, [pod for pod in pods if not _alike(pod, write.new)])
    ]
    most = share(set_.spec.updateStrategy.rollingUpdate.maxSurge, len(world.all(Node)), up=True)
    if len(doubled) + 1 > most + write.doubts:
        yield f"{most} nodes may have two pods, and {doubled} do"


def _alike(pod: Pod, other: Pod) -> bool:
    return pod.metadata.labels.get(HASH) == other.metadata.labels.get(HASH)


def _wants(write: Write, world: World, node: str) -> bool:
    """Whether a pod could come to the node at every moment that the writer may go by: none does to a silent one."""
    return not any(
        taint.key in SILENT and taint.effect == "NoSchedule"
        for known in world.known(Node, "", node, write.since)
        for taint in known.spec.taints
    )


def _by_node(write: Write, world: World, set_: DaemonSet) -> dict[str, list[Pod]]:
    """The set's active pods by their nodes."""
    found: dict[str, list[Pod]] = {}
    for pod in world.owned_by(Pod, set_.metadata.uid):
        if is_active(pod):
            found.setdefault(target(pod), []).append(pod)
    return found


def _known(write: Write, world: World, pod: Pod) -> Iterator[Pod]:
    return world.known_at(key_of(Pod, pod.metadata.namespace, pod.metadata.name), write.since)


def _was_ready(write: Write, world: World, pods: list[Pod]) -> bool:
    """Whether one of them was ready at a moment that the writer may go by."""
    return any(is_ready(known) for pod in pods for known in _known(write, world, pod))


def _surely_ready(write: Write, world: World, pods: list[Pod]) -> bool:
    """Whether all of them were ready at every moment that the writer may go by."""
    return all(is_ready(known) for pod in pods for known in _known(write, world, pod))


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
