"""Real pods without a cluster: what they see, what they cannot do, and that they outlive whoever started them."""

import asyncio
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import EmptyDirVolumeSource
from knarr.net import namespace, node_pods, podnetwork
from knarr.net.netlink import Netlink
from knarr.net.plan import NetworkPlan
from knarr.node.images.store import ImageStore
from knarr.node.runtimes.runtime import (
    ContainerSpec,
    ContainerState,
    Limits,
    Mount,
    NoSuchContainer,
    NotStarted,
    PodSandbox,
    RuntimeFailure,
    SandboxSpec,
    Seccomp,
)
from knarr.node.runtimes.sandbox import cleaning
from knarr.node.runtimes.sandbox.host import check_host, control_groups
from knarr.node.runtimes.sandbox.runtime import SandboxRuntime
from knarr.node.volumes import empty_dir
from knarr.node.volumes import mounts as volume_mounts

pytestmark = pytest.mark.e2e
PLAN = NetworkPlan("podtest", 6)
UID = "8c5e6d0a-0000-4000-8000-000000000001"
CRI = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) [FP] ")


@dataclass
class Node:
    """One node's folder; every `run` is a new agent, in the node's network namespace."""

    folder: Path
    store: ImageStore

    def runtime(self) -> SandboxRuntime:
        network = node_pods.PodNetwork(PLAN, 0, self.folder / "addresses.json")
        return SandboxRuntime(cleaning.sandboxes(self.folder), self.store, network, hidden=[self.folder])

    def run(self, story: Callable[[SandboxRuntime], Awaitable[Any]]) -> Any:
        async def agent() -> Any:
            runtime = self.runtime()
            await runtime.start()
            try:
                async with asyncio.timeout(90):
                    return await story(runtime)
            finally:
                await runtime.stop()

        with namespace.inside(PLAN.node(0).namespace):
            return uvloop.run(agent())  # as real agents do

    def pod(self, **changes: Any) -> SandboxSpec:
        spec = SandboxSpec(
            uid=UID,
            name="web-0",
            namespace="default",
            hostname="web-0",
            domain="web.default.svc.cluster.local",
            log_directory=self.folder / "logs",
            dns_servers=("10.102.0.10",),
            dns_searches=("default.svc.cluster.local", "svc.cluster.local"),
            dns_options=("ndots:5",),
        )
        return replace(spec, **changes)

    def container(self, *command: str, **changes: Any) -> ContainerSpec:
        log = self.folder / "logs" / "main" / f"{changes.get('attempt', 0)}.log"
        spec = ContainerSpec(name="main", attempt=0, image="host", log_path=log, command=command or ("sleep", "1000"))
        return replace(spec, **changes)

    def log(self, attempt: int = 0) -> list[str]:
        return (self.folder / "logs" / "main" / f"{attempt}.log").read_text().splitlines()

    def said(self, attempt: int = 0) -> list[str]:
        """The log without times and streams."""
        return [CRI.sub("", line) for line in self.log(attempt)]


@pytest.fixture(scope="module")
def wired(host: Path) -> Iterator[None]:
    async def build() -> None:
        await podnetwork.create_cluster_network(PLAN)
        await podnetwork.add_node(PLAN, 0)

    try:
        asyncio.run(build())
        yield
    finally:
        asyncio.run(podnetwork.delete_cluster_network(PLAN))


@pytest.fixture
def node(wired: None, tmp_path: Path) -> Iterator[Node]:
    store = ImageStore(tmp_path / "images")
    (tmp_path / "Dockerfile").write_text("FROM host\n")
    store.build("host", tmp_path)
    here = Node(tmp_path, store)
    try:
        yield here
    finally:
        shims = [json.loads(path.read_bytes()) for path in cleaning.sandboxes(tmp_path).glob("*/shim.json")]
        cleaning.clean_node(tmp_path)
        here.run(lambda runtime: runtime.pods())  # gives the addresses and links back
        assert [shim["pid"] for shim in shims if alive(shim["pid"])] == []
        assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until(runtime: SandboxRuntime, condition: Callable[[PodSandbox], bool]) -> PodSandbox:
    while not condition(pod := (await runtime.pods())[0]):
        await runtime.wait_change()
    return pod


async def ended(runtime: SandboxRuntime, spec: ContainerSpec) -> ContainerState:
    """Start a container and give its end."""
    id_ = await runtime.start_container(UID, spec)
    pod = await until(runtime, lambda pod: any(c.id == id_ and c.state == "exited" for c in pod.containers))
    return next(state for state in pod.containers if state.id == id_)


