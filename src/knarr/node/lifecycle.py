"""postStart and preStop hooks of a container. Called by the pod's worker around start and stop."""

import asyncio
from typing import TYPE_CHECKING

from knarr.kinds.types.core_v1 import Container, LifecycleHandler
from knarr.node.pod import grace
from knarr.node.probe import Result, Target, ask
from knarr.node.runtimes.runtime import RuntimeFailure
from knarr.node.steps import Stop

if TYPE_CHECKING:
    from knarr.node.worker import Worker


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
    raise RuntimeFailure(result.output, reason="PostStartHookError")


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
