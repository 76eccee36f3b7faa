"""The status a pod's worker writes: phase, conditions and container statuses, worded as the kubelet words them.

Everything is computed from the pod, what the runtime shows and what the agent remembers; nothing is counted along
the way. What the runtime no longer knows is taken from the previous status.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from knarr.kinds.pod import DISRUPTION_TARGET, disrupted
from knarr.kinds.types.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
)
from knarr.meta import clock
from knarr.node import conditions, refusals
from knarr.node.memory import Memory, Reason
from knarr.node.pod import OVERDUE, ending, everyone, newest, overdue_at, sidecar
from knarr.node.runtimes import runtime
from knarr.node.runtimes.runtime import PodSandbox

LOST = "ContainerStatusUnknown"
ENDS = ("Succeeded", "Failed")
EPOCH = "1970-01-01T00:00:00Z"  #: when what never started did so


def pod_status(
    pod: Pod, sandbox: PodSandbox | None, memory: Memory, now: float, node_ips: Sequence[str], runtime_name: str
) -> PodStatus:
    """The whole new status; fields and conditions the kubelet does not own stay as they are."""
    terminal = ending(pod, sandbox, memory, now)
    containers = [container_status(pod, each, sandbox, memory, runtime_name, terminal) for each in pod.spec.containers]
    initial = [container_status(pod, each, sandbox, memory, runtime_name, terminal) for each in pod.spec.initContainers]
    overdue = (deadline := overdue_at(pod)) is not None and deadline <= now
    reached = "Failed" if overdue or memory.evicted else phase(pod, containers, initial, terminal)
    if pod.status.phase in ENDS:
        reached = pod.status.phase
    held = reached in ENDS and pod.status.phase not in ENDS and could_run(sandbox, memory)
    ips = addresses(pod, sandbox, node_ips)
    status = replace(
        pod.status,
        phase=(pod.status.phase or "Pending") if held else reached,
        containerStatuses=containers,
        initContainerStatuses=initial,
        ephemeralContainerStatuses=[
            container_status(pod, everyone(pod)[each.name], sandbox, memory, runtime_name, terminal)
            for each in pod.spec.ephemeralContainers
        ],
        hostIP=node_ips[0],
        hostIPs=[HostIP(ip=ip) for ip in node_ips],
        podIP=ips[0] if ips else "",
        podIPs=[PodIP(ip=ip) for ip in ips],
        startTime=pod.status.startTime or clock.stamp(now),
        observedGeneration=pod.metadata.generation,
    )
    if overdue and not held and pod.status.phase != "Failed":
        status = replace(status, reason=OVERDUE.reason, message=OVERDUE.message)
    if memory.evicted and not held and pod.status.phase not in ENDS:
        status = replace(status, reason="Evicted", message=memory.evicted, conditions=evicted(pod, memory.evicted, now))
    if (refusal := refusals.told(pod, memory)) is not None:
        reason, message = refusal.reason, f"Pod was rejected: {refusal.message}"
        status = replace(status, reason=reason, message=message, containerStatuses=[], initContainerStatuses=[])
    ready = sandbox is not None and sandbox.state == "ready"
    reached_it = replace(status, phase=reached) if held else status
    return replace(status, conditions=conditions.conditions(pod, reached_it, ready, now))


def evicted(pod: Pod, why: str, now: float) -> list[PodCondition]:
    """The conditions of a pod that its node puts an end to."""
    others = [each for each in pod.status.conditions if each.type != DISRUPTION_TARGET]
    return [*others, disrupted(pod, "TerminationByKubelet", why, datetime.fromtimestamp(now, UTC))]


def could_run(sandbox: PodSandbox | None, memory: Memory) -> bool:
    """Whether processes of the pod may be left. While they may, no status says that the pod has ended: whoever reads
    that it has may delete it at once, and start another of its name elsewhere."""
    return memory.starting or (sandbox is not None and not memory.stopped)


def addresses(pod: Pod, sandbox: PodSandbox | None, node_ips: Sequence[str]) -> list[str]:
    """The pod's addresses, first the primary; the last known ones once it has ended."""
    if pod.spec.hostNetwork:
        return list(node_ips) if sandbox or pod.status.podIP else []
    if sandbox is not None and sandbox.ip:
        return list(sandbox.ips or (sandbox.ip,))
    return [each.ip for each in pod.status.podIPs]


# ---------------------------------------------------------------- containers