async def output(runtime: SandboxRuntime, id_: str, *command: str) -> tuple[int, str, str]:
    session = await runtime.exec(UID, id_, command, stdin=False, stdout=True, stderr=True, tty=False)
    assert session.stdout and session.stderr
    texts = []
    for stream in (session.stdout, session.stderr):
        data = b""
        while piece := await stream.read():
            data += piece
        texts.append(data.decode())
    code = await session.wait()
    await session.close()
    return code, texts[0], texts[1]


async def spoken(node: Node, attempt: int) -> None:
    """Wait for a container's first line."""
    while not node.log(attempt):  # noqa: ASYNC110 a file tells nobody
        await asyncio.sleep(0.005)


def processes() -> str:
    return subprocess.run(["ps", "ax"], capture_output=True, text=True, check=True).stdout


def in_pod(node: Node, script: str, **changes: Any) -> list[str]:
    """What a shell script says in a fresh pod."""

    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        await ended(runtime, node.container("sh", "-c", script, **changes))

    node.run(story)
    return node.said()


# what a pod is


def test_this_host_lacks_nothing(tmp_path: Path):
    assert check_host(tmp_path / "not" / "there" / "yet") == []
    assert list(tmp_path.iterdir()) == []


def test_a_pod_has_its_own_names_processes_and_network(node: Node):
    script = "hostname; cat /proc/1/comm; ps -e | grep -c sleep; ls /sys/class/net; cat /etc/hostname"
    assert in_pod(node, script) == ["web-0", "pause", "0", "eth0", "lo", "web-0"]


def test_a_pod_knows_its_names_and_its_resolver(node: Node):
    said = in_pod(node, "cat /etc/hosts /etc/resolv.conf")
    assert said[0] == "# Kubernetes-managed hosts file."
    assert re.fullmatch(r"10\.238\.0\.\d+\tweb-0\.web\.default\.svc\.cluster\.local\tweb-0", said[7])
    assert said[8:] == [
        "search default.svc.cluster.local svc.cluster.local",
        "nameserver 10.102.0.10",
        "options ndots:5",
    ]


def test_the_host_is_seen_but_never_changed(node: Node):
    marker = Path("/etc/knarr-was-here")
    said = in_pod(
        node,
        f"ls /usr/bin/sh; echo x > {marker}; cat {marker}; rm -rf /etc/passwd; ls /etc/passwd 2>/dev/null || echo gone",
    )
    assert said == ["/usr/bin/sh", "x", "gone"]
    assert not marker.exists()
    assert Path("/etc/passwd").exists()


def test_the_hosts_disks_cannot_be_opened(node: Node):
    script = "mknod /disk b 254 0; dd if=/disk of=/dev/null count=1 2>&1; ls /dev/vda 2>&1; echo 1 > /dev/null"
    said = in_pod(node, script)
    assert any("Permission denied" in line or "Operation not permitted" in line for line in said)
    assert any("No such file" in line for line in said)


DISK = f"{os.major(Path('/').stat().st_dev)} {os.minor(Path('/').stat().st_dev)}"
ESCAPES = {
    "a device made in /dev": (f"mknod /dev/disk b {DISK}; dd if=/dev/disk of=/dev/null count=1 2>&1", "denied"),
    "a device made in a volume": (f"mknod /dev/shm/disk b {DISK}; dd if=/dev/shm/disk count=1 2>&1", "denied"),
    "the root of the pod's first process": ("ls -A /proc/1/root/ | wc -l", "0"),
    "its working directory": ("ls -A /proc/1/cwd/ | wc -l", "0"),
}


@pytest.mark.parametrize(("script", "expected"), ESCAPES.values(), ids=ESCAPES)
def test_no_way_out_is(node: Node, script: str, expected: str):
    assert expected in in_pod(node, script, capabilities_add=("SYS_PTRACE",))[-1]


def test_no_working_directory_leads_out(node: Node):
    names = ["/proc/1/root", "/proc/1/cwd", *(f"/proc/self/fd/{number}" for number in range(3, 24))]

    async def story(runtime: SandboxRuntime) -> list[str]:
        await runtime.run_pod(node.pod())
        refused = []
        for attempt, name in enumerate(names):
            spec = node.container("ls", attempt=attempt, working_dir=name, capabilities_add=("SYS_PTRACE",))
            with pytest.raises(RuntimeFailure) as error:
                await runtime.start_container(UID, spec)
            refused.append(error.value.message)
        return refused

    first, *others = node.run(story)
    assert "possible container breakout detected" in first
    assert [each for each in others if not re.search("breakout|chdir to cwd|directory", each)] == []


