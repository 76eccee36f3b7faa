"""A runtime without processes: pods run because it says so. Needs no root, no files, and works on virtual time.

What a pod does is data: annotations on it say when its containers end and whether its probes pass, words in an
image's name say that it is missing. An instance stands for one machine: an agent that is restarted on the same
instance finds its pods running.
"""

import asyncio
import hashlib
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from knarr.meta import clock
from knarr.node.runtimes.runtime import (
    ContainerSpec,
    ContainerState,
    Image,
    NoSuchContainer,
    PodSandbox,
    SandboxSpec,
)
from knarr.node.runtimes.simulated_streams import CannedReader, CannedSession, canned_http

EXIT_AFTER = "knarr.dev/simulated-exit-after"  #: seconds a container runs
EXIT_CODE = "knarr.dev/simulated-exit-code"
UNREADY = "knarr.dev/simulated-unready"  #: "true": probes fail
MISSING = ("missing", "nonexistent", "does-not-exist", "broken")  #: words in the name of an image that is not there
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

    def __init__(self, pod_cidr: str = "10.244.0.0/24", delays: Delays = Delays()) -> None:
        self.network = ipaddress.IPv4Network(pod_cidr)
        self.delays = delays
        self._specs: dict[str, SandboxSpec] = {}
        self._pods: dict[str, PodSandbox] = {}
        self._ends: dict[str, asyncio.TimerHandle] = {}
        self._changed = asyncio.Event()
        self._last = 0
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
        ip = "" if spec.host_network else self._free_address()
        await asyncio.sleep(self.delays.sandbox)
        pod = PodSandbox(
            uid=spec.uid,
            name=spec.name,
            namespace=spec.namespace,
            ip=ip,
            ips=(ip,) if ip else (),
            state="ready",
            created=clock.unix(),
            attempt=spec.attempt,
            labels=spec.labels,
        )
        self._put(pod)
        return pod

    async def stop_pod(self, uid: str) -> None:
        if (pod := self._pods.get(uid)) is None:
            return
        await asyncio.sleep(self.delays.stop)
        for container in self._pods[uid].containers:
            if container.state == "running":
                self._end(uid, container.id, 137, 9)
        self._put(replace(self._pods[uid], state="gone", ip=pod.ip))

    async def remove_pod(self, uid: str) -> None:
        self._pods.pop(uid, None)
        self._specs.pop(uid, None)
        self._tell(uid, None)

    async def start_container(self, uid: str, spec: ContainerSpec) -> str:
        if uid not in self._pods:
            raise NoSuchContainer(f"pod {uid} has no sandbox")
        await asyncio.sleep(self.delays.start)
        digest = hashlib.sha256(f"{uid}/{spec.name}/{spec.attempt}".encode()).hexdigest()
        pod = self._pods[uid]
        if any(each.id == digest for each in pod.containers):
            return digest
        state = ContainerState(
            id=digest,
            name=spec.name,
            attempt=spec.attempt,
            image=spec.image,
            image_id=image_id(spec.image),
            state="running",
            created=clock.unix(),
            started=clock.unix(),
        )
        self._put(replace(pod, containers=(*pod.containers, state)))
        annotations = self._specs[uid].annotations
        if after := annotations.get(EXIT_AFTER):
            code = int(annotations.get(EXIT_CODE, "0"))
            loop = asyncio.get_running_loop()
            self._ends[digest] = loop.call_later(float(after), self._end, uid, digest, code, 0)
        return digest

    async def stop_container(self, uid: str, container: str, grace: float) -> None:
        if not any(each.id == container and each.state == "running" for each in self._containers(uid)):
            return
        await asyncio.sleep(min(self.delays.stop, grace))
        self._end(uid, container, 0, 0)

    async def remove_container(self, uid: str, container: str) -> None:
        if pod := self._pods.get(uid):
            left = tuple(each for each in pod.containers if each.id != container or each.state == "running")
            self._put(replace(pod, containers=left))

    async def exec(
        self, uid: str, container: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> CannedSession:
        self._running(uid, container)
        return self._session(uid, 1 if self._unready(uid) else 0, stdin=stdin, stdout=stdout, stderr=stderr and not tty)

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

    async def images(self) -> list[Image]:
        names = sorted({each.image for pod in self._pods.values() for each in pod.containers})
        return [Image(id=image_id(name), names=(name,), size=0) for name in names]

    async def image_ready(self, name: str) -> Image | None:
        if any(word in name for word in MISSING):
            return None
        return Image(id=image_id(name), names=(name,), size=0)

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

    def _end(self, uid: str, container: str, code: int, signal: int) -> None:
        if timer := self._ends.pop(container, None):
            timer.cancel()
        if pod := self._pods.get(uid):
            ended = tuple(
                replace(
                    each,
                    state="exited",
                    exit_code=code,
                    signal=signal,
                    finished=clock.unix(),
                    reason="Error" if code else "Completed",
                )
                if each.id == container and each.state == "running"
                else each
                for each in pod.containers
            )
            self._put(replace(pod, containers=ended))

    def _unready(self, uid: str) -> bool:
        return uid in self._specs and self._specs[uid].annotations.get(UNREADY) == "true"

    def _session(self, uid: str, code: int, *, stdin: bool, stdout: bool, stderr: bool) -> CannedSession:
        return CannedSession(
            code,
            stdin=stdin,
            stdout=CannedReader(TEXT.encode()) if stdout else None,
            stderr=CannedReader(b"") if stderr else None,
        )

    def _free_address(self) -> str:
        taken = {pod.ip for pod in self._pods.values() if pod.state == "ready"}
        room = self.network.num_addresses - 3
        for _ in range(room):
            self._last = self._last % room + 1
            if (ip := str(self.network[self._last + 1])) not in taken:
                return ip
        raise NoSuchContainer(f"no address is free in {self.network}")


def image_id(name: str) -> str:
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()
