"""A pod's conditions, in the kubelet's order and words. Called by `status.pod_status`."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from knarr.kinds.types.core_v1 import Container, ContainerStatus, Pod, PodCondition, PodStatus
from knarr.meta import clock

RESIZE = "PodResizePending"
OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", RESIZE)
UNSIZED = "the amounts of a running container are not changed here: the new ones count when it is started again"


def conditions(pod: Pod, status: PodStatus, sandboxed: bool, now: float) -> list[PodCondition]:
    """All conditions, from those that the status has: those of others first and untouched, a transition time only where
    the condition's status changed."""
    old = {each.type: each for each in status.conditions}
    others = [each for each in status.conditions if each.type not in OWNED]
    ready = containers_ready(pod, status)
    fresh = [
        PodCondition(type="PodReadyToStartContainers", status=truth(sandboxed)),
        initialized(pod, status),
        pod_ready(pod, others, ready),
        ready,
        PodCondition(type="PodScheduled", status="True"),
        *resize(pod, status),
    ]
    when = clock.stamp(now)
    for each in fresh:
        known = old.get(each.type)
        since = known.lastTransitionTime if known is not None and known.status == each.status else ""
        others.append(replace(each, observedGeneration=pod.metadata.generation, lastTransitionTime=since or when))
    return others


def resize(pod: Pod, status: PodStatus) -> list[PodCondition]:
    """That a container runs with other amounts than are now asked for, if one does."""
    wanted = {each.name: each.resources for each in (*pod.spec.initContainers, *pod.spec.containers)}
    for each in (*status.initContainerStatuses, *status.containerStatuses):
        if each.state is not None and each.state.running is not None and each.resources != wanted.get(each.name):
            return [PodCondition(type=RESIZE, status="True", reason="Infeasible", message=UNSIZED)]
    return []


def truth(value: bool) -> str:
    return "True" if value else "False"


def containers_ready(pod: Pod, status: PodStatus) -> PodCondition:
    if status.phase == "Succeeded":
        return PodCondition(type="ContainersReady", status="False", reason="PodCompleted")
    if status.phase == "Failed":
        return PodCondition(type="ContainersReady", status="False", reason="PodFailed")
    sidecars = [each for each in pod.spec.initContainers if each.restartPolicy == "Always"]
    unready = unmet([*sidecars, *pod.spec.containers], [*status.initContainerStatuses, *status.containerStatuses])
    if unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        return PodCondition(type="ContainersReady", status="False", reason="ContainersNotReady", message=message)
    return PodCondition(type="ContainersReady", status="True")


def unmet(containers: Iterable[Container], statuses: Iterable[ContainerStatus]) -> list[str]:
    ready = {each.name for each in statuses if each.ready}
    return [each.name for each in containers if each.name not in ready]


def pod_ready(pod: Pod, others: Sequence[PodCondition], ready: PodCondition) -> PodCondition:
    """Ready: the containers are, and every readiness gate is open."""
    if ready.status != "True" or not pod.spec.readinessGates:
        return replace(ready, type="Ready")
    known = {each.type: each.status for each in others}
    shut = [
        f'corresponding condition of pod readiness gate "{name}" does not exist.'
        if name not in known
        else f'the status of pod readiness gate "{name}" is not "True", but {known[name]}'
        for gate in pod.spec.readinessGates
        if known.get(name := gate.conditionType) != "True"
    ]
    if shut:
        return PodCondition(type="Ready", status="False", reason="ReadinessGatesNotReady", message=", ".join(shut))
    return PodCondition(type="Ready", status="True")


def initialized(pod: Pod, status: PodStatus) -> PodCondition:
    if status.phase == "Succeeded":
        return PodCondition(type="Initialized", status="True", reason="PodCompleted")
    if not pod.spec.initContainers:
        return PodCondition(type="Initialized", status="True")
    if not status.initContainerStatuses:  # the node refused the pod
        return PodCondition(type="Initialized", status="False", reason="UnknownContainerStatuses")
    known = {each.name: each for each in status.initContainerStatuses}
    incomplete = [
        each.name
        for each in pod.spec.initContainers
        if not (known[each.name].started if each.restartPolicy == "Always" else known[each.name].ready)
    ]
    if incomplete and not any_started(status.containerStatuses):
        message = f"containers with incomplete status: [{' '.join(incomplete)}]"
        return PodCondition(type="Initialized", status="False", reason="ContainersNotInitialized", message=message)
    return PodCondition(type="Initialized", status="True")


def any_started(containers: Iterable[ContainerStatus]) -> bool:
    """Whether a regular container has ever run."""
    return any(
        each.state is not None
        and (each.state.running or each.state.terminated or (each.lastState and each.lastState.terminated))
        for each in containers
    )
