"""Pods of StatefulSets whose objects went before their processes did: by force, or with their node's object.

Nobody waits for these processes any more: a pod of the same name may run beside them. The agent cannot undo that. It
ends them, and says in events, on the pod that was, when it began to and when nothing was left.
"""

from typing import TYPE_CHECKING

from knarr.kinds.statefulset import POD_NAME
from knarr.node.runtimes.runtime import PodSandbox

if TYPE_CHECKING:
    from knarr.node.worker import Worker

FOUND, ENDED = "DeletedWhileRunning", "ProcessesEnded"


def found(worker: "Worker") -> None:
    """The pod's object is gone: say so if it still runs."""
    memory = worker.memory
    running = containers(worker.sandbox)
    if memory.ousted or memory.torn_down or not (running or memory.starting) or not is_stateful(worker):
        return
    memory.ousted = True
    what = f"its containers [{' '.join(running)}] still ran" if running else "a container of it was being started"
    worker.testify(
        "Warning",
        FOUND,
        f"{title(worker)} was deleted while {what} on node {worker.host.config.name}: "
        "until they have ended, a pod of the same name may run beside it",
    )


def ended(worker: "Worker") -> None:
    """Nothing is left of the pod: say so if somebody was told that it ran on."""
    if worker.memory.ousted:
        worker.testify("Normal", ENDED, f"{title(worker)} has no process left on node {worker.host.config.name}")


def title(worker: "Worker") -> str:
    meta = worker.pod.metadata
    return f"Pod {meta.namespace}/{meta.name} (uid {meta.uid})"


def is_stateful(worker: "Worker") -> bool:
    """Whether a StatefulSet made the pod: of others, two of a name never are."""
    sandbox = worker.sandbox
    return POD_NAME in worker.pod.metadata.labels or (sandbox is not None and POD_NAME in sandbox.labels)


def containers(sandbox: PodSandbox | None) -> list[str]:
    """The names of those that run."""
    return [state.name for state in (sandbox.containers if sandbox else ()) if state.state == "running"]