def container_status(
    pod: Pod, container: Container, sandbox: PodSandbox | None, memory: Memory, runtime_name: str, terminal: bool
) -> ContainerStatus:
    """One container as the API shows it."""
    old = next((each for each in known_statuses(pod) if each.name == container.name), None)
    current = newest(sandbox).get(container.name)
    if current is None:
        return unseen(pod, container, old, memory, terminal)
    previous = before(sandbox, current)
    state, last = api_state(current, runtime_name, memory), previous and api_state(previous, runtime_name, memory)
    waiting = memory.waiting.get(container.name)
    if waiting is None and current.id in memory.replaced:
        waiting = Reason("ContainerCreating")  # where nothing is restarted, no status may go back from an end
    if waiting and current.state == "exited" and not terminal:
        state, last = waits(waiting.reason, waiting.message), state
    running = current.state == "running"
    started = running and current.id in memory.started
    if container in pod.spec.initContainers and not sidecar(container):
        ready = current.state == "exited" and current.exit_code == 0
        started = started and running
    else:
        ready = started and current.id in memory.ready
    same = old is not None and old.containerID.endswith(current.id)
    resources = old.resources if old is not None and same else container.resources  # those it was started with
    return ContainerStatus(
        name=container.name,
        image=current.image or container.image,
        imageID=current.image_id,
        containerID=f"{runtime_name}://{current.id}",
        restartCount=current.attempt,
        state=state,
        lastState=last or (old.lastState if old and old.containerID.endswith(current.id) else None) or ContainerState(),
        ready=ready,
        started=started,
        resources=resources,
        allocatedResources=dict(resources.requests) if resources else {},
        volumeMounts=old.volumeMounts if old else [],
    )


def known_statuses(pod: Pod) -> list[ContainerStatus]:
    status = pod.status
    return [*status.initContainerStatuses, *status.containerStatuses, *status.ephemeralContainerStatuses]


def unseen(
    pod: Pod, container: Container, old: ContainerStatus | None, memory: Memory, terminal: bool
) -> ContainerStatus:
    """A container the runtime does not have: never started, or lost with the sandbox."""
    if old and old.state and old.state.terminated and (terminal or container.name not in memory.waiting):
        return replace(old, ready=old.ready and not terminal, started=False)
    if old and old.state and old.state.running and terminal:
        lost = ContainerStateTerminated(
            exitCode=137,
            reason=LOST,
            message="The container could not be located when the pod was terminated",
        )
        return replace(old, ready=False, started=False, state=ContainerState(terminated=lost))
    waiting = memory.waiting.get(container.name)
    reason = waiting.reason if waiting else ("PodInitializing" if pod.spec.initContainers else "ContainerCreating")
    return ContainerStatus(
        name=container.name,
        image=container.image,
        restartCount=old.restartCount if old else 0,
        lastState=(old.lastState if old else None) or ContainerState(),
        state=waits(reason, waiting.message if waiting else ""),
        started=False,
    )


def before(sandbox: PodSandbox | None, current: runtime.ContainerState) -> runtime.ContainerState | None:
    """The attempt before the current one."""
    if not current.attempt:
        return None
    earlier = [
        each
        for each in (sandbox.containers if sandbox else ())
        if each.name == current.name and each.attempt < current.attempt
    ]
    return max(earlier, key=lambda each: each.attempt, default=None)


def api_state(state: runtime.ContainerState, runtime_name: str, memory: Memory) -> ContainerState:
    if state.state == "running":
        return ContainerState(running=ContainerStateRunning(startedAt=moment(state.started)))
    if state.state == "created":
        return waits("ContainerCreating", "")
    reason = state.reason or ("Completed" if state.exit_code == 0 else "Error")
    return ContainerState(
        terminated=ContainerStateTerminated(
            exitCode=state.exit_code,
            signal=state.signal or None,
            reason=reason,
            message=state.message or memory.last_words.get(state.id, ""),
            startedAt=moment(state.started) or (EPOCH if reason == runtime.START_ERROR else ""),
            finishedAt=moment(state.finished),
            containerID=f"{runtime_name}://{state.id}",
        )
    )


def waits(reason: str, message: str) -> ContainerState:
    return ContainerState(waiting=ContainerStateWaiting(reason=reason, message=message))


def moment(seconds: float) -> str:
    return clock.stamp(seconds) if seconds else ""


# --------------------------------------------------------------------- phase


def phase(pod: Pod, containers: Sequence[ContainerStatus], initial: Sequence[ContainerStatus], terminal: bool) -> str:
    """Where the pod is in its life. A terminal pod has nothing to start any more."""
    pending = failed = waiting = running = stopped = succeeded = 0
    for container, status in zip(pod.spec.initContainers, initial, strict=True):
        state, last = status.state or ContainerState(), status.lastState and status.lastState.terminated
        if sidecar(container):
            running += state.running is not None
            pending += (state.running is not None and not status.started) or (state.waiting is not None and not last)
            waiting += state.waiting is not None and not last
        elif ended := state.terminated or (last if state.waiting else None):
            failed += ended.exitCode != 0
        else:
            pending += 1
    for status in containers:
        state, last = status.state or ContainerState(), status.lastState and status.lastState.terminated
        running += state.running is not None
        waiting += state.waiting is not None and not last
        stopped += state.terminated is not None or (state.waiting is not None and last is not None)
        succeeded += state.terminated is not None and state.terminated.exitCode == 0
    if failed and (pod.spec.restartPolicy == "Never" or terminal):
        return "Failed"
    if (pending and not conditions.any_started(containers)) or waiting:
        begun = running or any(status.state is not None and status.state.running is not None for status in initial)
        return "Failed" if terminal and not begun else "Pending"
    if running:
        return "Running"
    if stopped == succeeded and (terminal or pod.spec.restartPolicy != "Always"):
        return "Succeeded"
    return "Failed" if terminal or pod.spec.restartPolicy == "Never" else "Running"
