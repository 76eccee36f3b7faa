"""The probes of one pod's running containers: starts a task for each, and keeps the pod's memory up to date.

The worker calls `follow` after every change of the containers; a probe that changes its mind wakes the worker.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from knarr.kinds.types.core_v1 import Container, Pod
from knarr.node.memory import Memory, Unhealthy
from knarr.node.pod import everyone, newest
from knarr.node.probe import Result, Target
from knarr.node.probes import probe_of, row, watch, wording
from knarr.node.runtimes.runtime import ContainerState, PodSandbox, Runtime
from knarr.node.status import known_statuses

Tell = Callable[[Container, str, str, str], None]  #: container, type, reason, message


class Health:
    """Owned by a worker; its tasks live in the worker's task group."""

    def __init__(
        self, runtime: Runtime, memory: Memory, group: asyncio.TaskGroup, tell: Tell, changed: Callable[[], None]
    ) -> None:
        self._runtime, self._memory, self._group = runtime, memory, group
        self._tell, self._changed = tell, changed
        self._tasks: dict[str, dict[str, asyncio.Task[None]]] = {}  # by container id, then kind of probe

    def follow(self, pod: Pod, sandbox: PodSandbox | None, ending: bool) -> None:
        """Start probing what runs, stop probing what does not."""
        containers = everyone(pod)
        running = {
            state.id: (containers[state.name], state)
            for state in newest(sandbox).values()
            if state.state == "running" and state.name in containers
        }
        for gone in [id_ for id_ in self._tasks if id_ not in running]:
            self._drop(gone)
        for id_, (container, state) in running.items():
            if id_ not in self._tasks:
                self._tasks[id_] = {}
                self._begin(pod, sandbox, container, state)
            if ending:
                for kind in ("Liveness", "Startup"):
                    if task := self._tasks[id_].pop(kind, None):
                        task.cancel()

    def stop(self) -> None:
        """Cancel everything."""
        for id_ in list(self._tasks):
            self._drop(id_)

    def _drop(self, id_: str) -> None:
        for task in self._tasks.pop(id_, {}).values():
            task.cancel()
        self._memory.started.discard(id_)
        self._memory.ready.discard(id_)
        self._memory.unhealthy.pop(id_, None)
        self._memory.stopping.pop(id_, None)

    def _begin(self, pod: Pod, sandbox: PodSandbox | None, container: Container, state: ContainerState) -> None:
        """Begin with a container: one that an earlier agent knew as started or ready still is."""
        ip = (sandbox.ip if sandbox else "") or ("127.0.0.1" if pod.spec.hostNetwork else "")
        target = Target(pod.metadata.uid, state.id, ip, container, pod.metadata.name)
        known = {each.containerID.rpartition("/")[2]: each for each in known_statuses(pod)}.get(state.id)
        if known is not None and known.ready:
            self._memory.ready.add(state.id)
        if container.startupProbe is not None and not (known is not None and known.started):
            self._probe(target, "Startup", state.started)
        else:
            self._started(target, state.started)

    def _started(self, target: Target, since: float) -> None:
        """The container counts as started: its other probes begin."""
        self._memory.started.add(target.id)
        if target.container.readinessProbe is None:
            self._memory.ready.add(target.id)
        for kind in ("Readiness", "Liveness"):
            self._probe(target, kind, since)

    def _probe(self, target: Target, kind: str, since: float) -> None:
        if (probe := probe_of(target.container, kind)) is None:
            return
        decide = partial(self._decide, target, kind, since)
        results = row(probe, verdict=True if kind == "Readiness" and target.id in self._memory.ready else None)
        job = watch(self._runtime, target, kind, probe, since, results, partial(self._report, target), decide)
        self._tasks[target.id][kind] = self._group.create_task(job, name=f"{kind} {target.pod_name}")

    async def _report(self, target: Target, kind: str, result: Result) -> None:
        self._tell(target.container, "Warning", *wording(kind, result))

    def _decide(self, target: Target, kind: str, since: float, good: bool) -> bool:
        name, memory = target.container.name, self._memory
        if kind == "Startup" and good:
            self._started(target, since)
        elif kind == "Readiness":
            (memory.ready.add if good else memory.ready.discard)(target.id)
        elif not good:
            probe = probe_of(target.container, kind)
            grace = probe.terminationGracePeriodSeconds if probe else None
            message = f"Container {name} failed {kind.lower()} probe, will be restarted"
            memory.unhealthy[target.id] = Unhealthy(message, None if grace is None else float(grace))
        self._changed()
        return kind == "Readiness" or (kind == "Liveness" and good)