def test_the_clusters_own_files_are_hidden(node: Node):
    (node.folder / "secret").write_text("s")
    assert in_pod(node, f"ls -A {node.folder} | wc -l; cat {node.folder}/secret || echo none")[0] == "0"


SECRETS = {
    "the keys of clusters": "ls -A /root/.kube 2>/dev/null | wc -l",
    "the data of clusters": "ls -A /var/lib/knarr 2>/dev/null | wc -l",
    "the keys of users": "ls -A /root/.ssh 2>/dev/null | wc -l",
    "the passwords of users": "wc -c < /etc/shadow",
}


@pytest.mark.parametrize("script", SECRETS.values(), ids=SECRETS)
def test_secrets_of_the_host_are_hidden(node: Node, script: str):
    assert in_pod(node, script) == ["0"]


PLACES = {
    "in it": ("config", "/root/.kube/config", "config mine read-only"),
    "over it": ("", "/root/.kube", "config mine config x"),
}


@pytest.mark.parametrize(("name", "target", "expected"), PLACES.values(), ids=PLACES)
def test_a_volume_may_lie_at_a_hidden_place(node: Node, name: str, target: str, expected: str):
    own = node.folder / "own"
    own.mkdir()
    (own / "config").write_text("mine\n")
    script = "cd /root/.kube; ls -A; cat config; touch x 2>/dev/null && ls || echo read-only"
    assert " ".join(in_pod(node, script, mounts=(Mount(own / name, target),))) == expected
    (own / "writable").touch()


def test_the_kernels_knobs_are_read_only(node: Node):
    assert in_pod(node, "for x in /proc/sys/vm/drop_caches /sys/kernel/x; do (echo 1 > $x) 2>&1; done") == [
        "sh: 1: cannot create /proc/sys/vm/drop_caches: Read-only file system",
        "sh: 1: cannot create /sys/kernel/x: Read-only file system",
    ]


def test_it_has_the_default_capabilities_and_no_more(node: Node):
    assert in_pod(node, "grep -E 'Cap(Eff|Bnd)' /proc/self/status | tr -d '\\t'") == [
        "CapEff:00000000a80425fb",
        "CapBnd:00000000a80425fb",
    ]


SECURITY = {
    "a user of its own": ({"user": 1234, "group": 99, "groups": (7,)}, "id -u; id -g; id -G", ["1234", "99", "99 7"]),
    "no capabilities for a user": ({"user": 1234}, "grep CapEff /proc/self/status", ["CapEff:\t0000000000000000"]),
    "capabilities dropped": (
        {"capabilities_drop": ("ALL",)},
        "grep CapEff /proc/self/status",
        ["CapEff:\t0000000000000000"],
    ),
    "one capability added": (
        {"capabilities_drop": ("ALL",), "capabilities_add": ("NET_ADMIN",)},
        "grep CapEff /proc/self/status",
        ["CapEff:\t0000000000001000"],
    ),
    "no new privileges": ({"no_new_privileges": True}, "grep NoNewPrivs /proc/self/status", ["NoNewPrivs:\t1"]),
    "a read-only root": ({"read_only_root": True}, "touch /x 2>/dev/null || echo no; echo x > /dev/shm/x", ["no"]),
    "a working directory that is made": ({"working_dir": "/made/for/it"}, "pwd", ["/made/for/it"]),
    "variables": ({"env": (("A", "1 2"),)}, 'echo "$A $HOSTNAME $HOME"', ["1 2 web-0 /root"]),
    "a privileged one": ({"privileged": True}, "mount -t tmpfs x /mnt && echo yes", ["yes"]),
    "others cannot mount": ({}, "mount -t tmpfs x /mnt 2>/dev/null || echo no", ["no"]),
}


@pytest.mark.parametrize(("changes", "script", "expected"), SECURITY.values(), ids=SECURITY)
def test_a_container_has(node: Node, changes: dict[str, Any], script: str, expected: list[str]):
    assert in_pod(node, script, **changes) == expected


