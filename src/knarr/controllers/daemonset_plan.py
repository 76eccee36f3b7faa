"""What one pass over a DaemonSet does: `plan` reads a snapshot and decides. Pure; called by `daemonset.sync`.

Keeps true: a node has one pod of the set, or while it surges one of each revision; an update never has more nodes
without an available pod than maxUnavailable, nor more with two than maxSurge.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from knarr.controllers.daemonset_nodes import GENERATION, HASH, Fit, new_pod, target
from knarr.kinds.daemonset import TEMPLATE_GENERATION
from knarr.kinds.pod import is_available, is_finished, is_ready, is_terminating
from knarr.kinds.types.apps_v1 import DaemonSet
from knarr.kinds.types.core_v1 import Pod
from knarr.loop.steps import Create, Delete, Event, Note, Step, Wait
from knarr.meta.percent import share

BURST = 250  #: pods that one pass creates or deletes at most


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A set with what there is of it. `failing` gives the seconds that a node's failed pod still has to stay."""

    set_: DaemonSet
    nodes: Mapping[str, Fit]
    pods: Sequence[Pod]
    hash: str
    now: datetime
    failing: Mapping[str, float]

    def by_node(self) -> dict[str, list[Pod]]:
        """The pods by the node that they are for, those of a node with the one that counts first.

        One that has ended and was deleted is only kept by a finalizer: another may take its place.
        """
        found: dict[str, list[Pod]] = {}
        for pod in self.pods:
            if not (is_finished(pod) and is_terminating(pod)):
                found.setdefault(target(pod), []).append(pod)
        return {node: oldest_first(pods) for node, pods in found.items()}

    def available(self, pod: Pod) -> bool:
        return is_available(pod, self.set_.spec.minReadySeconds or 0, self.now)

    def is_updated(self, pod: Pod) -> bool:
        """Whether the pod is of the newest revision, by its hash or by the counter of old."""
        generation = self.set_.metadata.annotations.get(TEMPLATE_GENERATION)
        same = generation is not None and pod.metadata.labels.get(GENERATION) == generation
        return same or pod.metadata.labels.get(HASH) == self.hash


def oldest_first(pods: Sequence[Pod]) -> list[Pod]:
    """Pods that have a node before those that have none, then by their age."""
    return sorted(pods, key=lambda pod: (not pod.spec.nodeName, pod.metadata.creationTimestamp, pod.metadata.name))


def plan(view: Snapshot) -> list[Step]:
    """This pass's steps: what the nodes call for, or else what an update does next."""
    if view.set_.metadata.deletionTimestamp:
        return []
    by_node = view.by_node()
    steps = list(manage(view, by_node))
    if any(isinstance(step, (Create, Delete)) for step in steps):
        return limited(steps)
    strategy = view.set_.spec.updateStrategy
    if strategy is not None and strategy.type == "OnDelete":
        return steps
    return limited([*steps, *roll(view, by_node)])


def limited(steps: Sequence[Step]) -> list[Step]:
    """The steps with no more creates and deletes than one pass may do, creates first."""
    creates = [step for step in steps if isinstance(step, Create)]
    deletes = [step for step in steps if isinstance(step, Delete)]
    others = [step for step in steps if not isinstance(step, (Create, Delete))]
    return [*others, *creates[:BURST], *deletes[:BURST]]


# What the nodes call for


def manage(view: Snapshot, by_node: Mapping[str, Sequence[Pod]]) -> Iterator[Step]:
    """Have a pod on every node that wants one, and none where none may be."""
    for node, wants in view.nodes.items():
        yield from attend(view, node, wants, by_node.get(node, ()))
    for node, pods in by_node.items():
        if node not in view.nodes:
            yield from (removal(view, pod, "no such node") for pod in pods if not pod.spec.nodeName)


def attend(view: Snapshot, node: str, wants: Fit, pods: Sequence[Pod]) -> Iterator[Step]:
    """What one node calls for."""
    if wants.wants and not pods:
        yield creation(view, node)
    if not wants.keeps:
        yield from (removal(view, pod, "not wanted here") for pod in pods if not is_terminating(pod))
        return
    running = []
    for pod in (pod for pod in pods if not is_terminating(pod)):
        if pod.status.phase == "Failed":
            yield from failed(view, node, pod)
        elif pod.status.phase == "Succeeded":
            name = f"{pod.metadata.namespace}/{pod.metadata.name}"
            message = f"Found succeeded daemon pod {name} on node {node}, will try to delete it"
            yield Event(view.set_, "Normal", "SucceededDaemonPod", message)
            yield removal(view, pod, "succeeded")
        else:
            running.append(pod)
    if not surge(view):
        yield from (removal(view, pod, "another is there") for pod in running[1:])
    else:
        yield from outlived(view, running)


