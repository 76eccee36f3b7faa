"""One pod on one node: from what should run and what does, to what to do next.

`plan` is pure. A pass may stop half-way (an image is missing, the agent dies): the next one starts from what is there.
The worker calls it after every change of the object, of a container or of a probe's result.

  sandbox ──> init containers, one after the other ──> containers
                 (a sidecar counts as soon as it has started)
  ending: containers ──> sidecars, last first ──> sandbox ──> object
"""

from collections.abc import Iterator, Sequence

from knarr.kinds.types.core_v1 import Container, ContainerRestartRule, Pod
from knarr.meta import clock
from knarr.node import refusals
from knarr.node.memory import Memory, Reason, longer
from knarr.node.runtimes.runtime import ContainerState, PodSandbox
from knarr.node.steps import DeleteObject, Forget, Hold, Prepare, RunSandbox, Start, Step, Stop, StopSandbox, TearDown

GRACE = 30.0
LEAST_GRACE = 1.0
UNSEEN = 1.0  #: seconds until the runtime is asked again for a container it does not show, or for a pod that is to go
OVERDUE = Reason("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
PULL_SHOWN = 1.0  #: seconds a failed pull shows as such before it shows as a back-off


def plan(pod: Pod, sandbox: PodSandbox | None, memory: Memory, now: float, *, ends: bool) -> list[Step]:
    """Return this pass's steps in order; a step that fails ends the pass. `ends` is what `ending` says."""
    if ends:
        return list(end(pod, sandbox, memory))
    if memory.behind:
        return [Hold("", now + UNSEEN)]
    if (retry := memory.retries.get("")) and retry.at > now:
        return [Hold("", retry.at)]
    steps: list[Step] = [] if memory.prepared else [Prepare()]
    if sandbox is None or sandbox.state == "gone":
        steps += [RunSandbox(0 if sandbox is None else sandbox.attempt + 1)]
    attempts = newest(sandbox)
    steps += forget(sandbox, attempts)
    steps += initialise(pod, attempts, memory, now) or regular(pod, attempts, memory, now)
    for each in pod.spec.ephemeralContainers:
        steps += one(pod, everyone(pod)[each.name], attempts.get(each.name), memory, now)
    if (deadline := overdue_at(pod)) is not None:
        steps.append(Hold("", deadline))
    return steps


def newest(sandbox: PodSandbox | None) -> dict[str, ContainerState]:
    """The latest attempt of each container."""
    out: dict[str, ContainerState] = {}
    for state in sandbox.containers if sandbox else ():
        if state.name not in out or out[state.name].attempt < state.attempt:
            out[state.name] = state
    return out


def sidecar(container: Container) -> bool:
    """An init container that stays."""
    return container.restartPolicy == "Always"


def regular_started(pod: Pod, attempts: dict[str, ContainerState]) -> bool:
    """Initialisation is over once any regular container was created."""
    return any(container.name in attempts for container in pod.spec.containers)


def everyone(pod: Pod) -> dict[str, Container]:
    """All containers by name: init, regular, ephemeral. The last are never restarted and nothing waits for them."""
    lasting = {each.name: each for each in (*pod.spec.initContainers, *pod.spec.containers)}
    if not pod.spec.ephemeralContainers:
        return lasting
    visitors = [
        Container(**{name: getattr(each, name) for name in Container.__struct_fields__} | {"restartPolicy": "Never"})
        for each in pod.spec.ephemeralContainers
    ]
    return lasting | {each.name: each for each in visitors}


# ------------------------------------------------------------------ starting


def initialise(pod: Pod, attempts: dict[str, ContainerState], memory: Memory, now: float) -> list[Step]:
    """The steps of the first init container that is not done; none when the regular ones may go."""
    if not pod.spec.initContainers or regular_started(pod, attempts):
        return []
    for container in pod.spec.initContainers:
        state = attempts.get(container.name)
        if sidecar(container):
            if steps := list(one(pod, container, state, memory, now)):
                return steps
            if state is None or state.id not in memory.started:
                return [Hold(container.name, now + 3600)]
        elif state is None or state.state != "exited":
            return list(one(pod, container, state, memory, now)) or [Hold(container.name, now + 3600)]
        elif state.exit_code:
            return list(one(pod, container, state, memory, now))
    return []


def regular(pod: Pod, attempts: dict[str, ContainerState], memory: Memory, now: float) -> list[Step]:
    """The steps of all containers of an initialised pod."""
    sidecars = [container for container in pod.spec.initContainers if sidecar(container)]
    return [
        step
        for container in (*sidecars, *pod.spec.containers)
        for step in one(pod, container, attempts.get(container.name), memory, now)
    ]


def one(pod: Pod, container: Container, state: ContainerState | None, memory: Memory, now: float) -> Iterator[Step]:
    """What one container needs; nothing when it is as it should be."""
    if state is not None and state.state != "exited":
        yield from stay(pod, container, state, memory)
        return
    if state is not None and over(pod, container, state, memory):
        return
    following = 0 if state is None else state.attempt + 1
    if memory.launched.get(container.name, -1) >= following:
        yield Hold(container.name, now + UNSEEN)  # started, but the runtime does not show it yet
    elif (retry := memory.retries.get(container.name)) and retry.at > now:
        yield retry_hold(container, memory, now)
    elif state is None:
        yield Start(container.name)
    elif (back_off := memory.crashes.get(container.name)) and back_off.holds(state.finished, now):
        yield Hold(
            container.name,
            state.finished + back_off.delay,
            "CrashLoopBackOff",
            f"back-off {duration(back_off.delay)} restarting failed container={container.name} pod={title(pod)}",
        )
    else:
        yield Start(container.name, following, state.finished)


def stay(pod: Pod, container: Container, state: ContainerState, memory: Memory) -> Iterator[Step]:
    """The end of a container that runs, when its probes condemn it or the pod now wants another image."""
    if state.id in memory.stopping:
        return
    if changed(pod, container, state):
        message = f"Container {container.name} definition changed, will be restarted"
        yield Stop(container.name, state.id, grace(pod), message, replaced=True)
    elif sick := memory.unhealthy.get(state.id):
        yield Stop(container.name, state.id, grace(pod) if sick.grace is None else sick.grace, sick.message)


def changed(pod: Pod, container: Container, state: ContainerState) -> bool:
    """Whether a container runs another image than the pod wants by now: all that can change of one that stays."""
    stays = sidecar(container) or container in pod.spec.containers
    return stays and state.image not in ("", container.image)


def over(pod: Pod, container: Container, state: ContainerState, memory: Memory) -> bool:
    """Whether a container that has ended stays so; one that was stopped for another image does not in any case."""
    return state.id not in memory.replaced and not restarts(pod, container, state.exit_code)


def retry_hold(container: Container, memory: Memory, now: float) -> Hold:
    """How a failed start shows: a failed pull turns into its back-off after a moment."""
    retry = memory.retries[container.name]
    if retry.why.reason not in ("ErrImagePull", "ImagePullBackOff"):
        return Hold(container.name, retry.at, retry.why.reason, retry.why.message)
    if now < retry.failed + PULL_SHOWN:
        return Hold(container.name, retry.failed + PULL_SHOWN, retry.why.reason, retry.why.message)
    cause = f"{retry.why.reason}: {retry.why.message}"
    return Hold(container.name, retry.at, "ImagePullBackOff", f'Back-off pulling image "{container.image}": {cause}')


def forget(sandbox: PodSandbox | None, attempts: dict[str, ContainerState]) -> list[Step]:
    """Dead attempts beyond the one that `lastState` shows."""
    return [
        Forget(state.name, state.id, state.attempt)
        for state in (sandbox.containers if sandbox else ())
        if state.state == "exited" and state.attempt < attempts[state.name].attempt - 1
    ]


def restarts(pod: Pod, container: Container, exit_code: int) -> bool:
    """Whether a container that ended so is started again."""
    for rule in container.restartPolicyRules:
        if matches(rule, exit_code):
            return rule.action == "Restart"
    policy = container.restartPolicy or pod.spec.restartPolicy
    if container in pod.spec.initContainers and policy == "Always" and not sidecar(container):
        policy = "OnFailure"
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def matches(rule: ContainerRestartRule, exit_code: int) -> bool:
    if rule.exitCodes is None:
        return False
    return (exit_code in rule.exitCodes.values) == (rule.exitCodes.operator == "In")


# -------------------------------------------------------------------- ending


def ending(pod: Pod, sandbox: PodSandbox | None, memory: Memory, now: float) -> bool:
    """Whether nothing of this pod is to be started any more."""
    return (
        memory.removed
        or bool(pod.metadata.deletionTimestamp)
        or pod.status.phase in ("Succeeded", "Failed")
        or ((deadline := overdue_at(pod)) is not None and deadline <= now)
        or refusals.told(pod, memory) is not None
        or bool(memory.evicted)
        or finished(pod, newest(sandbox), memory)
    )


def finished(pod: Pod, attempts: dict[str, ContainerState], memory: Memory) -> bool:
    """Whether every container ended for good, or an init container failed for good."""
    for container in pod.spec.initContainers:
        state = attempts.get(container.name)
        if state and state.state == "exited" and state.exit_code and not restarts(pod, container, state.exit_code):
            return True
    for container in pod.spec.containers:
        state = attempts.get(container.name)
        if state is None or state.state != "exited" or not over(pod, container, state, memory):
            return False
    return True


def end(pod: Pod, sandbox: PodSandbox | None, memory: Memory) -> Iterator[Step]:
    """Stop the containers, then the sidecars, then the sandbox; the object goes when all is gone."""
    alive = [state for state in (sandbox.containers if sandbox else ()) if state.state == "running"]
    if alive:
        yield from stop(pod, alive, memory)
    elif sandbox is not None and not memory.stopped:
        yield StopSandbox()
    elif memory.removed or pod.metadata.deletionTimestamp:
        if not memory.torn_down:
            yield TearDown()
        if not memory.removed and not memory.deleted:
            yield DeleteObject()


def stop(pod: Pod, alive: Sequence[ContainerState], memory: Memory) -> Iterator[Step]:
    order = [container.name for container in pod.spec.initContainers if sidecar(container)]
    ordinary = [state for state in alive if state.name not in order]
    sidecars = sorted((state for state in alive if state.name in order), key=lambda state: order.index(state.name))
    allowed = min(grace(pod), LEAST_GRACE) if memory.evicted else grace(pod)
    for state in ordinary or sidecars[-1:]:
        if memory.stopping.get(state.id, allowed + 1) > allowed:
            yield Stop(state.name, state.id, allowed, f"Stopping container {state.name}")


def grace(pod: Pod) -> float:
    """Seconds between TERM and KILL."""
    if pod.metadata.deletionGracePeriodSeconds is not None:
        return max(LEAST_GRACE, pod.metadata.deletionGracePeriodSeconds)
    if pod.spec.terminationGracePeriodSeconds is not None:
        return max(LEAST_GRACE, pod.spec.terminationGracePeriodSeconds)
    return GRACE


def overdue_at(pod: Pod) -> float | None:
    """When activeDeadlineSeconds are over, in seconds since the epoch."""
    if pod.spec.activeDeadlineSeconds is None or not pod.status.startTime:
        return None
    return clock.parse(pod.status.startTime).timestamp() + pod.spec.activeDeadlineSeconds


# -------------------------------------------------------------------- wording


def title(pod: Pod) -> str:
    """How the kubelet names a pod in messages."""
    return f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"


def duration(seconds: float) -> str:
    """As Go prints one: 10s, 2m40s, 5m0s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def crashed(memory: Memory, step: Start) -> None:
    """Remember a restart, so that the next crash waits longer."""
    memory.crashes[step.name] = longer(memory.crashes.get(step.name), step.finished)