CALLS = "import ctypes; c = ctypes.CDLL(None, use_errno=True); print(c.unshare(0x10000000), ctypes.get_errno())"
DEFAULT = Seccomp("RuntimeDefault")
CONFINED: dict[str, tuple[dict[str, Any], str]] = {
    "as it likes by default": ({}, "0 0"),
    "no more than others": ({"seccomp": DEFAULT}, "-1 1"),
    "as a user, too": ({"seccomp": DEFAULT, "user": 65534}, "-1 1"),
    "without new privileges": ({"seccomp": DEFAULT, "no_new_privileges": True, "user": 65534}, "-1 1"),
    "what its capabilities are for": ({"seccomp": DEFAULT, "capabilities_add": ("SYS_ADMIN",)}, "0 0"),
    "everything when it is privileged": ({"seccomp": DEFAULT, "privileged": True}, "0 0"),
}


@pytest.mark.parametrize(("changes", "expected"), CONFINED.values(), ids=CONFINED)
def test_a_container_may_call(node: Node, changes: dict[str, Any], expected: str):
    assert in_pod(node, f"/usr/bin/python3 -c '{CALLS}'", **changes) == [expected]


def test_a_profile_of_the_node_holds_for_commands_too(node: Node):
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EXDEV}
    file = node.folder / "own.json"
    file.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))

    async def story(runtime: SandboxRuntime) -> tuple[int, str, str]:
        await runtime.run_pod(node.pod())
        script = "mkdir /tmp/x 2>&1; exec sleep 1000"
        spec = node.container("sh", "-c", script, seccomp=Seccomp("Localhost", file), no_new_privileges=True)
        id_ = await runtime.start_container(UID, spec)
        await spoken(node, 0)
        return await output(runtime, id_, "mkdir", "/tmp/y")

    code, _, stderr = node.run(story)
    assert (code, "Invalid cross-device link" in stderr) == (1, True)
    assert "Invalid cross-device link" in node.said()[0]


def test_volumes_are_the_hosts_own_directories(node: Node):
    data, fixed = node.folder / "data", node.folder / "fixed.txt"
    data.mkdir()
    fixed.write_text("fixed\n")
    mounts = (Mount(fixed, "/var/data/etc/fixed", read_only=True), Mount(data, "/var/data"))
    said = in_pod(node, "cd /var/data; echo new > x; cat etc/fixed; (echo y > etc/fixed) 2>&1", mounts=mounts)
    assert (data / "x").read_text() == "new\n"
    assert said[0] == "fixed"
    assert "Read-only file system" in said[1]


def test_a_directory_in_memory_holds_no_more_than_its_limit(node: Node):
    source = EmptyDirVolumeSource(medium="Memory", sizeLimit="1Mi")
    for _ in range(2):
        folder = empty_dir.make(source, node.folder / "memory", None)
    try:
        script = "cd /m; stat -f -c %T .; head -c 2M /dev/zero 2>&1 > x | grep -c 'No space'; stat -c %s x"
        assert in_pod(node, script, mounts=(Mount(folder, "/m"),), user=1234) == ["tmpfs", "1", str(1 << 20)]
    finally:
        volume_mounts.release(node.folder)
    assert list(folder.iterdir()) == []


def test_a_sub_path_that_became_a_link_is_not_followed(node: Node):
    (node.folder / "data" / "sub").mkdir(parents=True)
    within = node.folder / "data"
    mount = Mount(within / "sub" / "etc", "/x", within=within)
    mount.source.mkdir()
    assert in_pod(node, "touch /x/there", mounts=(mount,)) == []
    assert (mount.source / "there").exists()
    mount.source.rename(within / "away")
    (within / "sub").rmdir()
    (within / "sub").symlink_to("/")

    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        with pytest.raises(RuntimeFailure, match=r"symbolic link|not a directory"):
            await runtime.start_container(UID, node.container(attempt=1, mounts=(mount,)))

    node.run(story)


def test_a_volume_that_is_not_there_is_named(node: Node):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        with pytest.raises(RuntimeFailure, match='failed to stat "/no/such/place"'):
            await runtime.start_container(UID, node.container(mounts=(Mount(Path("/no/such/place"), "/x"),)))

    node.run(story)


