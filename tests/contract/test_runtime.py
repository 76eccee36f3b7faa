"""What the node agent relies on in every runtime. A runtime joins by adding itself to RUNTIMES, as an async context
manager that gives a Subject.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from knarr.net.namespace import inside
from knarr.net.netlink import Netlink
from knarr.node.images.store import ImageStore
from knarr.node.runtimes.containerd import daemon as containerd_daemon
from knarr.node.runtimes.runtime import ContainerSpec, Runtime, RuntimeFailure, SandboxSpec
from knarr.node.runtimes.sandbox import cleaning
from knarr.node.runtimes.sandbox.runtime import SandboxRuntime
from knarr.node.runtimes.simulated import Delays, SimulatedRuntime
from knarr.node.simulation.defaults import EXIT_AFTER, EXIT_CODE


@dataclass(frozen=True)
class Subject:
    """A runtime under test and how its containers are told what to do."""

    runtime: Runtime
    folder: Path
    image: str
    forever: tuple[str, ...] = ("sleep", "1000")
    failing: tuple[str, ...] = ("sh", "-c", "exit 3")
    real: bool = True  #: runs processes

    def sandbox(self, uid: str = "u1", **changes) -> SandboxSpec:
        spec = SandboxSpec(
            uid=uid,
            name=f"pod-{uid}",
            namespace="default",
            hostname=f"pod-{uid}",
            log_directory=self.folder / "logs" / uid,
            labels={"app": "x"},
        )
        return replace(spec, **changes)

    def container(self, name: str = "main", attempt: int = 0, command: tuple[str, ...] = ()) -> ContainerSpec:
        path = self.folder / "logs" / name / f"{attempt}.log"
        return ContainerSpec(
            name=name, attempt=attempt, image=self.image, log_path=path, command=command or self.forever
        )


@contextlib.asynccontextmanager
async def simulated(folder: Path):
    runtime = SimulatedRuntime("10.9.0.0/24", delays=Delays(0, 0, 0))
    await runtime.start()
    yield Subject(runtime, folder, "app:1", real=False)
    await runtime.stop()


class LoopbackOnly:
    """Stands for the pod network: each pod has an address it is told, and its loopback device."""

    address = "172.30.0.2"

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    async def add_pod(self, uid: str, network: Path) -> tuple[str, ...]:
        await asyncio.to_thread(self._up, network)
        return (self._taken.setdefault(uid, f"10.9.0.{len(self._taken) + 2}"),)

    def _up(self, network: Path) -> None:
        with inside(network), Netlink() as kernel:
            kernel.set_link("lo", up=True)

    async def remove_pod(self, uid: str) -> None:
        self._taken.pop(uid, None)

    async def pods(self) -> dict[str, str]:
        return dict(self._taken)


@contextlib.asynccontextmanager
async def sandbox(folder: Path):
    if os.geteuid() != 0:
        pytest.skip("sandboxes need root")
    store = ImageStore(folder / "images")
    (folder / "Dockerfile").write_text("FROM host\n")
    store.build("app:1", folder)
    runtime = SandboxRuntime(folder / "sandboxes", store, LoopbackOnly(), hidden=[folder])
    await runtime.start()
    try:
        yield Subject(runtime, folder, "app:1")
    finally:
        await runtime.stop()
        cleaning.clean_node(folder)


@contextlib.asynccontextmanager
async def containerd(folder: Path):
    if lacking := containerd_daemon.missing():
        pytest.skip(f"no containerd here: {'; '.join(lacking)}")
    from knarr.node.runtimes.containerd import cleaning
    from knarr.node.runtimes.containerd.runtime import ContainerdRuntime

    place = containerd_daemon.of_node(folder)
    store = ImageStore(folder / "images")
    bare_image(store, folder)
    daemon = containerd_process(place.folder)
    runtime = ContainerdRuntime(place, store, LoopbackOnly())
    try:
        await runtime.start()
        yield Subject(runtime, folder, "app:1")
    finally:
        await runtime.stop()
        daemon.terminate()
        daemon.wait()
        cleaning.clean_node(folder)


def containerd_process(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", containerd_daemon.__name__, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def bare_image(store: ImageStore, folder: Path) -> None:
    """app:1, with nothing but busybox in it."""
    binary = shutil.which("busybox")
    (folder / "bin").mkdir()
    shutil.copy(binary, folder / "bin" / "busybox")
    for name in ("sh", "sleep", "echo", "true", "cat"):
        (folder / "bin" / name).symlink_to("busybox")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY bin /bin\nENV PATH=/bin\n")
    store.build("app:1", folder)


RUNTIMES = {"simulated": simulated, "sandbox": sandbox, "containerd": containerd}


@pytest.fixture(params=RUNTIMES.values(), ids=RUNTIMES)
async def subject(request, tmp_path):
    async with request.param(tmp_path) as subject:
        yield subject
        for pod in await subject.runtime.pods():
            await subject.runtime.stop_pod(pod.uid)
            await subject.runtime.remove_pod(pod.uid)


async def found(subject, uid="u1"):
    return next((pod for pod in await subject.runtime.pods() if pod.uid == uid), None)


async def until(subject, condition, uid="u1"):
    async with asyncio.timeout(60):
        while not condition(pod := await found(subject, uid)):
            await subject.runtime.wait_change()
    return pod


async def test_a_pod_has_an_address_of_its_own_and_is_listed(subject):
    one = await subject.runtime.run_pod(subject.sandbox("u1"))
    two = await subject.runtime.run_pod(subject.sandbox("u2"))
    assert one.ip and two.ip and one.ip != two.ip
    assert {pod.uid: pod.state for pod in await subject.runtime.pods()} == {"u1": "ready", "u2": "ready"}
    assert (one.name, one.namespace, dict(one.labels)) == ("pod-u1", "default", {"app": "x"})


async def test_running_a_pod_twice_is_running_it_once(subject):
    one = await subject.runtime.run_pod(subject.sandbox())
    assert await subject.runtime.run_pod(subject.sandbox()) == one
    assert len(await subject.runtime.pods()) == 1


async def test_a_started_container_runs_until_it_is_stopped(subject):
    await subject.runtime.run_pod(subject.sandbox())
    id_ = await subject.runtime.start_container("u1", subject.container())
    pod = await found(subject)
    assert [each.state for each in pod.containers] == ["running"]
    assert (pod.containers[0].id, pod.containers[0].name, pod.containers[0].started > 0) == (id_, "main", True)
    await subject.runtime.stop_container("u1", id_, 2.0)
    state = (await found(subject)).containers[0]
    assert state.state == "exited" and state.finished >= state.started


async def test_stopping_what_has_stopped_is_harmless(subject):
    await subject.runtime.run_pod(subject.sandbox())
    id_ = await subject.runtime.start_container("u1", subject.container())
    for _ in range(2):
        await subject.runtime.stop_container("u1", id_, 1.0)
    for _ in range(2):
        await subject.runtime.stop_pod("u1")
    for _ in range(2):
        await subject.runtime.remove_pod("u1")
    assert await subject.runtime.pods() == []


async def test_an_exit_code_is_kept_with_its_reason_and_a_second_attempt_has_an_id_of_its_own(subject):
    await subject.runtime.run_pod(subject.sandbox(annotations={EXIT_AFTER: "0", EXIT_CODE: "3"}))
    first = await subject.runtime.start_container("u1", subject.container(command=subject.failing))
    pod = await until(subject, lambda pod: pod.containers[0].state == "exited")
    assert (pod.containers[0].exit_code, pod.containers[0].reason) == (3, "Error")
    second = await subject.runtime.start_container("u1", subject.container(attempt=1, command=subject.failing))
    pod = await until(subject, lambda pod: [each.state for each in pod.containers] == ["exited", "exited"])
    assert first != second and [each.attempt for each in pod.containers] == [0, 1]
    await subject.runtime.remove_container("u1", first)
    assert [each.id for each in (await found(subject)).containers] == [second]


async def test_a_stopped_pod_is_gone_but_its_containers_are_remembered_until_it_is_removed(subject):
    await subject.runtime.run_pod(subject.sandbox())
    await subject.runtime.start_container("u1", subject.container())
    await subject.runtime.stop_pod("u1")
    pod = await found(subject)
    assert (pod.state, [each.state for each in pod.containers]) == ("gone", ["exited"])
    await subject.runtime.remove_pod("u1")
    assert await found(subject) is None


async def test_a_pod_that_is_gone_is_made_anew_with_its_next_attempt(subject):
    await subject.runtime.run_pod(subject.sandbox())
    await subject.runtime.stop_pod("u1")
    pod = await subject.runtime.run_pod(subject.sandbox(attempt=1))
    assert (pod.state, pod.attempt) == ("ready", 1) and pod.ip


async def test_a_change_ends_the_wait_and_none_keeps_it(subject):
    await subject.runtime.run_pod(subject.sandbox())
    id_ = await subject.runtime.start_container("u1", subject.container())
    await until(subject, lambda pod: pod.containers and pod.containers[0].state == "running")
    await subject.runtime.pods()
    waiting = asyncio.ensure_future(subject.runtime.wait_change())
    await asyncio.sleep(0)
    assert not waiting.done()
    await subject.runtime.stop_container("u1", id_, 2.0)
    async with asyncio.timeout(60):
        await waiting


async def test_what_a_running_container_uses_is_known(subject):
    await subject.runtime.run_pod(subject.sandbox())
    busy = subject.container(command=("sh", "-c", "while true; do true; done"))
    container = await subject.runtime.start_container("u1", busy)
    async with asyncio.timeout(60):
        while (used := (await subject.runtime.usage()).get(container)) is None or (  # noqa: ASYNC110 nothing tells when
            subject.real and used.cpu_seconds < 0.2
        ):
            await asyncio.sleep(0)
    assert (used.memory > 0 and used.cpu is None) if subject.real else (used.memory, used.cpu) == (0, 0)
    await subject.runtime.stop_container("u1", container, 0)
    assert container not in await subject.runtime.usage()


async def test_a_command_in_a_container_that_does_not_run_is_refused(subject):
    await subject.runtime.run_pod(subject.sandbox())
    id_ = await subject.runtime.start_container("u1", subject.container())
    await subject.runtime.stop_container("u1", id_, 1.0)
    with pytest.raises(RuntimeFailure):
        await subject.runtime.exec("u1", id_, ["true"], stdin=False, stdout=True, stderr=True, tty=False)


async def test_a_command_gives_output_and_exit_code(subject):
    await subject.runtime.run_pod(subject.sandbox())
    id_ = await subject.runtime.start_container("u1", subject.container())
    session = await subject.runtime.exec("u1", id_, ["echo", "hi"], stdin=False, stdout=True, stderr=True, tty=False)
    out = b""
    while piece := await session.stdout.read(100):
        out += piece
    assert await session.wait() == 0
    await session.close()
    assert out == b"hi\n" if subject.real else out


async def test_a_port_nobody_listens_on_is_refused(subject):
    await subject.runtime.run_pod(subject.sandbox(annotations={"knarr.dev/simulated-unready": "true"}))
    await subject.runtime.start_container("u1", subject.container())
    with pytest.raises(OSError):
        await subject.runtime.dial("u1", 9)


async def test_an_image_is_there_or_not(subject):
    assert (await subject.runtime.image_ready(subject.image)).id.startswith("sha256:")
    assert await subject.runtime.image_ready("nowhere/missing:1") is None
