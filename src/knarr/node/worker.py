"""One pod's worker: asks `pod.plan` what to do, does it, and has the status written whenever it changed.

A worker lives from the moment its pod is bound here (or found running) until the pod and its object are gone. Nothing
it does is lost when it dies: the runtime knows what runs, the API knows what should.
"""

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from msgspec.structs import replace

from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import Container, Pod
from knarr.meta import clock
from knarr.meta.errors import ApiError, Conflict, NotFound
from knarr.node import eviction, failures, pulls, put_back, unconfirmed
from knarr.node.env import EnvError, environment
from knarr.node.health import Health
from knarr.node.host import Host
from knarr.node.lifecycle import begin_hook, end
from knarr.node.logs import last_words
from knarr.node.memory import Memory, Reason
from knarr.node.pod import OVERDUE, crashed, ending, everyone, overdue_at, plan, title
from knarr.node.runtimes.runtime import PodSandbox, RuntimeFailure
from knarr.node.spec import container_spec, log_path, sandbox_spec
from knarr.node.status import ENDS
from knarr.node.status_writer import TRIES, StatusWriter
from knarr.node.steps import DeleteObject, Forget, Hold, Prepare, RunSandbox, Start, Step, Stop, StopSandbox, TearDown
from knarr.node.volumes.volume import VolumeError

log = logging.getLogger(__name__)

REFRESH = 60.0  #: seconds between looks at the contents of mounted ConfigMaps, Secrets and tokens


