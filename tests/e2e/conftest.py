"""A real cluster of two sandbox nodes, in a network namespace that the test process makes for itself.

So "the host" of these tests has a loopback device and what `knarr up` adds, and no packet can leave it.
"""

import ctypes
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from dnslib import QTYPE, RCODE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from knarr.app import config, readiness
from knarr.app.config import Cluster
from knarr.app.demo.observer import Observer, Tree, ready
from knarr.meta import clock

CLONE_NEWNET = 0x40000000
HEADLESS_NGINX = """\
apiVersion: v1
kind: Service
metadata:
  name: nginx
  labels:
    app: nginx
spec:
  ports:
  - port: 80
    name: web
  clusterIP: None
  selector:
    app: nginx
---
"""
BALANCERS = "172.30.0.200-172.30.0.220"
PATIENCE = 90.0  #: seconds until what does not come is missing; even on a busy machine nothing takes as long
OUTSIDE = {"baidu.com": ("110.242.68.66", "39.156.66.10")}  #: what the resolver of "the host" knows
ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


def wait_for(wanted: T, ask: Callable[[], T]) -> None:
    """Return when what is asked again and again has become what is wanted; AssertionError with the last answer."""
    deadline = clock.unix() + PATIENCE
    while (said := ask()) != wanted:
        assert clock.unix() < deadline, f"{said} is not {wanted}"
        time.sleep(0.02)


def wait_until(condition: Callable[[], T], missing: str = "") -> T:
    """What a condition, asked again and again, gives when it is true; AssertionError when it never is."""
    deadline = clock.unix() + PATIENCE
    while not (said := condition()):
        assert clock.unix() < deadline, missing or f"still {said!r}"
        time.sleep(0.02)
    return said


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """This process in a network of its own, with a home for its clusters."""
    if os.geteuid() != 0:
        pytest.skip("real nodes need root")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    home = tmp_path_factory.mktemp("home")
    os.environ["KNARR_HOME"] = str(home)
    os.environ["KUBECONFIG"] = str(home / "kubeconfig")
    (home / "commands").mkdir()
    os.environ["PATH"] = f"{home / 'commands'}:{os.environ['PATH']}"
    yield home


@pytest.fixture
def commands(host: Path) -> Path:
    """The first folder on the PATH of nodes' agents: for stand-ins of what the host's own programs would do."""
    return host / "commands"


