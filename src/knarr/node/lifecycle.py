"""The end of a container, and its postStart and preStop hooks. Called by the pod's worker."""

import asyncio
import json
import logging
from typing import TYPE_CHECKING

from knarr.kinds.types.core_v1 import Container, LifecycleHandler, Pod
from knarr.node.pod import everyone, grace, title
from knarr.node.probe import Result, Target, ask
from knarr.node.runtimes.runtime import RuntimeFailure
from knarr.node.steps import Stop

if TYPE_CHECKING:
    from knarr.node.worker import Worker

log = logging.getLogger(__name__)

LEAST_STOP = 2.0  #: seconds between TERM and KILL that a container always gets, whatever its grace or its hook
RETRY = 2.0  #: seconds before a stop that failed is tried again


async def begin_hook(worker: "Worker", container: Container, id_: str) -> None:
    """Run postStart; a container whose hook fails is stopped, and its start has failed."""
    handler = container.lifecycle.postStart if container.lifecycle else None
    if handler is None:
        return
    result = await carry_out(worker, container, id_, handler, timeout=None)
    if result.outcome == "success":
        return
    worker.tell("Warning", "FailedPostStartHook", "PostStartHook failed", container)
    worker.tell("Normal", "Killing", "FailedPostStartHook", container)
    await worker.host.runtime.stop_container(worker.uid, id_, grace(worker.pod))
    raise RuntimeFailure(worded(handler, container, worker.pod, result), reason="PostStartHookError")


def worded(handler: LifecycleHandler, container: Container, pod: Pod, result: Result) -> str:
    """What went wrong with a hook, as the kubelet says it in the container's status (its events keep it to themselves:
    what a hook prints may be a secret)."""
    where = f'for Container "{container.name}" in Pod "{title(pod)}" failed - error:'
    if handler.exec is not None:
        command = " ".join(handler.exec.command)
        error = (
            result.output if result.code is None else f"command '{command}' exited with {result.code}: {result.output}"
        )
        return f"Exec lifecycle hook ([{command}]) {where} {error}, message: {json.dumps(result.output)}"
    if handler.httpGet is not None:
        return f"HTTP lifecycle hook ({handler.httpGet.path}) {where} {result.output}"
    return f"lifecycle hook {where} {result.output}"


async def end_hook(worker: "Worker", container: Container, step: Stop) -> None:
    """Run preStop within the grace period. The container is stopped whatever becomes of it."""
    handler = container.lifecycle.preStop if container.lifecycle else None
    if handler is None:
        return
    result = await carry_out(worker, container, step.id, handler, timeout=step.grace)
    if result.outcome != "success":
        worker.tell("Warning", "FailedPreStopHook", "PreStopHook failed", container)


async def carry_out(
    worker: "Worker", container: Container, id_: str, handler: LifecycleHandler, timeout: float | None
) -> Result:
    if handler.sleep is not None:
        seconds = float(handler.sleep.seconds)
        await asyncio.sleep(seconds if timeout is None else min(seconds, timeout))
        return Result("success")
    sandbox = worker.sandbox
    target = Target(worker.uid, id_, sandbox.ip if sandbox else "", container, worker.pod.metadata.name)
    return await ask(worker.host.runtime, target, handler, 3600.0 if timeout is None else timeout)


async def end(worker: "Worker", step: Stop) -> None:
    """Stop a container within its grace: its hook first, then TERM, then KILL. A failure is tried again."""
    container = everyone(worker.pod).get(step.name)
    worker.tell("Normal", "Killing", step.message, container)
    begun = asyncio.get_running_loop().time()
    if container is not None:
        await end_hook(worker, container, step)
    used = asyncio.get_running_loop().time() - begun
    left = max(LEAST_STOP, step.grace - used)
    if worker.memory.stopping.get(step.id, step.grace) < step.grace:
        return  # a shorter grace took over
    try:
        await worker.host.runtime.stop_container(worker.uid, step.id, left)
    except (RuntimeFailure, OSError) as error:
        log.warning("%s: %s: %s", title(worker.pod), step, error)
        await asyncio.sleep(RETRY)
        worker.memory.stopping.pop(step.id, None)
        worker.wake()
    await worker.host.refresh()
