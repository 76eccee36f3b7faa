"""The sandbox runtime: what the agent asks for, done by one shim per pod. Implements `runtimes.runtime.Runtime`.

Nothing here is needed for a pod to go on: an agent that dies leaves the shims, and `start` finds them again.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from knarr import __version__
from knarr.meta import clock
from knarr.node.images.store import ImageStore, StoredImage
from knarr.node.runtimes.runtime import (
    ContainerSpec,
    Image,
    NoSuchContainer,
    PodSandbox,
    RuntimeFailure,
    SandboxSpec,
    Session,
)
from knarr.node.runtimes.sandbox import container, etc, host
from knarr.node.runtimes.sandbox.connection import Refused, launch
from knarr.node.runtimes.sandbox.pod import Pod, record
from knarr.node.runtimes.sandbox.session import PipeSession
from knarr.node.runtimes.sandbox.shim import kernel

PREFIX = "unable to start container process: "


class Network(Protocol):
    """What gives a pod its address; `knarr.net.podnetwork.PodNetwork` in a real node."""

    @property
    def address(self) -> str:
        """The node's own address."""

    async def add_pod(self, uid: str, network: Path) -> str: ...

    async def remove_pod(self, uid: str) -> None: ...

    async def pods(self) -> dict[str, str]: ...


