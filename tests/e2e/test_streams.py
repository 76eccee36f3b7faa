"""logs, exec, attach, port-forward and cp with every kubectl here: SPDY with the old ones, WebSocket with the new."""

import json
import os
import re
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from knarr.app.config import Cluster
from tests.e2e.conftest import PATIENCE, RESIZED, Kubectl, kubectls, on_terminal, wait_for, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]

SCRIPT = "i=0; while true; do echo line $i; i=$((i+1)); [ $i -gt 5 ] && sleep 1; done"
PODS = {
    "kind": "List",
    "apiVersion": "v1",
    "items": [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "talker"},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {"name": "talk", "image": "busybox:1.28.4", "command": ["sh", "-c", SCRIPT]},
                    {"name": "web", "image": "nginx:1.9.1", "ports": [{"containerPort": 80}]},
                ],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "echo"},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "c", "image": "busybox:1.28.4", "command": ["cat"], "stdin": True}],
            },
        },
    ],
}


@pytest.fixture(scope="module")
def pods(cluster: Cluster) -> Iterator[str]:
    kubectl = Kubectl()
    kubectl("create", "namespace", "streams")
    kubectl("create", "-n", "streams", "-f", "-", stdin=json.dumps(PODS))
    kubectl("wait", "-n", "streams", "pod/talker", "pod/echo", "--for=condition=Ready", "--timeout=90s")
    fetch = ("exec", "-n", "streams", "talker", "-c", "web", "--", "wget", "-qO-", "127.0.0.1")
    wait_until(lambda: "Welcome" in kubectl.run(*fetch).stdout)
    yield "streams"
    kubectl("delete", "namespace", "streams")


@pytest.fixture(params=kubectls(), ids=lambda path: Path(path).name)
def client(request: pytest.FixtureRequest, pods: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """One kubectl, in the namespace of the pods."""
    kubectl = Kubectl(binary=request.param)

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        return kubectl.run("-n", pods, *arguments, **options)  # type: ignore[arg-type]

    run.command = [request.param, "-n", pods]  # type: ignore[attr-defined]
    return run


def test_logs_follow_and_tail(client: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    wait_for("line 0\nline 1\n", lambda: client("logs", "talker", "-c", "talk", "--limit-bytes=14").stdout)
    assert len(client("logs", "talker", "-c", "talk", "--tail=2").stdout.splitlines()) == 2
    following = subprocess.Popen(
        [*client.command, "logs", "-f", "talker", "-c", "talk"],  # type: ignore[attr-defined]
        stdout=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    with following:
        assert [following.stdout.readline() for _ in range(7)] == [f"line {n}\n" for n in range(7)]
        following.kill()


def test_exec_carries_both_ways_and_the_exit_code(client: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = client("exec", "talker", "-c", "talk", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.returncode) == ("out\n", 7)
    assert done.stderr.startswith("err\n")
    big = "x" * 300_000
    assert client("exec", "-i", "talker", "-c", "talk", "--", "cat", stdin=big).stdout == big


def test_exec_on_a_terminal_has_its_size(client: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    command = [*client.command, "exec", "-it", "talker", "-c", "talk", "--", "sh"]  # type: ignore[attr-defined]
    said = on_terminal(command, f"{RESIZED}; stty size; tty; exit\n")
    assert re.search(r"\b37 113\b", said), said
    assert "/dev/pts/" in said


def test_attach_reaches_the_process_itself(client: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    attached = subprocess.Popen(
        [*client.command, "attach", "-i", "echo"],  # type: ignore[attr-defined]
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert attached.stdin is not None and attached.stdout is not None
    with attached:
        attached.stdin.write(b"are you there?\n")
        attached.stdin.flush()
        assert select.select([attached.stdout], [], [], PATIENCE)[0]
        assert os.read(attached.stdout.fileno(), 100) == b"are you there?\n"
        attached.kill()


def test_port_forward_reaches_the_pod(client: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    forward = subprocess.Popen(
        [*client.command, "port-forward", "talker", ":80"],  # type: ignore[attr-defined]
        stdout=subprocess.PIPE,
        text=True,
    )
    assert forward.stdout is not None
    with forward:
        port = re.search(r"127\.0\.0\.1:(\d+) -> 80", forward.stdout.readline())
        assert port
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", int(port[1])), timeout=PATIENCE) as link:
                link.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b"".join(iter(lambda: link.recv(65536), b""))
            assert answer.endswith(b"<h1>Welcome</h1>\n")
        forward.send_signal(signal.SIGINT)


def test_cp_copies_there_and_back(client: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(os.urandom(100_000))
    assert client("cp", str(there), "talker:/tmp/copied", "-c", "talk").returncode == 0
    assert client("cp", "talker:/tmp/copied", str(back), "-c", "talk").returncode == 0
    assert back.read_bytes() == there.read_bytes()
