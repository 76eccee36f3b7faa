"""The containerd runtime: what the agent asks for, as CRI calls. Implements `runtimes.runtime.Runtime`.

The pods' network is the node's own (`knarr.net.podnetwork`), wired after a sandbox' namespaces are there. containerd's
events say when to look; what is true is always what its lists say, which are also read once a second without events.
"""

import asyncio
import contextlib
import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from knarr.node.images.store import ImageStore
from knarr.node.runtimes.containerd import messages as cri
from knarr.node.runtimes.containerd import rotation, streams, translation
from knarr.node.runtimes.containerd.client import Client
from knarr.node.runtimes.containerd.daemon import Place
from knarr.node.runtimes.containerd.images import Images
from knarr.node.runtimes.containerd.pods import Pods, Record
from knarr.node.runtimes.containerd.view import View
from knarr.node.runtimes.runtime import (
    ContainerSpec,
    Image,
    NoSuchContainer,
    NotStarted,
    PodSandbox,
    RuntimeFailure,
    SandboxSpec,
    Session,
    Used,
)
from knarr.node.runtimes.sandbox.runtime import Network
from knarr.node.runtimes.sandbox.streams import connect_in

log = logging.getLogger(__name__)

RELIST = 1.0  #: seconds, as the kubelet's
SETTLING = (0.0, 0.02, 0.1, 0.4)  #: when to look after an event: CRI hears of it at its own pace
FAILED = "CreatePodSandboxError"


