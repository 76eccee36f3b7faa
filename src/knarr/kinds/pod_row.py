"""How `kubectl get pods` shows a pod: the STATUS word, what is ready, restarts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column
from knarr.kinds.types.core_v1 import Container, ContainerState, ContainerStatus, Pod

COLUMNS = (
    NAME_COLUMN,
    Column("Ready"),
    Column("Status"),
    Column("Restarts"),
    AGE_COLUMN,
    Column("IP", priority=1),
    Column("Node", priority=1),
    Column("Nominated Node", priority=1),
    Column("Readiness Gates", priority=1),
)

FINISHED = ("Succeeded", "Failed")
NODE_LOST = "NodeLost"  #: status.reason of a pod whose node went silent
EMPTY = ContainerState()


@dataclass
class Summary:
    """What one look over the containers' statuses adds up to."""

    word: str
    ready: int = 0
    restarts: int = 0
    restarted: str = ""  #: the time of the last restart, as a timestamp

    def count(self, status: ContainerStatus) -> None:
        self.restarts += status.restartCount
        last = status.lastState.terminated if status.lastState else None
        self.restarted = max(self.restarted, last.finishedAt if last else "")


def row(pod: Pod, now: datetime) -> Sequence[object]:
    """The cells of one pod, wide ones too."""
    seen = summary(pod)
    sidecars = sum(is_sidecar(c) for c in pod.spec.initContainers)
    restarts = str(seen.restarts)
    if seen.restarts and seen.restarted:
        restarts = f"{seen.restarts} ({cells.since(seen.restarted, now)} ago)"
    return (
        pod.metadata.name,
        f"{seen.ready}/{len(pod.spec.containers) + sidecars}",
        seen.word,
        restarts,
        cells.age(pod, now),
        (pod.status.podIPs[0].ip if pod.status.podIPs else "") or cells.NONE,
        pod.spec.nodeName or cells.NONE,
        pod.status.nominatedNodeName or cells.NONE,
        readiness_gates(pod),
    )


def is_sidecar(container: Container | None) -> bool:
    """An init container that keeps running beside the others."""
    return container is not None and container.restartPolicy == "Always"


def summary(pod: Pod) -> Summary:
    """The STATUS word and the counts beside it."""
    word = pod.status.reason or pod.status.phase
    if any(c.type == "PodScheduled" and c.reason == "SchedulingGated" for c in pod.status.conditions):
        word = "SchedulingGated"
    seen = initializing(pod, word)
    if seen is None:
        seen = running(pod, word)
    if pod.metadata.deletionTimestamp:
        if pod.status.reason == NODE_LOST:
            seen.word = "Unknown"
        elif pod.status.phase not in FINISHED:
            seen.word = "Terminating"
    return seen


def initializing(pod: Pod, word: str) -> Summary | None:
    """What a pod shows whose init containers are still at work; None when they are through."""
    containers = {c.name: c for c in pod.spec.initContainers}
    seen = Summary(word)
    for index, status in enumerate(pod.status.initContainerStatuses):
        seen.count(status)
        if passed(status, containers.get(status.name)):
            seen.ready += status.started is True and status.ready and is_sidecar(containers.get(status.name))
            continue
        if any(c.type == "Initialized" and c.status == "True" for c in pod.status.conditions):
            return None
        seen.word = "Init:" + (init_reason(status) or f"{index}/{len(pod.spec.initContainers)}")
        return seen
    return None


def passed(status: ContainerStatus, container: Container | None) -> bool:
    """Whether the next init container's turn has come: this one ended well, or is a sidecar that has started."""
    ended = (status.state or EMPTY).terminated
    if ended is not None and ended.exitCode == 0:
        return True
    return is_sidecar(container) and status.started is True


def init_reason(status: ContainerStatus) -> str:
    state = status.state or EMPTY
    if state.terminated is not None:
        if state.terminated.reason:
            return state.terminated.reason
        if state.terminated.signal:
            return f"Signal:{state.terminated.signal}"
        return f"ExitCode:{state.terminated.exitCode}"
    if state.waiting is not None and state.waiting.reason != "PodInitializing":
        return state.waiting.reason
    return ""


def running(pod: Pod, word: str) -> Summary:
    """What a pod shows once its init containers are through; of those only sidecars still count."""
    seen = Summary(word)
    sidecars = {c.name for c in pod.spec.initContainers if is_sidecar(c)}
    for status in pod.status.initContainerStatuses:
        if status.name in sidecars:
            seen.count(status)
            ended = (status.state or EMPTY).terminated
            seen.ready += status.ready and status.started is True and not (ended and ended.exitCode == 0)
    any_running = False
    for status in reversed(pod.status.containerStatuses):
        seen.count(status)
        if reason := container_reason(status.state or EMPTY):
            seen.word = reason
        elif status.ready and (status.state or EMPTY).running is not None:
            any_running = True
            seen.ready += 1
    if seen.word == "Completed" and any_running:
        ready = any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)
        seen.word = "Running" if ready else "NotReady"
    return seen


def container_reason(state: ContainerState) -> str:
    """Why a container does not run; "" when it does, or when nothing is known."""
    if state.waiting is not None and state.waiting.reason:
        return state.waiting.reason
    if state.terminated is None:
        return ""
    if state.terminated.reason:
        return state.terminated.reason
    if state.terminated.signal:
        return f"Signal:{state.terminated.signal}"
    return f"ExitCode:{state.terminated.exitCode}"


def readiness_gates(pod: Pod) -> str:
    """How many of the readiness gates are open: "1/2"."""
    if not pod.spec.readinessGates:
        return cells.NONE
    true = {c.type for c in pod.status.conditions if c.status == "True"}
    met = sum(gate.conditionType in true for gate in pod.spec.readinessGates)
    return f"{met}/{len(pod.spec.readinessGates)}"
