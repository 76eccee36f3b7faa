"""One pod's worker: asks `pod.plan` what to do, does it, and has the status written whenever it changed.

A worker lives from the moment its pod is bound here (or found running) until the pod and its object are gone. Nothing
it does is lost when it dies: the runtime knows what runs, the API knows what should.
"""

import asyncio
import logging
import math
from contextlib import suppress

from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import Container, Pod, PodStatus
from knarr.meta import clock
from knarr.meta.errors import ApiError
from knarr.node import eviction, put_back, unconfirmed
from knarr.node.execution import carry_out
from knarr.node.health import Health
from knarr.node.host import Host
from knarr.node.logs import last_words
from knarr.node.memory import Memory, Reason
from knarr.node.pod import OVERDUE, ending, everyone, overdue_at, plan, title
from knarr.node.runtimes.runtime import PodSandbox
from knarr.node.spec import log_path
from knarr.node.status import ENDS
from knarr.node.status_writer import StatusWriter
from knarr.node.steps import Hold, Prepare, RunSandbox, Start
from knarr.node.volumes.volume import VolumeError

log = logging.getLogger(__name__)

REFRESH = 60.0  #: seconds between looks at the contents of mounted ConfigMaps, Secrets and tokens


class Worker:
    def __init__(self, host: Host, pod: Pod, *, orphan: bool = False) -> None:
        self.host, self.pod, self.uid = host, pod, pod.metadata.uid
        self.name = (pod.metadata.namespace, pod.metadata.name)
        self.told: Pod | None = None if orphan else pod  #: the object as its collection last showed it
        self.memory = Memory(removed=orphan, prepared=False)
        self.done = False  #: nothing is left of the pod
        self._orphan = orphan
        self._wake = asyncio.Event()
        self.refreshed = 0.0
        self.writer = StatusWriter(self)

    @property
    def sandbox(self) -> PodSandbox | None:
        return self.host.sandboxes.get(self.uid)

    @property
    def counts(self) -> bool:
        """Whether the pod takes room that no other can have: it was let in and is not over."""
        memory = self.memory
        gone = memory.removed or memory.deleted or memory.refused is not None or self.pod.status.phase in ENDS
        return memory.admitted and not gone

    def update(self, pod: Pod) -> None:
        """A newer version of the object."""
        if put_back.version(pod) >= put_back.version(self.pod):
            before, self.pod = everyone(self.pod), pod
            for name, container in everyone(pod).items():
                if name in before and before[name].image != container.image:
                    self.memory.start_over(name)
        self.wake()

    def wrote(self, status: PodStatus, written: Pod) -> None:
        """The version that a write of the status has made: no reason to wake, unless the API made something else of the
        status, or the pod has a time limit, which counts from the start that was written."""
        if written.status != status or written.spec.activeDeadlineSeconds is not None:
            self.update(written)
        elif put_back.version(written) >= put_back.version(self.pod):
            self.pod = written

    def remove(self) -> None:
        """The object is gone: so must be the pod."""
        self.memory.removed = True
        unconfirmed.found(self)
        self.wake()

    def successor(self) -> "Worker":
        """A worker that starts afresh where this one broke."""
        worker = Worker(self.host, self.pod, orphan=self._orphan)
        worker.memory.removed, worker.told = self.memory.removed, self.told
        worker.memory.admitted, worker.memory.refused = self.memory.admitted, self.memory.refused
        return worker

    def wake(self) -> None:
        self._wake.set()

    def tell(self, type_: str, reason: str, message: str, container: Container | None = None) -> None:
        if not self._orphan:
            self.host.tell(self.pod, type_, reason, message, container)

    def testify(self, type_: str, reason: str, message: str) -> None:
        """Tell of a pod whose object is gone."""
        self.host.tell(self.pod, type_, reason, message, None)

    async def run(self) -> None:
        """Work until nothing is left of the pod."""
        async with asyncio.TaskGroup() as group:
            self.group = group
            self.health = Health(self.host.runtime, self.memory, group, self._told, self.wake)
            writing = group.create_task(self.writer.run(), name=f"status of {title(self.pod)}")
            try:
                if not self.memory.admitted and not self._orphan:
                    await self.host.admit(self)
                while not self.done:
                    self._wake.clear()
                    until = await self.turn()
                    if until is not None:
                        await self._rest(until)
            finally:
                self.health.stop()
                self.writer.stop()
                writing.cancel()

    def _told(self, container: Container, type_: str, reason: str, message: str) -> None:
        self.tell(type_, reason, message, container)

    async def _rest(self, until: float) -> None:
        left = min(until - clock.unix(), self.host.looks)
        if left == math.inf:
            await self._wake.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self._wake.wait()

    async def turn(self) -> float | None:
        """One pass. Returns when to look again if nothing happens before; None: at once."""
        now, sandbox = clock.unix(), self.sandbox
        ends = ending(self.pod, sandbox, self.memory, now)
        self.memory.behind = sandbox is None and not ends and self.host.outlived(self)
        steps = plan(self.pod, sandbox, self.memory, now, ends=ends)
        holds = [step for step in steps if isinstance(step, Hold)]
        acts = [step for step in steps if not isinstance(step, Hold)]
        self._note(holds)
        self.health.follow(self.pod, sandbox, ends)
        self._tell_overdue(now)
        await self._hear_last_words()
        self.writer.request(moving=bool(acts))
        for step in acts:
            log.log(self.host.steps_logged, "%s: %s", title(self.pod), step)
            if not await carry_out(self, step):
                # what starts leaves a retry behind, which the next plan turns into a Hold; what ends does not
                if not isinstance(step, Start | Prepare | RunSandbox):
                    await asyncio.sleep(self.memory.retries[""].at - clock.unix())
                return None
        if acts:
            self.memory.retries.pop("", None)
            await self.host.refresh()
            return None
        if self.memory.removed and self.memory.torn_down:
            self.done = True
            return None
        again = min((hold.until for hold in holds), default=now + self.host.looks)
        if not ends:
            await self._refresh_volumes(now)
            again = min(again, await eviction.measure(self, now))
        return again

    def _tell_overdue(self, now: float) -> None:
        if self.memory.overdue or self.pod.status.phase in ENDS:
            return
        if (deadline := overdue_at(self.pod)) is not None and deadline <= now:
            self.memory.overdue = True
            self.tell("Normal", OVERDUE.reason, OVERDUE.message)

    def _note(self, holds: list[Hold]) -> None:
        """Remember why containers wait; say so when a back-off begins."""
        reasons = {hold.name: Reason(hold.reason, hold.message) for hold in holds if hold.reason}
        for name, why in reasons.items():
            if self.memory.waiting.get(name) == why:
                continue
            container = everyone(self.pod)[name]
            if why.reason == "ImagePullBackOff":
                self.tell("Normal", "BackOff", f'Back-off pulling image "{container.image}"', container)
                self.tell("Warning", "Failed", "Error: ImagePullBackOff", container)
            elif why.reason == "CrashLoopBackOff":
                message = f"Back-off restarting failed container {name} in pod {title(self.pod)}"
                self.tell("Warning", "BackOff", message, container)
        self.memory.waiting = reasons

    async def _hear_last_words(self) -> None:
        """Read the end of the logs of those that failed without a message and want it to be their message."""
        sandbox = self.sandbox
        for state in sandbox.containers if sandbox is not None and self.host.runtime.name != "simulated" else ():
            failed = state.state == "exited" and state.exit_code and not state.message
            if not failed or state.id in self.memory.last_words:
                continue
            container = everyone(self.pod).get(state.name)
            if container is not None and container.terminationMessagePolicy == "FallbackToLogsOnError":
                path = log_path(self.pod, self.host.config, state.name, state.attempt)
                self.memory.last_words[state.id] = await asyncio.to_thread(last_words, path)

    async def _refresh_volumes(self, now: float) -> None:
        if now - self.refreshed < REFRESH or self.sandbox is None:
            return
        self.refreshed = now
        try:
            await self.host.volumes.refresh(self.pod)
        except VolumeError as error:
            self.stale(str(error))
        except (ApiError, TransportError, OSError) as error:
            log.info("%s: volumes not refreshed: %s", title(self.pod), error)

    def stale(self, why: str) -> None:
        log.info("%s: volumes not refreshed: %s", title(self.pod), why)
        self.tell("Warning", "FailedMount", why)