def test_a_loaded_image_is_all_there_is(node: Node):
    busybox = Path("/bin/busybox").read_bytes()
    names = [
        ("bin/busybox", busybox),
        ("etc/passwd", b"app:x:77:78::/home/app:/bin/sh\n"),
        ("etc/group", b"g:x:5:app\n"),
    ]
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for name, data in names:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))
    config = {"config": {"Entrypoint": ["/bin/busybox"], "Cmd": ["id"], "User": "app"}, "rootfs": {}}
    parts = {
        "manifest.json": json.dumps([{"Config": "c", "RepoTags": ["box"], "Layers": ["l"]}]).encode(),
        "c": json.dumps(config).encode(),
        "l": layer.getvalue(),
    }
    with tarfile.open(node.folder / "box.tar", "w") as archive:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    node.store.load(node.folder / "box.tar")

    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        await ended(runtime, replace(node.container(), image="box", command=()))
        await ended(runtime, replace(node.container(attempt=1), image="box", command=(), args=("ls", "/")))

    node.run(story)
    assert node.said() == ["uid=77(app) gid=78 groups=5(g),78"]
    assert node.said(1) == ["bin", "dev", "etc", "proc", "sys"]


# how a container ends

ENDS = {
    "well": ("exit 0", (0, 0, "Completed")),
    "with a code": ("exit 7", (7, 0, "Error")),
    "by a signal": ("kill -9 $$", (137, 9, "Error")),
}


@pytest.mark.parametrize(("script", "expected"), ENDS.values(), ids=ENDS)
def test_a_container_ends(node: Node, script: str, expected: tuple[int, int, str]):
    async def story(runtime: SandboxRuntime) -> ContainerState:
        await runtime.run_pod(node.pod())
        return await ended(runtime, node.container("sh", "-c", script))

    state = node.run(story)
    assert (state.exit_code, state.signal, state.reason) == expected
    assert state.created <= state.started <= state.finished


def test_its_last_words_are_kept(node: Node):
    async def story(runtime: SandboxRuntime) -> ContainerState:
        await runtime.run_pod(node.pod())
        return await ended(runtime, node.container("sh", "-c", "echo why > /dev/termination-log; exit 1"))

    assert node.run(story).message == "why\n"


REFUSED = {
    "a command that is not there": (("nope",), 'exec: "nope": executable file not found in $PATH'),
    "a path that is not there": (("/nope",), 'exec: "/nope": stat /nope: no such file or directory'),
    "a directory": (("/etc",), 'exec: "/etc": is a directory'),
    "a file nobody may execute": (("/etc/passwd",), 'exec: "/etc/passwd": permission denied'),
}


