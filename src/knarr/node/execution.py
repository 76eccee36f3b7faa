"""Carries out the steps of a pod's worker, one at a time. What fails is remembered as a retry, and nothing is lost."""

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import Container, Pod
from knarr.meta import clock
from knarr.meta.errors import ApiError, Conflict, NotFound
from knarr.node import failures, pulls, unconfirmed
from knarr.node.env import EnvError, environment
from knarr.node.lifecycle import begin_hook, end
from knarr.node.memory import Memory
from knarr.node.pod import crashed, everyone, title
from knarr.node.runtimes.runtime import RuntimeFailure
from knarr.node.spec import container_spec, sandbox_spec
from knarr.node.status import ENDS
from knarr.node.status_writer import TRIES
from knarr.node.steps import DeleteObject, Forget, Prepare, RunSandbox, Start, Step, Stop, StopSandbox, TearDown
from knarr.node.volumes.volume import VolumeError

if TYPE_CHECKING:
    from knarr.node.worker import Worker


async def carry_out(worker: "Worker", step: Step) -> bool:
    """Do one step; whether it worked. A failure is remembered as a retry."""
    try:
        match step:
            case Prepare():
                await _prepare(worker)
            case RunSandbox():
                await _run_sandbox(worker, step)
            case Start():
                await _start(worker, step)
            case Stop():
                worker.memory.stopping[step.id] = step.grace
                worker.memory.replaced |= {step.id} if step.replaced else set()
                worker.group.create_task(end(worker, step), name=f"stop {step.name} of {title(worker.pod)}")
            case Forget():
                await worker.host.runtime.remove_container(worker.uid, step.id)
            case StopSandbox():
                await worker.host.runtime.stop_pod(worker.uid)
                await worker.host.volumes.give_back(worker.pod)
                worker.memory.stopped = True
            case TearDown():
                await _tear_down(worker)
            case DeleteObject():
                await delete_object(worker)
    except (RuntimeFailure, EnvError, VolumeError, ApiError, TransportError, OSError) as error:
        failures.remember(worker, step, error)
        return False
    return True


class _Starting:
    """While it lasts, the runtime may have started what it does not show yet."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def __enter__(self) -> None:
        self._memory.starting, self._memory.stopped = True, False

    def __exit__(self, *_: object) -> None:
        self._memory.starting = False


async def _tear_down(worker: "Worker") -> None:
    """Remove what is left of a pod none of whose processes is left."""
    if worker.pod.status.phase not in ENDS:
        await worker.writer.flush()  # how it ended is not known any more once it is gone
    await worker.host.runtime.remove_pod(worker.uid)
    await worker.host.volumes.tear_down(worker.pod)
    worker.memory.torn_down = True
    unconfirmed.ended(worker)


async def _prepare(worker: "Worker") -> None:
    runs = worker.sandbox is not None and worker.sandbox.state == "ready"
    if why := await worker.host.volumes.prepare(worker.pod, runs=runs):
        worker.stale(why)
    worker.memory.prepared = True
    worker.memory.retries.pop("", None)
    worker.refreshed = clock.unix()


async def _run_sandbox(worker: "Worker", step: RunSandbox) -> None:
    host, memory = worker.host, worker.memory
    if step.attempt:
        worker.tell("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        await host.runtime.stop_pod(worker.uid)
    memory.launched.clear()
    with _Starting(memory):
        sandbox = await host.runtime.run_pod(sandbox_spec(worker.pod, host.config, step.attempt))
    host.sandboxes[worker.uid] = sandbox
    memory.retries.pop("", None)
    worker.writer.request(moving=True)


async def _start(worker: "Worker", step: Start) -> None:
    host, memory, container = worker.host, worker.memory, everyone(worker.pod)[step.name]
    tell = partial(worker.tell, container=container)
    await pulls.ensure(host.runtime, container, tell)
    pod = _with_address(worker) if refers_to_status(container) else worker.pod
    env = environment(pod, container, await host.sources(pod, container))
    mounts = await host.volumes.mounts(pod, container, env)
    spec = container_spec(pod, container, step.attempt, env, mounts, host.config)
    if step.finished:
        crashed(memory, step)
    with _Starting(memory):
        id_ = await host.runtime.start_container(worker.uid, spec)
    memory.launched[step.name] = step.attempt
    tell("Normal", "Created", "Container created")
    tell("Normal", "Started", "Container started")
    memory.retries.pop(step.name, None)
    memory.waiting.pop(step.name, None)
    await begin_hook(worker, container, id_)


def refers_to_status(container: Container) -> bool:
    """Whether the environment is told something of the pod's status."""
    for each in container.env:
        source = each.valueFrom.fieldRef if each.valueFrom is not None else None
        if source is not None and source.fieldPath.startswith("status."):
            return True
    return False


def _with_address(worker: "Worker") -> Pod:
    """The pod with the addresses its status will show: the environment may refer to them."""
    return replace(worker.pod, status=worker.writer.current())


async def delete_object(worker: "Worker") -> None:
    """Have the API forget the pod, none of whose processes is left."""
    await worker.writer.flush()
    for left in reversed(range(TRIES)):
        meta = worker.pod.metadata
        try:  # only the version that is known: not one that a snapshot put back
            await worker.host.api.delete(
                Pod, meta.name, meta.namespace, uid=meta.uid, resource_version=meta.resourceVersion, grace=0
            )
        except NotFound:
            worker.memory.removed = True
        except Conflict:
            if not left:
                raise
            await worker.writer.reload()
        else:
            worker.memory.deleted = True
        if worker.memory.removed or worker.memory.deleted:
            return