class SandboxRuntime:
    """`directory` holds a directory for each pod; `hidden` are the host's places no pod may see."""

    name = "sandbox"
    version = __version__

    def __init__(
        self, directory: Path, images: ImageStore, network: Network, *, hidden: Sequence[Path] = (Path("/root/.kube"),)
    ) -> None:
        self._directory, self._images, self._network = directory, images, network
        self._hidden = [str(path) for path in hidden]
        self._pods: dict[str, Pod] = {}
        self._changed = asyncio.Event()
        self._groups: list[str] = []
        self._mounts: list[str] = []

    async def start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._images.layers.mkdir(parents=True, exist_ok=True)
        self._groups = await asyncio.to_thread(host.control_groups)
        self._mounts = await asyncio.to_thread(host.file_systems)
        for path in sorted(self._directory.glob("*/pod.json")):
            pod = Pod(path.parent, json.loads(path.read_bytes()), self._changed.set)
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
        if spec.host_pid:
            raise RuntimeFailure("hostPID is not supported by the sandbox runtime", reason="CreatePodSandboxError")
        pod = self._pods.get(spec.uid)
        if pod is None:
            pod = self._pods[spec.uid] = Pod(self._directory / spec.uid, record(spec), self._changed.set)
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
        if spec.host_network:
            pod.about["ip"] = self._network.address
        else:
            pod.about["ip"] = await self._network.add_pod(spec.uid, Path(f"/proc/{shim['pid']}/ns/net"))
        await asyncio.to_thread(_write_files, pod.directory, spec, pod.about["ip"])
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
            await asyncio.to_thread(_remove_tree, pod.directory)
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
        config = container.record(
            image,
            spec,
            id_=id_,
            pod=pod.directory,
            hostname=str(pod.about["hostname"]),
            layers=self._images.layers,
            hidden=self._hidden,
            host_mounts=self._mounts,
            groups=self._groups,
        )
        await asyncio.to_thread(_prepare, pod.directory / id_, config)
        try:
            await pod.call("start", id=id_)
        except RuntimeFailure as error:
            await asyncio.to_thread(_remove_tree, pod.directory / id_)
            if isinstance(error, Refused):
                raise RuntimeFailure(PREFIX + error.message) from error
            raise
        return id_

    async def stop_container(self, uid: str, container: str, grace: float) -> None:
        pod = self._pod(uid)
        if pod.state(container)["state"] != "running":
            return
        try:
            if grace > 0:
                gentle = await asyncio.to_thread(_stop_signal, pod.directory / container)
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
        await asyncio.to_thread(_remove_tree, pod.directory / container)
        self._changed.set()

    # streams

    async def exec(
        self, uid: str, container: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> Session:
        pod = self._pod(uid)
        if pod.state(container)["state"] != "running" or pod.connection is None:
            raise NoSuchContainer(f"container {container} is not running")
        number = pod.connection.number()
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        pod.execs[number] = ended
        asked = {"id": container, "args": list(command), "tty": tty}
        try:
            if tty:
                streams = await _exec_terminal(pod, asked, stdin)
            else:
                streams = await _exec_pipes(pod, asked, stdin=stdin, stdout=stdout, stderr=stderr)
        except Refused as error:
            pod.execs.pop(number, None)
            message = f"OCI runtime exec failed: exec failed: {PREFIX}{error.message}: unknown"
            raise RuntimeFailure(message, reason="ExecFailed") from error
        except RuntimeFailure:
            pod.execs.pop(number, None)
            raise
        return PipeSession(
            stdin=streams.get("stdin", -1),
            stdout=streams.get("stdout", -1),
            stderr=streams.get("stderr", -1),
            terminal=streams.get("terminal", -1),
            ended=ended,
            kill=lambda: pod.call("kill_exec", exec=number, signal=9),
        )

    async def attach(self, uid: str, container: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> Session:
        pod = self._pod(uid)
        wanted = [name for name, want in (("stdout", stdout), ("stderr", stderr and not tty)) if want]
        pipes = {name: os.pipe() for name in wanted}
        try:
            answer, back = await pod.call(
                "attach", [far for _, far in pipes.values()], id=container, streams=wanted, stdin=stdin
            )
        except Refused as error:
            for near, _ in pipes.values():
                os.close(near)
            raise NoSuchContainer(error.message) from error
        finally:
            for _, far in pipes.values():
                os.close(far)
        ended: asyncio.Future[int] = asyncio.ensure_future(_exit_code(pod, container))
        streams = {name: near for name, (near, _) in pipes.items()}
        terminal = back[0] if back and answer["terminal"] else -1
        into = os.dup(terminal) if terminal >= 0 and stdin else back[0] if back and not answer["terminal"] else -1
        out, err = streams.get("stdout", -1), streams.get("stderr", -1)
        return PipeSession(stdin=into, stdout=out, stderr=err, terminal=terminal, ended=ended)

    async def dial(
        self, uid: str, port: int, host: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        shim = self._pod(uid).shim()
        if shim is None:
            raise ConnectionRefusedError(f"pod {uid} has no sandbox any more")
        sock = await asyncio.to_thread(_socket_in, f"/proc/{shim['pid']}/ns/net", ":" in host)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
            return await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            raise

    # images

    async def images(self) -> list[Image]:
        return [_image(image) for image in await asyncio.to_thread(self._images.ls)]

    async def image_ready(self, name: str) -> Image | None:
        image = await asyncio.to_thread(self._images.find, name)
        return _image(image) if image else None


def _image(image: StoredImage) -> Image:
    return Image(image.id, image.names, image.size, image.entrypoint, image.command, image.user)


def _write_files(directory: Path, spec: SandboxSpec, ip: str) -> None:
    lines = Path("/etc/hosts").read_text() if spec.host_network else ""
    (directory / "hosts").write_text(etc.hosts(spec, ip, lines))
    (directory / "hostname").write_text(spec.hostname + "\n")
    (directory / "resolv.conf").write_text(etc.resolver(spec))


def _stop_signal(here: Path) -> int:
    name = str(json.loads((here / "config.json").read_bytes())["stop_signal"]).upper()
    number = int(name) if name.isdigit() else getattr(signal, f"SIG{name.removeprefix('SIG')}", signal.SIGTERM)
    return int(number)


def _prepare(here: Path, config: dict[str, Any]) -> None:
    for name in ("upper", "work", "root", "image", "empty"):
        (here / name).mkdir(mode=0o755, parents=True)
        (here / name).chmod(0o755)
    here.chmod(0o711)
    (here / "termination-log").touch(mode=0o666)
    (here / "termination-log").chmod(0o666)
    (here / "config.json").write_text(json.dumps(config))


def _remove_tree(path: Path) -> None:
    if path.exists():
        for config in (path / "config.json", *path.glob("*/config.json")):
            host.remove_groups(config)
        shutil.rmtree(path)


def _socket_in(network: str, ipv6: bool) -> socket.socket:
    """A TCP socket of another network namespace; runs in a thread, and only that thread moves, and back."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(network, os.O_RDONLY | os.O_CLOEXEC)
    try:
        kernel.setns(there, kernel.CLONE_NEWNET)
        try:
            sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_STREAM)
        finally:
            kernel.setns(before, kernel.CLONE_NEWNET)
    finally:
        os.close(before)
        os.close(there)
    sock.setblocking(False)
    return sock


async def _exec_pipes(pod: Pod, asked: dict[str, Any], **wanted: bool) -> dict[str, int]:
    pairs = {name: os.pipe() for name, want in wanted.items() if want}
    near = {name: pair[1 if name == "stdin" else 0] for name, pair in pairs.items()}
    far = [pair[0 if name == "stdin" else 1] for name, pair in pairs.items()]
    try:
        await pod.call("exec", far, **asked, **wanted)
    except RuntimeFailure:
        for number in near.values():
            os.close(number)
        raise
    finally:
        for number in far:
            os.close(number)
    return near


async def _exec_terminal(pod: Pod, asked: dict[str, Any], stdin: bool) -> dict[str, int]:
    near, far = socket.socketpair()
    with near, far:
        await pod.call("exec", [far.fileno()], **asked)
        _, (terminal,), _, _ = socket.recv_fds(near, 16, 1)
    os.set_inheritable(terminal, False)
    streams = {"stdout": os.dup(terminal), "terminal": terminal}
    return {**streams, "stdin": os.dup(terminal)} if stdin else streams


async def _exit_code(pod: Pod, container: str) -> int:
    await pod.wait_ended(container, None)
    return int(pod.state(container)["exit_code"])