class ContainerdRuntime:
    """The pods of one node, in the containerd of its own at `place`, which somebody else starts."""

    name = "containerd"
    version = ""

    def __init__(self, place: Place, store: ImageStore, network: Network) -> None:
        self._place, self._network, self._store = place, network, store
        self._pods = Pods(place.folder / "pods")
        self._seen: list[PodSandbox] = []
        self._changed, self._nudged = asyncio.Event(), asyncio.Event()
        self._looking = asyncio.Lock()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._client = Client(self._place.socket)
        self._images = Images(self._place, self._store, self._client)
        self._view = View(self._client, self._pods)
        self.version = (await self._client.ask("Version", cri.Empty(), cri.VersionResponse)).runtime_version
        await asyncio.to_thread(self._pods.load)
        await self._images.ensure_pause()
        await self._tidy()
        self._tasks = [
            asyncio.create_task(self._listen(), name="containerd's events"),
            asyncio.create_task(self._follow(), name="containerd's lists"),
            asyncio.create_task(self._rotate(), name="containers' logs"),
        ]
        self._changed.set()

    async def _tidy(self) -> None:
        """What an agent left half done: addresses of pods that are gone, containers that never started."""
        for pod in await self._view.look():
            for container in pod.containers:
                if container.state == "created":
                    await self._client.tell("RemoveContainer", cri.ContainerId(container_id=container.id))
        ready = {uid for uid, each in self._view.sandboxes.items() if self._view.ready(each[-1])}
        for uid in set(await self._network.pods()) - ready:
            await self._network.remove_pod(uid)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    # what runs

    async def pods(self) -> list[PodSandbox]:
        async with self._looking:
            self._changed.clear()
            self._seen = await self._view.look()
            return self._seen

    async def wait_change(self) -> None:
        await self._changed.wait()

    async def _listen(self) -> None:
        """Let every event of containerd's be a reason to look."""
        while True:
            try:
                async for _ in self._client.events():
                    self._nudged.set()
            except RuntimeFailure as error:
                log.warning("%s", error.message)
            await asyncio.sleep(RELIST)

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RELIST):
                    await self._nudged.wait()
            settling = SETTLING if self._nudged.is_set() else SETTLING[:1]
            self._nudged.clear()
            for pause in settling:
                await asyncio.sleep(pause)
                await self._compare()

    async def _compare(self) -> None:
        async with self._looking:
            try:
                if await self._view.look() != self._seen:
                    self._changed.set()
            except RuntimeFailure as error:
                log.warning("containerd does not answer: %s", error.message)

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(rotation.EVERY)
            for pod in list(self._seen):
                for container in pod.containers:
                    if container.state != "running" or not container.log_path:
                        continue
                    if await asyncio.to_thread(rotation.rotate, Path(container.log_path)):
                        with contextlib.suppress(RuntimeFailure):  # it ends just now
                            await self._client.tell("ReopenContainerLog", cri.ContainerId(container_id=container.id))

    # pods

    async def run_pod(self, spec: SandboxSpec) -> PodSandbox:
        async with self._locks[spec.uid]:
            earlier = (await self._view.list_sandboxes()).get(spec.uid, [])
            if not earlier or not self._view.ready(earlier[-1]):
                await self._end(spec.uid, earlier)
                attempt = max([spec.attempt, *(each.metadata.attempt + 1 for each in earlier)])
                await self._make(spec, translation.sandbox_config(spec, attempt, self._place.cgroup))
        self._nudged.set()
        async with self._looking:
            return next(pod for pod in await self._view.look() if pod.uid == spec.uid)

    async def _make(self, spec: SandboxSpec, config: cri.PodSandboxConfig) -> None:
        """A sandbox and its network; neither when one fails."""
        spec.log_directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        request = cri.RunPodSandboxRequest(config=config)
        id_ = (await self._client.ask("RunPodSandbox", request, cri.PodSandboxId, reason=FAILED)).pod_sandbox_id
        try:
            network = await self._namespace(id_)
            shared = spec.host_network
            ips = (self._network.address,) if shared else await self._network.add_pod(spec.uid, network)
            record = Record(sandbox=id_, config=config, network=str(network), ip=ips[0], ips=ips)
            await asyncio.to_thread(self._pods.save, spec, record)
        except (OSError, RuntimeFailure) as error:
            for method in ("StopPodSandbox", "RemovePodSandbox"):
                await self._client.tell(method, cri.PodSandboxId(pod_sandbox_id=id_))
            await self._network.remove_pod(spec.uid)
            raise RuntimeFailure(f"failed to create pod sandbox: {error}", reason=FAILED) from error

    async def _namespace(self, sandbox: str) -> Path:
        """The file of a sandbox' network namespace."""
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox, verbose=True)
        answer = await self._client.ask("PodSandboxStatus", request, cri.PodSandboxStatusResponse)
        info = json.loads(answer.info["info"])
        spaces = info["runtimeSpec"]["linux"]["namespaces"]
        path = next((each.get("path") for each in spaces if each["type"] == "network"), None)
        return Path(path or f"/proc/{info['pid']}/ns/net")

    async def stop_pod(self, uid: str) -> None:
        async with self._locks[uid]:
            await self._end(uid, (await self._view.list_sandboxes()).get(uid, []))
        self._nudged.set()

    async def _end(self, uid: str, sandboxes: Sequence[cri.PodSandbox]) -> None:
        for sandbox in sandboxes:
            await self._client.tell("StopPodSandbox", cri.PodSandboxId(pod_sandbox_id=sandbox.id))
        await self._network.remove_pod(uid)

    async def remove_pod(self, uid: str) -> None:
        async with self._locks[uid]:
            sandboxes = (await self._view.list_sandboxes()).get(uid, [])
            await self._end(uid, sandboxes)
            for sandbox in sandboxes:
                await self._client.tell("RemovePodSandbox", cri.PodSandboxId(pod_sandbox_id=sandbox.id))
            await asyncio.to_thread(self._pods.remove, uid)
        self._locks.pop(uid, None)
        self._nudged.set()

    def _record(self, uid: str) -> Record:
        if (record := self._pods.records.get(uid)) is None:
            raise NoSuchContainer(f"pod {uid} not found")
        return record

    # containers

    async def start_container(self, uid: str, spec: ContainerSpec) -> str:
        record = self._record(uid)
        image = await self._images.find(spec.image)
        if image is None:
            raise RuntimeFailure(f'image "{spec.image}" not found', reason="CreateContainerError")
        if refusal := translation.refusal(spec, image):
            raise RuntimeFailure(refusal, reason="CreateContainerConfigError")
        own = await asyncio.to_thread(self._pods.prepare, uid, spec)
        config = translation.container_config(spec, record.config, image, own)
        request = cri.CreateContainerRequest(pod_sandbox_id=record.sandbox, config=config, sandbox_config=record.config)
        made = await self._client.ask("CreateContainer", request, cri.ContainerId, reason="CreateContainerError")
        try:
            await self._client.tell("StartContainer", made)
        except NoSuchContainer:
            raise
        except RuntimeFailure as error:
            raise NotStarted(error.message) from error
        finally:
            self._nudged.set()
        return made.container_id

    async def stop_container(self, uid: str, container: str, grace: float) -> None:
        request = cri.StopContainerRequest(container_id=container, timeout=translation.seconds(grace))
        with contextlib.suppress(NoSuchContainer):
            await self._client.tell("StopContainer", request, patience=None)
        self._nudged.set()

    async def remove_container(self, uid: str, container: str) -> None:
        states = {each.id: each for pod in self._seen if pod.uid == uid for each in pod.containers}
        with contextlib.suppress(NoSuchContainer):
            await self._client.tell("RemoveContainer", cri.ContainerId(container_id=container))
        if state := states.get(container):
            await asyncio.to_thread(self._pods.forget, uid, state.name, state.attempt)
        self._nudged.set()

    # streams

    async def exec(
        self, uid: str, container: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> Session:
        err = stderr and not tty
        out = stdout or not (stdin or err)  # CRI wants at least one
        request = cri.ExecRequest(container, list(command), tty, stdin, out, err)
        answer = await self._client.ask("Exec", request, cri.StreamResponse, reason="ExecFailed")
        return await streams.open_session(answer.url, stdin=stdin, stdout=out, stderr=err, tty=tty)

    async def attach(self, uid: str, container: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> Session:
        err = stderr and not tty
        request = cri.AttachRequest(container, stdin, tty, stdout, err)
        answer = await self._client.ask("Attach", request, cri.StreamResponse)
        return await streams.open_session(answer.url, stdin=stdin, stdout=stdout, stderr=err, tty=tty)

    async def dial(
        self, uid: str, port: int, host: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await connect_in(self._record(uid).network, port, host)

    async def usage(self) -> dict[str, Used]:
        listed = await self._client.ask("ListContainerStats", cri.Empty(), cri.ListContainerStatsResponse)
        return {
            each.attributes.id: Used(each.memory.working_set_bytes.value, each.cpu.usage_core_nano_seconds.value / 1e9)
            for each in listed.stats
            if each.cpu is not None and each.cpu.usage_core_nano_seconds is not None
            if each.memory is not None and each.memory.working_set_bytes is not None
        }

    async def written(self, uid: str) -> dict[str, int]:
        names = {each.id: each.name for pod in self._seen if pod.uid == uid for each in pod.containers}
        listed = await self._client.ask("ListContainerStats", cri.Empty(), cri.ListContainerStatsResponse)
        return {
            names[each.attributes.id]: each.writable_layer.used_bytes.value
            for each in listed.stats
            if each.attributes.id in names
            if each.writable_layer is not None and each.writable_layer.used_bytes is not None
        }

    # images

    async def images(self) -> list[Image]:
        return [translation.image(each) for each in await self._images.ls()]

    async def image_ready(self, name: str) -> Image | None:
        found = await self._images.find(name)
        return translation.image(found) if found else None