def failed(view: Snapshot, node: str, pod: Pod) -> Iterator[Step]:
    """A pod that failed goes, later each time, and another comes."""
    if (left := view.failing.get(node, 0.0)) > 0:
        yield Wait(pod, f"failed, replaced in {left:.0f} s")
        return
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    message = f"Found failed daemon pod {name} on node {node}, will try to kill it"
    yield Event(view.set_, "Warning", "FailedDaemonPod", message)
    yield removal(view, pod, "failed")


def outlived(view: Snapshot, running: Sequence[Pod]) -> Iterator[Step]:
    """With a surge: of each revision the oldest stays, and the old one goes when it is unready or the new available."""
    new = [pod for pod in running if pod.metadata.labels.get(HASH) == view.hash]
    old = [pod for pod in running if pod not in new]
    yield from (removal(view, pod, "another is there") for pod in (*new[1:], *old[1:]))
    if new and old and (not is_ready(old[0]) or view.available(new[0])):
        yield removal(view, old[0], "outdated")


def creation(view: Snapshot, node: str) -> Create:
    note = Note(view.set_, ("SuccessfulCreate", "Created pod: {name}"), ("FailedCreate", "Error creating: {error}"))
    return Create(new_pod(view.set_, node, view.hash), f"for {node}", note)


def removal(view: Snapshot, pod: Pod, reason: str) -> Delete:
    note = Note(view.set_, ("SuccessfulDelete", "Deleted pod: {name}"), ("FailedDelete", "Error deleting: {error}"))
    return Delete(pod, reason, note)


# An update


def wanted_nodes(view: Snapshot) -> int:
    return sum(wants.wants for wants in view.nodes.values())


def surge(view: Snapshot) -> int:
    """How many nodes may have two pods while they are updated: percentages are of all wanted nodes, rounded up."""
    rolling = view.set_.spec.updateStrategy.rollingUpdate if view.set_.spec.updateStrategy else None
    return share(rolling.maxSurge, wanted_nodes(view), up=True) if rolling else 0


def unavailable(view: Snapshot) -> int:
    """How many nodes may be without an available pod while they are updated."""
    rolling = view.set_.spec.updateStrategy.rollingUpdate if view.set_.spec.updateStrategy else None
    count = share(rolling.maxUnavailable if rolling else 1, wanted_nodes(view), up=True)
    return count if count or surge(view) else 1


def roll(view: Snapshot, by_node: Mapping[str, Sequence[Pod]]) -> list[Step]:
    """One step of a rolling update."""
    return roll_with_surge(view, by_node) if surge(view) else roll_in_place(view, by_node)


def revisions(view: Snapshot, pods: Sequence[Pod]) -> tuple[Pod | None, Pod | None] | None:
    """A node's new and old pod; None when there are more of one than there should be."""
    staying = [pod for pod in pods if not is_terminating(pod)]
    new = [pod for pod in staying if view.is_updated(pod)]
    old = [pod for pod in staying if not view.is_updated(pod)]
    if len(new) > 1 or len(old) > 1:
        return None
    return (new[0] if new else None), (old[0] if old else None)


def roll_in_place(view: Snapshot, by_node: Mapping[str, Sequence[Pod]]) -> list[Step]:
    """Delete outdated pods: all that are unavailable, and as many others as may be missing. Nodes that want no pod any
    more lose theirs so."""
    missing = 0
    broken: list[Pod] = []
    candidates: list[Pod] = []
    for pods in by_node.values():
        pair = revisions(view, pods)
        if pair is None or (pair[0] is None) == (pair[1] is None):
            missing += 1
        elif pair[0] is not None:
            missing += not view.available(pair[0])
        elif pair[1] is not None and view.available(pair[1]):
            candidates.append(pair[1])
        elif pair[1] is not None:
            missing += 1
            broken.append(pair[1])
    spare = max(unavailable(view) - missing, 0)
    return [removal(view, pod, "outdated") for pod in (*broken, *candidates[:spare])]


def roll_with_surge(view: Snapshot, by_node: Mapping[str, Sequence[Pod]]) -> list[Step]:
    """Create new pods beside outdated ones: where the old is unavailable, and on as many others as may have two. Nodes
    that want no pod any more lose theirs, but while they are needed to have as many available as are wanted."""
    doubled = available = 0
    broken: list[str] = []
    candidates: list[str] = []
    spared: list[Pod] = []
    done: list[Step] = []
    for node, pods in by_node.items():
        pair = revisions(view, pods)
        if pair is None:
            doubled += 1
            continue
        new, old = pair
        first = old or new
        available += first is not None and view.available(first)
        if old is None:
            continue
        if new is not None and view.available(new):
            done.append(removal(view, old, "outdated"))
        elif new is not None:
            doubled += 1
        elif view.nodes.get(node, Fit(False, False)).wants:
            (candidates if view.available(old) else broken).append(node)
        elif view.available(old):
            spared.append(old)
        else:
            done.append(removal(view, old, "not wanted here"))
    done += [removal(view, pod, "not wanted here") for pod in spared[: max(available - wanted_nodes(view), 0)]]
    spare = max(surge(view) - doubled, 0)
    return [*done, *(creation(view, node) for node in (*broken, *candidates[:spare]))]
