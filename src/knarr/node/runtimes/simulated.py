"""A runtime without processes: pods run because it says so. Needs no root, no files, and works on virtual time.

What a pod does is data: stages (`knarr.node.simulation.stages`) and annotations on it say when its containers end and
whether its probes pass. An instance stands for one machine: an agent that is restarted on the same instance finds its
pods running.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from knarr.meta import clock
from knarr.node.runtimes.runtime import (
    START_ERROR,
    ContainerSpec,
    ContainerState,
    Image,
    NoSuchContainer,
    NotStarted,
    PodSandbox,
    RuntimeFailure,
    SandboxSpec,
    Used,
)
from knarr.node.runtimes.simulated_states import image, never_started, over, running
from knarr.node.runtimes.simulated_streams import (
    CannedReader,
    CannedSession,
    canned_http,
    refused,
    unplayable,
)
from knarr.node.simulation.defaults import UNREADY, annotated_end, annotated_usage, interrupted, there
from knarr.node.simulation.life import Life
from knarr.node.simulation.stages import NO_STAGES, Exit, Point, Stages, Subject

IDLE = Point(0.0, 0.0, 0.0)  #: what a container uses of which nothing is said
TEXT = "simulated: this pod has no process\n"


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds each kind of step takes."""

    sandbox: float = 0.01
    start: float = 0.01
    stop: float = 0.01


