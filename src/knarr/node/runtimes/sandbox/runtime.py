"""The sandbox runtime: what the agent asks for, done by one shim per pod. Implements `runtimes.runtime.Runtime`.

Nothing here is needed for a pod to go on: an agent that dies leaves the shims, and `start` finds them again.
"""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from knarr import __version__
from knarr.meta import clock
from knarr.node.disk import used
from knarr.node.images.store import ImageStore, StoredImage
from knarr.node.runtimes.runtime import (
    NEVER_STARTED,
    START_ERROR,
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
from knarr.node.runtimes.sandbox import container, directory, host, streams, usage
from knarr.node.runtimes.sandbox.connection import ROOT_REFUSED, START_FAILURE, Refused, launch
from knarr.node.runtimes.sandbox.pod import Pod, read, record, unknown


class Network(Protocol):
    """What gives a pod its addresses, the first family's first; `knarr.net.node_pods.PodNetwork` in a real node."""

    @property
    def address(self) -> str:
        """The node's own address."""

    async def add_pod(self, uid: str, network: Path) -> tuple[str, ...]: ...

    async def remove_pod(self, uid: str) -> None: ...

    async def pods(self) -> dict[str, str]: ...


class SandboxRuntime:
    """`folder` holds a directory for each pod; `hidden` are places no pod may see besides `host.secrets`."""

    name = "sandbox"
    version = __version__

    def __init__(self, folder: Path, images: ImageStore, network: Network, *, hidden: Sequence[Path] = ()) -> None:
        self._folder, self._images, self._network = folder, images, network
        self._hidden = sorted(map(str, hidden))
        self._pods: dict[str, Pod] = {}
        self._changed = asyncio.Event()
        self._groups: list[str] = []
        self._mounts: list[str] = []

    async def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._images.layers.mkdir(parents=True, exist_ok=True)
        self._groups = await asyncio.to_thread(host.control_groups)
        self._mounts = await asyncio.to_thread(host.file_systems)
        self._hidden = sorted({*self._hidden, *await asyncio.to_thread(host.secrets)})  # the outer ones first
        for folder in sorted(self._folder.glob("*/")):
            pod = Pod(folder, read(folder / "pod.json") or unknown(folder.name), self._changed.set)
            self._pods[pod.uid] = pod
            if not await pod.connect():
                await self._end(pod)
        for uid in set(await self._network.pods()) - set(self._pods):
            await self._network.remove_pod(uid)
        self._changed.set()

    async def stop(self) -> None:
        for pod in self._pods.values():
            if pod.connection is not None:
                pod.connection.close()

    async def pods(self) -> list[PodSandbox]:
        self._changed.clear()
        return [pod.sandbox() for pod in self._pods.values()]

    async def wait_change(self) -> None:
        await self._changed.wait()

    # pods

    async def run_pod(self, spec: SandboxSpec) -> PodSandbox:
        pod = self._pods.get(spec.uid)
        if pod is None:
            pod = self._pods[spec.uid] = Pod(self._folder / spec.uid, record(spec), self._changed.set)
        async with pod.lock:
            if not pod.ready:
                await self._end(pod)
                pod.about = record(spec)
                try:
                    await self._make(pod, spec)
                except (OSError, RuntimeFailure) as error:
                    await self._end(pod)
                    self._changed.set()
                    if isinstance(error, RuntimeFailure):
                        raise
                    message = f"failed to create pod sandbox: {error}"
                    raise RuntimeFailure(message, reason="CreatePodSandboxError") from error
        self._changed.set()
        return pod.sandbox()

    async def _make(self, pod: Pod, spec: SandboxSpec) -> None:
        pod.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        pod.save()
        await launch(pod.directory)
        if not await pod.connect() or (shim := pod.shim()) is None:
            raise RuntimeFailure("failed to create pod sandbox: it ended at once", reason="CreatePodSandboxError")
        ips: tuple[str, ...] = (self._network.address,)
        if not spec.host_network:
            ips = await self._network.add_pod(spec.uid, Path(f"/proc/{shim['pid']}/ns/net"))
        pod.about |= {"ip": ips[0], "ips": ips}
        await asyncio.to_thread(directory.write_files, pod.directory, spec, ips)
        pod.about["ready"] = True
        pod.save()

    async def stop_pod(self, uid: str) -> None:
        if pod := self._pods.get(uid):
            async with pod.lock:
                await self._end(pod)

    async def _end(self, pod: Pod) -> None:
        """No process, no network, and recorded as such."""
        await pod.kill()
        await self._network.remove_pod(pod.uid)
        if pod.connection is not None:
            pod.connection.close()
        if pod.directory.is_dir():
            pod.about |= {"ready": False}
            pod.save()
            for name in ("socket", "shim.json"):
                (pod.directory / name).unlink(missing_ok=True)

    async def remove_pod(self, uid: str) -> None:
        if (pod := self._pods.get(uid)) is None:
            return
        async with pod.lock:
            await self._end(pod)
            await asyncio.to_thread(directory.remove_tree, pod.directory)
            self._pods.pop(uid, None)
        self._changed.set()

    def _pod(self, uid: str) -> Pod:
        if uid not in self._pods:
            raise NoSuchContainer(f"pod {uid} not found")
        return self._pods[uid]

    # containers

    async def start_container(self, uid: str, spec: ContainerSpec) -> str:
        pod = self._pod(uid)
        image = await asyncio.to_thread(self._images.find, spec.image)
        if image is None:
            raise RuntimeFailure(f'image "{spec.image}" not found', reason="CreateContainerError")
        id_ = f"{clock.rng().getrandbits(256):064x}"
        config = await asyncio.to_thread(
            container.record,
            image,
            spec,
            id_=id_,
            pod=pod.directory,
            hostname=str(pod.about["hostname"]),
            host_ipc=bool(pod.about["host_ipc"]),
            layers=self._images.layers,
            hidden=self._hidden,
            host_mounts=self._mounts,
            groups=self._groups,
        )
        await asyncio.to_thread(directory.prepare, pod.directory / id_, config)
        try:
            await pod.call("start", id=id_)
        except Refused as error:
            if error.message.startswith(ROOT_REFUSED):
                await asyncio.to_thread(directory.remove_tree, pod.directory / id_)
                place = f'pod: "{pod.about["name"]}_{pod.about["namespace"]}({uid})", container: {spec.name}'
                raise RuntimeFailure(f"{error.message} ({place})", reason="CreateContainerConfigError") from error
            await self._not_started(pod, id_, config["state"], START_FAILURE + error.message)
            raise NotStarted(START_FAILURE + error.message) from error
        except RuntimeFailure:
            await asyncio.to_thread(directory.remove_tree, pod.directory / id_)
            raise
        return id_

    async def _not_started(self, pod: Pod, id_: str, about: dict[str, Any], message: str) -> None:
        """Keep a record of a container whose command could not be run."""
        now = clock.unix()
        state = {"state": "exited", "created": now, "finished": now, "exit_code": NEVER_STARTED}
        state |= {**about, "reason": START_ERROR, "message": message}
        await asyncio.to_thread(directory.save_state, pod.directory / id_, state)
        pod.note(id_, state)

    async def stop_container(self, uid: str, container: str, grace: float) -> None:
        pod = self._pod(uid)
        if pod.state(container)["state"] != "running":
            return
        try:
            if grace > 0:
                gentle = await asyncio.to_thread(directory.stop_signal, pod.directory / container)
                await pod.call("signal", id=container, signal=gentle)
                if await pod.wait_ended(container, grace):
                    return
            await pod.call("signal", id=container, signal=int(signal.SIGKILL))
        except NoSuchContainer:
            return  # the whole pod went away
        await pod.wait_ended(container, None)

    async def remove_container(self, uid: str, container: str) -> None:
        pod = self._pods.get(uid)
        if pod is None or container not in pod.states:
            return
        if pod.states[container]["state"] == "running":
            raise RuntimeFailure(f"container {container} is running")
        if pod.connection is not None:
            await pod.call("remove", id=container)
        pod.states.pop(container, None)
        pod.ended.pop(container, None)
        await asyncio.to_thread(directory.remove_tree, pod.directory / container)
        self._changed.set()

    # streams

    async def exec(
        self, uid: str, container: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> Session:
        pod = self._pod(uid)
        return await streams.execute(pod, container, command, stdin=stdin, stdout=stdout, stderr=stderr, tty=tty)

    async def attach(self, uid: str, container: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> Session:
        return await streams.attach(self._pod(uid), container, stdin=stdin, stdout=stdout, stderr=stderr, tty=tty)

    async def dial(
        self, uid: str, port: int, host: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await streams.connect(self._pod(uid), port, host)

    async def usage(self) -> dict[str, Used]:
        running = {
            id_ for pod in self._pods.values() for id_, state in pod.states.items() if state["state"] == "running"
        }
        return await asyncio.to_thread(usage.usage, running) if running else {}

    async def written(self, uid: str) -> dict[str, int]:
        pod = self._pods.get(uid)
        layers = [(state["name"], pod.directory / id_ / "upper") for id_, state in pod.states.items()] if pod else []
        sizes = [(name, await asyncio.to_thread(used, layer)) for name, layer in layers]
        return {name: sum(size for each, size in sizes if each == name) for name, _ in sizes}

    # images

    async def images(self) -> list[Image]:
        return [_image(image) for image in await asyncio.to_thread(self._images.ls)]

    async def image_ready(self, name: str) -> Image | None:
        image = await asyncio.to_thread(self._images.find, name)
        return _image(image) if image else None


def _image(image: StoredImage) -> Image:
    return Image(image.id, image.names, image.size, image.entrypoint, image.command, image.user)