@pytest.mark.parametrize(("command", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_start_says_why(node: Node, command: tuple[str, ...], message: str):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        with pytest.raises(NotStarted, match=re.escape(message)):
            await runtime.start_container(UID, node.container(*command))
        ((dead,),) = [pod.containers for pod in await runtime.pods()]
        assert (dead.state, dead.exit_code, dead.reason, dead.started) == ("exited", 128, "StartError", 0)
        assert dead.message.endswith(message)
        await runtime.remove_container(UID, dead.id)
        id_ = await runtime.start_container(UID, node.container())
        with pytest.raises(RuntimeFailure, match=re.escape(f"{message}: unknown")):
            await runtime.exec(UID, id_, command, stdin=False, stdout=True, stderr=True, tty=False)

    node.run(story)


def test_a_root_user_is_refused_where_none_may_be(node: Node):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        with pytest.raises(RuntimeFailure, match=r"^container has runAsNonRoot and image will run as root") as refusal:
            await runtime.start_container(UID, node.container(non_root=True))
        assert refusal.value.reason == "CreateContainerConfigError"
        assert (await runtime.pods())[0].containers == ()

    node.run(story)


def test_an_image_that_is_missing_is_named(node: Node):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        with pytest.raises(RuntimeFailure, match='image "nobody/has:it" not found'):
            await runtime.start_container(UID, node.container(image="nobody/has:it"))

    node.run(story)


@pytest.mark.skipif(not control_groups(create=False), reason="control groups are not writable here")
def test_too_much_memory_is_told_as_such(node: Node):
    async def story(runtime: SandboxRuntime) -> ContainerState:
        await runtime.run_pod(node.pod())
        greedy = f"x = bytearray({256 << 20})"
        return await ended(
            runtime, node.container("/usr/bin/python3", "-c", greedy, limits=Limits(memory=32 << 20, cpu=0.5))
        )

    state = node.run(story)
    assert (state.exit_code, state.reason) == (137, "OOMKilled")


def test_stopping_asks_first(node: Node):
    async def story(runtime: SandboxRuntime) -> ContainerState:
        await runtime.run_pod(node.pod())
        polite = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done"
        id_ = await runtime.start_container(UID, node.container("sh", "-c", polite))
        await spoken(node, 0)
        await runtime.stop_container(UID, id_, 10)
        return (await runtime.pods())[0].containers[0]

    assert node.run(story).exit_code == 3
    assert node.said() == ["up", "bye"]


def test_and_kills_what_does_not_listen_with_all_its_children(node: Node):
    async def story(runtime: SandboxRuntime) -> tuple[int, str]:
        await runtime.run_pod(node.pod())
        other = await runtime.start_container(UID, replace(node.container(), name="other"))
        deaf = "trap '' TERM; (setsid sleep 998 &); echo up; while :; do sleep 0.01; done"
        id_ = await runtime.start_container(UID, node.container("sh", "-c", deaf, attempt=1))
        await spoken(node, 1)
        began = time.perf_counter()
        await runtime.stop_container(UID, id_, 0.2)
        assert time.perf_counter() - began >= 0.2
        state = next(each for each in (await runtime.pods())[0].containers if each.id == id_)
        return state.exit_code, (await output(runtime, other, "ps", "ax"))[1]

    code, seen = node.run(story)
    assert code == 137
    assert "sleep 1000" in seen
    assert "sleep 998" not in seen


def test_a_stopped_pod_leaves_no_process_and_no_link(node: Node):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        await runtime.start_container(UID, node.container("sh", "-c", "setsid sleep 997 & sleep 996"))
        await runtime.stop_pod(UID)
        assert "sleep 997" not in processes()
        assert "sleep 996" not in processes()
        with Netlink() as kernel:
            assert node_pods.pod_link(UID) not in kernel.links()

    node.run(story)


# streams


def test_logs_are_in_the_format_of_container_runtimes(node: Node):
    in_pod(node, "echo one; echo two >&2; sleep 0.05; printf rest")
    lines = node.log()
    assert all(CRI.match(line) for line in lines)
    assert sorted(line.split(" ", 1)[1] for line in lines) == ["stderr F two", "stdout F one", "stdout P rest"]


def test_a_command_has_its_streams_and_its_code(node: Node):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        id_ = await runtime.start_container(UID, node.container())
        assert await output(runtime, id_, "sh", "-c", "echo out; echo err >&2; exit 5") == (5, "out\n", "err\n")
        session = await runtime.exec(UID, id_, ["wc", "-c"], stdin=True, stdout=True, stderr=False, tty=False)
        assert session.stdin and session.stdout and session.stderr is None
        await session.stdin.write(b"x" * 300_000)
        await session.stdin.close()
        assert (await session.stdout.read()).strip() == b"300000"
        assert await session.wait() == 0
        await session.close()

    node.run(story)


def test_what_a_container_writes_is_counted(node: Node):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        id_ = await runtime.start_container(UID, node.container())
        (before,) = (await runtime.written(UID)).values()
        await output(runtime, id_, "sh", "-c", "head -c 300000 /dev/zero > /big")
        (after,) = (await runtime.written(UID)).values()
        assert 300_000 <= after - before < 320_000

    node.run(story)


def test_a_terminal_is_one(node: Node):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        id_ = await runtime.start_container(UID, node.container())
        session = await runtime.exec(UID, id_, ["sh"], stdin=True, stdout=True, stderr=True, tty=True)
        assert session.stdin and session.stdout and session.stderr is None
        await session.resize(100, 40)
        await session.stdin.write(b"stty size; tty; exit 4\n")
        data = b""
        while piece := await session.stdout.read():
            data += piece
        assert b"40 100\r\n/dev/pts/0\r\n" in data
        assert await session.wait() == 4
        await session.close()

    node.run(story)


def test_closing_a_command_ends_it(node: Node):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        id_ = await runtime.start_container(UID, node.container())
        session = await runtime.exec(UID, id_, ["sleep", "995"], stdin=False, stdout=True, stderr=True, tty=False)
        await session.close()
        assert await session.wait() == 137
        assert "sleep 995" not in (await output(runtime, id_, "ps", "ax"))[1]

    node.run(story)


def test_attaching_joins_the_running_process(node: Node):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        id_ = await runtime.start_container(UID, node.container("sh", stdin=True, stdin_once=True))
        session = await runtime.attach(UID, id_, stdin=True, stdout=True, stderr=True, tty=False)
        assert session.stdin and session.stdout
        await session.stdin.write(b"echo hello\n")
        assert await session.stdout.read() == b"hello\n"
        await session.stdin.close()
        assert await session.wait() == 0
        await session.close()

    node.run(story)
    assert node.said() == ["hello"]


def test_a_port_is_dialled_inside_the_pod(node: Node):
    server = "import http.server as h; h.HTTPServer(('127.0.0.1', 8080), h.BaseHTTPRequestHandler).serve_forever()"

    async def story(runtime: SandboxRuntime) -> bytes:
        await runtime.run_pod(node.pod())
        with pytest.raises(ConnectionRefusedError):
            await runtime.dial(UID, 8080)
        await runtime.start_container(UID, node.container("/usr/bin/python3", "-c", server))
        while True:
            try:
                reader, writer = await runtime.dial(UID, 8080)
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer

    assert node.run(story).startswith(b"HTTP/1.0 501")


# who outlives whom

AGENT = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_sandbox_runtime as t
node = t.Node(Path(sys.argv[2]), t.ImageStore(Path(sys.argv[2]) / "images"))
async def story(runtime):
    await runtime.run_pod(node.pod())
    script = "echo up; while [ ! -e /go/on ]; do sleep 0.01; done; echo last; exit 7"
    (node.folder / "go").mkdir()
    mounts = (t.Mount(node.folder / "go", "/go"),)
    await runtime.start_container(t.UID, node.container("sh", "-c", script, mounts=mounts))
    print("started", flush=True)
    await asyncio.sleep(85)
node.run(story)
"""


def test_a_killed_agent_loses_nothing(node: Node):
    agent = subprocess.Popen(
        [sys.executable, "-c", AGENT, str(Path(__file__).parent), str(node.folder)], stdout=subprocess.PIPE, text=True
    )
    assert agent.stdout and agent.stdout.readline() == "started\n"
    agent.send_signal(signal.SIGKILL)
    agent.wait()

    async def look(runtime: SandboxRuntime) -> PodSandbox:
        return (await runtime.pods())[0]

    pod = node.run(look)
    assert (pod.state, [each.state for each in pod.containers]) == ("ready", ["running"])
    (node.folder / "go" / "on").touch()

    async def wait(runtime: SandboxRuntime) -> PodSandbox:
        return await until(runtime, lambda pod: pod.containers[0].state == "exited")

    assert node.run(wait).containers[0].exit_code == 7
    assert node.said() == ["up", "last"]


def test_what_ended_while_nobody_looked_is_known_afterwards(node: Node):
    async def begin(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        await runtime.start_container(UID, node.container("sh", "-c", "sleep 0.1; exit 9"))

    node.run(begin)
    (record,) = cleaning.sandboxes(node.folder).glob("*/*/state.json")
    began = time.perf_counter()
    while '"exited"' not in record.read_text() and time.perf_counter() - began < 60:
        time.sleep(0.01)

    async def look(runtime: SandboxRuntime) -> PodSandbox:
        return (await runtime.pods())[0]

    assert node.run(look).containers[0].exit_code == 9


def test_a_pod_dies_with_its_shim_and_is_known_to_be_gone(node: Node):
    async def begin(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        await runtime.start_container(UID, node.container("sleep", "994"))
        (shim,) = cleaning.sandboxes(node.folder).glob("*/shim.json")
        os.kill(json.loads(shim.read_bytes())["pid"], signal.SIGKILL)
        pod = await until(runtime, lambda pod: pod.state == "gone")
        assert (pod.containers[0].state, pod.containers[0].exit_code) == ("exited", 137)
        with pytest.raises(NoSuchContainer):
            await runtime.exec(UID, pod.containers[0].id, ["true"], stdin=False, stdout=True, stderr=True, tty=False)
        again = await runtime.run_pod(node.pod(attempt=1))
        assert (again.state, again.attempt, len(again.containers)) == ("ready", 1, 1)
        assert again.ip != pod.ip
        assert [each.state for each in again.containers] == ["exited"]

    node.run(begin)
    assert "sleep 994" not in processes()

    async def look(runtime: SandboxRuntime) -> PodSandbox:
        return (await runtime.pods())[0]

    (found,) = node.run(look).containers
    assert (found.state, found.exit_code) == ("exited", 137)


def test_cleaning_ends_everything_and_keeps_the_records(node: Node):
    async def begin(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod())
        await runtime.start_container(UID, node.container("sleep", "993"))

    node.run(begin)
    for _ in range(2):
        cleaning.clean_node(node.folder)
    assert "sleep 993" not in processes()

    async def look(runtime: SandboxRuntime) -> PodSandbox:
        return (await runtime.pods())[0]

    pod = node.run(look)
    assert (pod.state, pod.containers[0].state) == ("gone", "exited")


# pods among the processes of the machine

LEAVES = "setsid sh -c 'exec sleep 991' & (sleep 992 &); exec sleep 990"
ESCAPES_BY_ROOT = f"nsenter -t {os.getpid()} -m setsid sleep 989 & sleep 0.2; exec sleep 988"


async def sleeping(*seconds: int) -> None:
    while {f"sleep {each}" for each in seconds} - set(commands()):  # noqa: ASYNC110 processes tell nobody
        await asyncio.sleep(0.02)


def commands() -> list[str]:
    return subprocess.run(["ps", "axo", "args="], capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_pod_in_the_hosts_pid_namespace_sees_and_reaches_its_processes(node: Node):
    stranger = subprocess.Popen(["sleep", "987"])
    try:
        script = f"tr '\\0' ' ' < /proc/{stranger.pid}/cmdline; echo; cat /proc/1/comm; kill {stranger.pid} && echo hit"

        async def story(runtime: SandboxRuntime) -> None:
            await runtime.run_pod(node.pod(host_pid=True))
            await ended(runtime, node.container("sh", "-c", script))

        node.run(story)
        first = Path("/proc/1/comm").read_text().strip()
        assert node.said() == ["sleep 987 ", first, "hit"]
        assert stranger.wait(60) == -signal.SIGTERM
    finally:
        stranger.kill()


def test_it_does_not_see_into_processes_that_can_more_than_it(node: Node):
    script = f"ls /proc/{os.getpid()}/root/ /proc/$PPID/root/; cat /proc/{os.getpid()}/environ"

    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod(host_pid=True))
        await ended(runtime, node.container("sh", "-c", script))

    node.run(story)
    assert [line.rpartition(": ")[2] for line in node.said()] == ["Permission denied"] * 3


@pytest.mark.parametrize("end", ["stop_pod", "kill the shim", "clean"])
def test_and_nothing_of_it_is_left_when_it_ends(node: Node, end: str):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod(host_pid=True))
        await runtime.start_container(UID, node.container("sh", "-c", LEAVES))
        away = node.container("sh", "-c", ESCAPES_BY_ROOT, privileged=True, name="away")
        await runtime.start_container(UID, replace(away, log_path=node.folder / "logs" / "away" / "0.log"))
        await sleeping(*range(988, 993))
        (shim,) = cleaning.sandboxes(node.folder).glob("*/shim.json")
        if end == "kill the shim":
            os.kill(json.loads(shim.read_bytes())["pid"], signal.SIGKILL)
            await until(runtime, lambda pod: pod.state == "gone")
        if end != "clean":
            await runtime.stop_pod(UID)

    node.run(story)
    if end == "clean":
        cleaning.clean_node(node.folder)
    assert not re.findall(r"sleep 9(?:8[89]|9[0-2])", processes())


def test_a_container_takes_its_own_processes_with_it_and_nobody_elses(node: Node):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod(host_pid=True))
        first = await runtime.start_container(UID, node.container("sh", "-c", LEAVES))
        other = node.container("sleep", "986", name="other")
        await runtime.start_container(UID, replace(other, log_path=node.folder / "logs" / "other" / "0.log"))
        await sleeping(990, 991, 992)
        await runtime.stop_container(UID, first, 0)
        assert not re.findall(r"sleep 99[0-2]", processes())
        assert "sleep 986" in processes()

    node.run(story)


def test_a_pod_in_the_hosts_ipc_namespace_shares_its_memory(node: Node):
    async def story(runtime: SandboxRuntime) -> None:
        await runtime.run_pod(node.pod(host_ipc=True))
        script = "readlink /proc/self/ns/ipc; stat -c %d /dev/shm"
        assert (await ended(runtime, node.container("sh", "-c", script))).exit_code == 0

    node.run(story)
    assert node.said() == [str(Path("/proc/self/ns/ipc").readlink()), str(Path("/dev/shm").stat().st_dev)]