class SimulatedRuntime:
    """One simulated machine."""

    name = "simulated"
    version = "1.0"

    def __init__(
        self,
        pod_cidr: str = "10.244.0.0/24",
        second_pod_cidr: str = "",
        *,
        delays: Delays = Delays(),
        stages: Stages = NO_STAGES,
    ) -> None:
        given = (pod_cidr, second_pod_cidr)
        self.networks = tuple(ipaddress.ip_network(each) for each in given if each)  #: one, or one of each family
        self._room = min(network.num_addresses for network in self.networks) - 3
        self.delays, self.stages = delays, stages
        self._specs: dict[str, SandboxSpec] = {}
        self._pods: dict[str, PodSandbox] = {}
        self._lives: dict[str, Life] = {}  # by container id
        self._changed = asyncio.Event()
        self._last = 0  # the number of the address that was given last
        self._given: dict[str, str] = {}  # addresses to the uids of the pods that had them last
        self.follower: Callable[[str, PodSandbox | None], None] | None = None  #: told each change at once, by uid

    @property
    def sandboxes(self) -> Mapping[str, PodSandbox]:
        """What runs, by uid."""
        return self._pods

    async def start(self) -> None:
        self._changed.set()

    async def stop(self) -> None:
        """Pods keep running; so do the timers that end them."""

    async def pods(self) -> list[PodSandbox]:
        self._changed.clear()
        return list(self._pods.values())

    async def wait_change(self) -> None:
        await self._changed.wait()

    async def run_pod(self, spec: SandboxSpec) -> PodSandbox:
        if (known := self._pods.get(spec.uid)) and known.state == "ready":
            return known
        self._specs[spec.uid] = spec
        ips = () if spec.host_network else self._free_addresses()
        await asyncio.sleep(self.delays.sandbox)
        pod = PodSandbox(
            uid=spec.uid,
            name=spec.name,
            namespace=spec.namespace,
            ip=ips[0] if ips else "",
            ips=ips,
            state="ready",
            created=clock.unix(),
            attempt=spec.attempt,
            labels=spec.labels,
        )
        self._put(pod)
        self._given[pod.ip] = pod.uid
        return pod

    async def stop_pod(self, uid: str) -> None:
        if (pod := self._pods.get(uid)) is None:
            return
        await asyncio.sleep(self.delays.stop)
        for container in self._pods[uid].containers:
            if container.state == "running":
                self._end(uid, container.id, Exit(137, 9))
        self._put(replace(self._pods[uid], state="gone", ip=pod.ip))

    async def remove_pod(self, uid: str) -> None:
        self._pods.pop(uid, None)
        self._specs.pop(uid, None)
        self._tell(uid, None)

    async def start_container(self, uid: str, spec: ContainerSpec) -> str:
        if uid not in self._pods:
            raise NoSuchContainer(f"pod {uid} has no sandbox")
        subject = self._subject(uid, spec.name, spec.image)
        await self._begin(uid, spec, subject)
        annotations = self._specs[uid].annotations
        end, used = annotated_end(annotations), annotated_usage(annotations)
        pod, state = self._pods[uid], running(uid, spec)
        digest = state.id
        if any(each.id == digest for each in pod.containers):
            return digest
        self._put(replace(pod, containers=(*pod.containers, state)))
        life = self._lives[digest] = Life(self.stages, subject, partial(self._end, uid, digest))
        life.begin(end, used)
        return digest

    def _put_dead(self, uid: str, spec: ContainerSpec, why: str) -> None:
        """Show a container that was made and could not be started."""
        state = never_started(running(uid, spec), why)
        self._put(replace(self._pods[uid], containers=(*self._pods[uid].containers, state)))

    async def _begin(self, uid: str, spec: ContainerSpec, subject: Subject) -> None:
        """Take the time that a start takes; RuntimeFailure when it is to fail."""
        stage = self.stages.pod("starting", subject, clock.rng())
        await asyncio.sleep(self.delays.start if stage is None else stage.seconds(clock.rng()))
        failure = stage.effect.failure if stage is not None else None
        if failure is not None and failure.reason != START_ERROR:
            raise RuntimeFailure(failure.message, reason=failure.reason)
        if uid not in self._pods:
            raise NoSuchContainer(f"pod {uid} has no sandbox")
        if failure is not None:
            self._put_dead(uid, spec, failure.message)
            raise NotStarted(failure.message)

    async def stop_container(self, uid: str, container: str, grace: float) -> None:
        state = next((e for e in self._containers(uid) if e.id == container and e.state == "running"), None)
        if state is None:
            return
        subject = self._subject(uid, state.name, state.image)
        stage = self.stages.pod("stopping", subject, clock.rng())
        seconds = self.delays.stop if stage is None else stage.seconds(clock.rng())
        await asyncio.sleep(min(seconds, grace))
        if seconds > grace:
            self._end(uid, container, Exit(137, 9))
        else:
            self._end(uid, container, (stage.effect.exit if stage else None) or interrupted(subject.owner))

    async def remove_container(self, uid: str, container: str) -> None:
        if pod := self._pods.get(uid):
            left = tuple(each for each in pod.containers if each.id != container or each.state == "running")
            self._put(replace(pod, containers=left))

    async def exec(
        self, uid: str, container: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> CannedSession:
        self._running(uid, container)
        if why := unplayable(command):
            return refused(why, stdin=stdin, stdout=stdout, stderr=stderr and not tty)
        return self._session(
            uid, 1 if self._unready(uid, container) else 0, stdin=stdin, stdout=stdout, stderr=stderr and not tty
        )

    async def attach(
        self, uid: str, container: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> CannedSession:
        self._running(uid, container)
        return self._session(uid, 0, stdin=stdin, stdout=stdout, stderr=stderr and not tty)

    async def dial(
        self, uid: str, port: int, host: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if uid not in self._pods or self._pods[uid].state != "ready" or self._unready(uid):
            raise ConnectionRefusedError(f"dial tcp {host}:{port}: connect: connection refused")
        return canned_http(TEXT.encode())

    async def usage(self) -> dict[str, Used]:
        used = {id_: life.uses() or IDLE for id_, life in self._lives.items()}
        return {id_: Used(point.memory, cpu=point.cpu) for id_, point in used.items()}

    async def written(self, uid: str) -> dict[str, int]:
        return {}

    async def images(self) -> list[Image]:
        names = sorted({each.image for pod in self._pods.values() for each in pod.containers})
        return [image(name) for name in names]

    async def image_ready(self, name: str) -> Image | None:
        stage = self.stages.pod("pulling", Subject(image=name), clock.rng())
        if stage is not None:
            await asyncio.sleep(stage.seconds(clock.rng()))
            if failure := stage.effect.failure:
                raise RuntimeFailure(failure.message, reason=failure.reason)
        elif not there(name):
            return None
        return image(name)

    # ------------------------------------------------------------------ state

    def _put(self, pod: PodSandbox) -> None:
        self._pods[pod.uid] = pod
        self._tell(pod.uid, pod)

    def _tell(self, uid: str, pod: PodSandbox | None) -> None:
        self._changed.set()
        if self.follower is not None:
            self.follower(uid, pod)

    def _containers(self, uid: str) -> tuple[ContainerState, ...]:
        pod = self._pods.get(uid)
        return pod.containers if pod else ()

    def _running(self, uid: str, container: str) -> ContainerState:
        for each in self._containers(uid):
            if each.id == container and each.state == "running":
                return each
        raise NoSuchContainer(f"container {container} of pod {uid} is not running")

    def uses(self, container: str) -> Point | None:
        """What a running container uses now; None when nothing says."""
        life = self._lives.get(container)
        return life.uses() if life is not None else None

    def _subject(self, uid: str, container: str, image: str) -> Subject:
        spec = self._specs[uid]
        return Subject(spec.name, spec.namespace, spec.labels, spec.annotations, spec.owner, container, image)

    def _end(self, uid: str, container: str, how: Exit) -> None:
        if life := self._lives.pop(container, None):
            life.stop()
        if pod := self._pods.get(uid):
            states = tuple(
                over(each, how) if each.id == container and each.state == "running" else each for each in pod.containers
            )
            self._put(replace(pod, containers=states))

    def _unready(self, uid: str, container: str = "") -> bool:
        """Whether probes of a container fail, or those of any, when it is not known whose port is asked for."""
        if uid in self._specs and self._specs[uid].annotations.get(UNREADY) == "true":
            return True
        ids = [container] if container else [each.id for each in self._containers(uid) if each.state == "running"]
        return any(life is not None and not life.healthy for life in map(self._lives.get, ids))

    def _session(self, uid: str, code: int, *, stdin: bool, stdout: bool, stderr: bool) -> CannedSession:
        return CannedSession(
            code,
            stdin=stdin,
            stdout=CannedReader(TEXT.encode()) if stdout else None,
            stderr=CannedReader(b"") if stderr else None,
        )

    def _free_addresses(self) -> tuple[str, ...]:
        """The addresses of one number in each range, whose first one is free."""
        for _ in range(self._room):
            self._last = self._last % self._room + 1
            ips = tuple([str(network[self._last + 1]) for network in self.networks])
            if not self._has(ips[0]):
                return ips
        raise NoSuchContainer(f"no address is free in {self.networks[0]}")

    def _has(self, ip: str) -> bool:
        """Whether a pod that runs has this address."""
        pod = self._pods.get(self._given.get(ip, ""))
        return pod is not None and pod.ip == ip and pod.state == "ready"