def knarr(*arguments: str, check: bool = True, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would."""
    done = subprocess.run(
        [sys.executable, "-m", "knarr", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert not check or done.returncode == 0, f"knarr {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done


@dataclass
class Kubectl:
    """kubectl with the test cluster's kubeconfig; calling it returns what it prints."""

    binary: str = "kubectl"
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.binary, *arguments],
            env={**os.environ, **self.environment},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 180) -> str:
        done = self.run(*arguments, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def replace(self, *pods: str) -> dict[str, str]:
        """Delete pods that come back under their names, and return when they have: the new ones, Ready; their uids.

        Without waiting for the deletion: kubectl up to 1.35 looks for a pod by its name alone after it has asked once
        by its uid, and when the pod goes just in between, it waits for the end of the new one, for ever.
        """
        before = {pod: self("get", "pod", pod, "-o", "jsonpath={.metadata.uid}") for pod in pods}
        said = self("delete", "pod", *pods, "--wait=false")
        assert all(line.startswith(f'pod "{pod}" deleted') for pod, line in zip(pods, said.splitlines(), strict=True))
        return {pod: self.successor(pod, uid) for pod, uid in before.items()}

    def successor(self, pod: str, uid: str) -> str:
        """The uid of the pod that has this name after the one of that uid, once it is Ready."""

        def another() -> str:
            done = self.run("get", "pod", pod, "--ignore-not-found", "-o", "json")
            found: dict[str, Any] = json.loads(done.stdout or "{}")
            is_new = bool(found) and found["metadata"]["uid"] != uid
            return str(found["metadata"]["uid"]) if is_new and ready(found) else ""

        return wait_until(another, f"pod {pod} of uid {uid} has no successor that is Ready")

    def table(self, *arguments: str) -> tuple[list[str], list[dict[str, str]]]:
        """The columns of a printed table, and its rows by column."""
        return parse_table(self(*arguments))


def are(uids: dict[str, str]) -> Callable[[dict[str, Tree]], bool]:
    """Whether pods, by name, have these uids: a watch may not have told of the new ones yet."""
    return lambda found: all(name in found and found[name]["metadata"]["uid"] == uid for name, uid in uids.items())


def resolved(cluster: Cluster, *question: str) -> list[str]:
    """What the cluster's DNS answers to `dig QUESTION` on the host, in order."""
    binary = shutil.which("dig")
    assert binary, "dig is missing: scripts/setup --tests installs it"
    command = [binary, "+short", *question, f"@{cluster.network.dns}"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout
    return sorted(line for line in said.splitlines() if not line.startswith(";"))


def parse_table(text: str) -> tuple[list[str], list[dict[str, str]]]:
    lines = text.splitlines()
    starts = [m.start() for m in re.finditer(r"(?<!\S)\S", re.sub(r"(?<=\S) (?=\S)", "_", lines[0]))]
    ends = [*starts[1:], None]
    columns = [lines[0][a:b].strip() for a, b in zip(starts, ends, strict=True)]
    rows = [{c: line[a:b].strip() for c, a, b in zip(columns, starts, ends, strict=True)} for line in lines[1:]]
    return columns, rows


def kubectls() -> list[str]:
    """Every kubectl on the machine: the one on the PATH, and the versions beside it."""
    first = shutil.which("kubectl")
    assert first, "kubectl is missing: scripts/setup installs it"
    beside = sorted(Path(first).resolve().parent.glob("kubectl.1.*"))
    return [first, *(str(path) for path in beside if os.access(path, os.X_OK))]


class Resolver(BaseResolver):
    """The resolver outside the cluster: it knows OUTSIDE and nothing else."""

    def resolve(self, request: DNSRecord, handler: object) -> DNSRecord:
        reply = request.reply()
        addresses = OUTSIDE.get(str(request.q.qname).rstrip("."))
        if addresses is None:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            for address in addresses:
                reply.add_answer(RR(request.q.qname, QTYPE.A, ttl=60, rdata=A(address)))
        return reply


@pytest.fixture(scope="session")
def resolver(host: Path) -> Iterator[str]:
    """A DNS server of our own, for names outside the cluster; its address."""
    server = DNSServer(Resolver(), port=53, address="127.0.0.1", logger=DNSLogger("-request,-reply,-truncated"))
    server.start_thread()
    yield "127.0.0.1"
    server.stop()
    server.server.server_close()


@pytest.fixture(scope="session")
def cluster(host: Path, resolver: str) -> Iterator[Cluster]:
    """Two sandbox nodes named e2e-0 and e2e-1."""
    try:
        balancers = ["--load-balancer-addresses", BALANCERS]
        knarr("up", "--name", "e2e", "--nodes", "2", "--runtime", "sandbox", "--upstream-dns", resolver, *balancers)
        found = config.find("e2e")
        assert found is not None
        yield found
    finally:
        knarr("down", "--name", "e2e", "--delete-data", check=False)


@pytest.fixture
def kubectl(cluster: Cluster) -> Kubectl:
    return Kubectl()


@pytest.fixture
def watch(cluster: Cluster, namespace: str) -> Iterator[Callable[..., Observer]]:
    """Observe a resource of the test's namespace: watch("pods"), watch("statefulsets", "apis/apps/v1")."""
    observers: list[Observer] = []

    def observe(resource: str, group_version: str = "api/v1") -> Observer:
        path = f"/{group_version}/namespaces/{namespace}/{resource}"
        observer = Observer(partial(readiness.connect, cluster), path)
        observers.append(observer.__enter__())
        return observer

    yield observe
    for observer in observers:
        observer.__exit__()


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, made current, as the notes use the current one."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:50].strip("-")
    kubectl = Kubectl()
    kubectl("create", "namespace", name)
    kubectl("config", "set-context", "--current", f"--namespace={name}")
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=true")


@pytest.fixture(scope="session")
def images(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The images the notes name: a shell with the nslookup of its time, and a web server of nothing but busybox."""
    shell = tmp_path_factory.mktemp("shell")
    shutil.copy(Path(__file__).with_name("nslookup.py"), shell / "nslookup")
    (shell / "nslookup").chmod(0o755)
    (shell / "Dockerfile").write_text('FROM host\nADD nslookup /usr/local/sbin/nslookup\nCMD ["sh"]\n')
    build(shell, "busybox", "busybox:1.28.4")
    bare = tmp_path_factory.mktemp("bare")
    (bare / "bin").mkdir()
    binary = shutil.which("busybox")
    assert binary, "busybox is missing: scripts/setup installs it"
    shutil.copy(binary, bare / "bin/busybox")
    applets = subprocess.run([binary, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in set(applets) - {"busybox"}:
        (bare / "bin" / applet).symlink_to("busybox")
    (bare / "Dockerfile").write_text("FROM scratch\nCOPY bin /bin\nENV PATH=/bin\n")
    build(bare, "bare")
    web = tmp_path_factory.mktemp("web")
    command = '["httpd", "-f", "-p", "80", "-h", "/usr/share/nginx/html"]'
    (web / "index.html").write_text("<h1>Welcome</h1>\n")
    (web / "Dockerfile").write_text(
        f"FROM bare\nCOPY index.html /usr/share/nginx/html/index.html\nEXPOSE 80\nCMD {command}\n"
    )
    dotbalo = "registry.cn-beijing.aliyuncs.com/dotbalo/nginx"
    build(web, f"{dotbalo}:1.15.12-alpine", f"{dotbalo}:1.15.12", "nginx:1.9.1", "mysql:5.7.2", "mysql:5.7.23")


def build(folder: Path, *names: str) -> None:
    for name in names:
        knarr("image", "build", "--name", "e2e", "-t", name, str(folder))


SIZE = (37, 113)  #: rows and columns of the terminal
PROMPT = re.compile(rb"[#$] (\x1b\[[0-9]*[A-Za-z])*$")  # of the shell
HINT = b"try pressing enter.\r\n"  #: of kubectl, as the shell's prompt may have come before there was anybody to see it
RESIZED = 'while [ "$(stty size)" = "0 0" ]; do :; done'  #: the size comes by a way of its own, and maybe later


def on_terminal(command: list[str], typed: str, seconds: float = PATIENCE) -> str:
    """Run a command on a pseudo-terminal, type once it has shown a prompt, and return what it printed.

    Not before: what is typed while kubectl has not yet made the terminal raw goes line by line, and mixes with output.
    """
    terminal, inner = pty.openpty()
    termios.tcsetwinsize(inner, SIZE)
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
    os.close(inner)
    said, written, deadline = b"", False, clock.unix() + seconds
    try:
        while clock.unix() < deadline:
            if not select.select([terminal], [], [], 1)[0]:
                if not written and HINT in said:
                    os.write(terminal, b"\n")
                continue
            try:
                chunk = os.read(terminal, 65536)
            except OSError:
                break
            said += chunk
            if not written and PROMPT.search(said):
                os.write(terminal, b"\n" + typed.encode())
                written = True
            elif not written and chunk.endswith(HINT):
                os.write(terminal, b"\n")
        return said.decode(errors="replace")
    finally:
        os.close(terminal)
        process.kill()
        process.wait()