class Worker:
    def __init__(self, host: Host, pod: Pod, *, orphan: bool = False) -> None:
        self.host, self.pod = host, pod
        self.told: Pod | None = None if orphan else pod  #: the object as its collection last showed it
        self.memory = Memory(removed=orphan, prepared=False)
        self.done = asyncio.Event()
        self._orphan = orphan
        self._wake = asyncio.Event()
        self._refreshed = 0.0
        self.writer = StatusWriter(self)

    @property
    def uid(self) -> str:
        return self.pod.metadata.uid

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
            self._group = group
            self.health = Health(self.host.runtime, self.memory, group, self._told, self.wake)
            writing = group.create_task(self.writer.run(), name=f"status of {title(self.pod)}")
            try:
                if not self.memory.admitted and not self._orphan:
                    await self.host.admit(self)
                while not self.done.is_set():
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
        try:
            async with asyncio.timeout(max(0.0, left) if left < math.inf else None):
                await self._wake.wait()
        except TimeoutError:
            return

    async def turn(self) -> float | None:
        """One pass. Returns when to look again if nothing happens before; None: at once."""
        now = clock.unix()
        self.memory.behind = self.sandbox is None and self.host.outlived(self)
        steps = plan(self.pod, self.sandbox, self.memory, now)
        self._note([step for step in steps if isinstance(step, Hold)])
        ends = ending(self.pod, self.sandbox, self.memory, now)
        self.health.follow(self.pod, self.sandbox, ends)
        self._tell_overdue(now)
        await self._hear_last_words()
        acts = [step for step in steps if not isinstance(step, Hold)]
        self.writer.request(moving=bool(acts))
        for step in acts:
            log.log(self.host.steps_logged, "%s: %s", title(self.pod), step)
            if not await self._carry_out(step):
                # what starts leaves a retry behind, which the next plan turns into a Hold; what ends does not
                if not isinstance(step, Start | Prepare | RunSandbox):
                    await asyncio.sleep(self.memory.retries[""].at - clock.unix())
                return None
        if acts:
            self.memory.retries.pop("", None)
            await self.host.refresh()
            return None
        if self.memory.removed and self.memory.torn_down:
            self.done.set()
            return None
        again = min((step.until for step in steps if isinstance(step, Hold)), default=now + self.host.looks)
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
        containers = everyone(self.pod)
        for name, why in reasons.items():
            if self.memory.waiting.get(name) == why:
                continue
            if why.reason == "ImagePullBackOff":
                self.tell("Normal", "BackOff", f'Back-off pulling image "{containers[name].image}"', containers[name])
                self.tell("Warning", "Failed", "Error: ImagePullBackOff", containers[name])
            elif why.reason == "CrashLoopBackOff":
                message = f"Back-off restarting failed container {name} in pod {title(self.pod)}"
                self.tell("Warning", "BackOff", message, containers[name])
        self.memory.waiting = reasons

    async def _hear_last_words(self) -> None:
        """Read the end of the logs of those that failed without a message and want it to be their message."""
        containers = everyone(self.pod)
        for state in self.sandbox.containers if self.sandbox else ():
            container = containers.get(state.name)
            wanted = container is not None and container.terminationMessagePolicy == "FallbackToLogsOnError"
            failed = state.state == "exited" and state.exit_code and not state.message
            if wanted and failed and state.id not in self.memory.last_words and self.host.runtime.name != "simulated":
                path = log_path(self.pod, self.host.config, state.name, state.attempt)
                self.memory.last_words[state.id] = await asyncio.to_thread(last_words, path)

    async def _refresh_volumes(self, now: float) -> None:
        if now - self._refreshed < REFRESH or self.sandbox is None:
            return
        self._refreshed = now
        try:
            await self.host.volumes.refresh(self.pod)
        except VolumeError as error:
            self._stale(str(error))
        except (ApiError, TransportError, OSError) as error:
            log.info("%s: volumes not refreshed: %s", title(self.pod), error)

    def _stale(self, why: str) -> None:
        log.info("%s: volumes not refreshed: %s", title(self.pod), why)
        self.tell("Warning", "FailedMount", why)

    # ---------------------------------------------------------------- steps

    async def _carry_out(self, step: Step) -> bool:
        """Do one step; whether it worked. A failure is remembered as a retry."""
        try:
            match step:
                case Prepare():
                    await self._prepare()
                case RunSandbox():
                    await self._run_sandbox(step)
                case Start():
                    await self._start(step)
                case Stop():
                    self.memory.stopping[step.id] = step.grace
                    self.memory.replaced |= {step.id} if step.replaced else set()
                    self._group.create_task(end(self, step), name=f"stop {step.name} of {title(self.pod)}")
                case Forget():
                    await self.host.runtime.remove_container(self.uid, step.id)
                case StopSandbox():
                    await self.host.runtime.stop_pod(self.uid)
                    await self.host.volumes.give_back(self.pod)
                    self.memory.stopped = True
                case TearDown():
                    await self._tear_down()
                case DeleteObject():
                    await self._delete()
        except (RuntimeFailure, EnvError, VolumeError, ApiError, TransportError, OSError) as error:
            failures.remember(self, step, error)
            return False
        return True

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """While it lasts, the runtime may have started what it does not show yet."""
        self.memory.starting, self.memory.stopped = True, False
        try:
            yield
        finally:
            self.memory.starting = False

    async def _tear_down(self) -> None:
        """Remove what is left of a pod none of whose processes is left."""
        if self.pod.status.phase not in ENDS:
            await self.writer.flush()  # how it ended is not known any more once it is gone
        await self.host.runtime.remove_pod(self.uid)
        await self.host.volumes.tear_down(self.pod)
        self.memory.torn_down = True
        unconfirmed.ended(self)

    async def _prepare(self) -> None:
        runs = self.sandbox is not None and self.sandbox.state == "ready"
        if why := await self.host.volumes.prepare(self.pod, runs=runs):
            self._stale(why)
        self.memory.prepared = True
        self.memory.retries.pop("", None)
        self._refreshed = clock.unix()

    async def _run_sandbox(self, step: RunSandbox) -> None:
        if step.attempt:
            self.tell("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
            await self.host.runtime.stop_pod(self.uid)
        self.memory.launched.clear()
        with self._starting():
            sandbox = await self.host.runtime.run_pod(sandbox_spec(self.pod, self.host.config, step.attempt))
        self.host.sandboxes[self.uid] = sandbox
        self.memory.retries.pop("", None)
        self.writer.request(moving=True)

    async def _start(self, step: Start) -> None:
        container = everyone(self.pod)[step.name]
        tell = partial(self._say, container)
        await pulls.ensure(self.host.runtime, container, tell)
        pod = self._with_address()
        env = environment(pod, container, await self.host.sources(pod, container))
        mounts = await self.host.volumes.mounts(pod, container, env)
        spec = container_spec(pod, container, step.attempt, env, mounts, self.host.config)
        if step.finished:
            crashed(self.memory, step)
        with self._starting():
            id_ = await self.host.runtime.start_container(self.uid, spec)
        self.memory.launched[step.name] = step.attempt
        tell("Normal", "Created", "Container created")
        tell("Normal", "Started", "Container started")
        self.memory.retries.pop(step.name, None)
        self.memory.waiting.pop(step.name, None)
        await begin_hook(self, container, id_)

    def _say(self, container: Container, type_: str, reason: str, message: str) -> None:
        self.tell(type_, reason, message, container)

    def _with_address(self) -> Pod:
        """The pod with the addresses its status will show: the environment may refer to them."""
        status = self.writer.current()
        return replace(self.pod, status=status)

    async def _delete(self) -> None:
        await self.writer.flush()
        for left in reversed(range(TRIES)):
            meta = self.pod.metadata
            try:  # only the version that is known: not one that a snapshot put back
                await self.host.api.delete(
                    Pod, meta.name, meta.namespace, uid=meta.uid, resource_version=meta.resourceVersion, grace=0
                )
            except NotFound:
                self.memory.removed = True
            except Conflict:
                if not left:
                    raise
                await self.writer.reload()
            else:
                self.memory.deleted = True
            if self.memory.removed or self.memory.deleted:
                return
