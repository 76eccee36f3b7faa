"""Every kubectl runs a pod to talk to, looks into a running one and forwards to a service: on nodes with processes."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from knarr.app.config import Cluster
from tests.e2e.conftest import PATIENCE, Kubectl, kubectls, on_terminal, wait_for, wait_until
from tests.wire.compatibility import kubectl_version, lacks
from tests.wire.kubectl_transcripts import parsed

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]

BUSYBOX = "busybox:1.28.4"
PATCHING = (1, 23)  #: the kubectl whose `debug` patches the pod; older ones post a kind that is gone


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Iterator[str]:
    """A namespace with a web server behind a service."""
    kubectl, namespace = Kubectl(), "kubectls"
    kubectl("create", "namespace", namespace)
    kubectl("run", "-n", namespace, "web", "--image=nginx:1.9.1", "--port=80", "--expose")
    kubectl("wait", "-n", namespace, "pod/web", "--for=condition=Ready", "--timeout=90s")
    fetch = ("exec", "-n", namespace, "web", "--", "wget", "-qO-", "127.0.0.1")
    wait_until(lambda: "Welcome" in kubectl.run(*fetch).stdout)
    yield namespace
    kubectl("delete", "namespace", namespace)


@pytest.fixture(params=kubectls(), ids=lambda path: Path(path).name)
def client(request: pytest.FixtureRequest, web: str) -> Callable[..., list[str]]:
    """One kubectl's command line, in the namespace."""
    return lambda *words: [request.param, "-n", web, *words]


def typed(command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=2 * PATIENCE)


def test_a_pod_is_run_talked_to_and_gone(client: Callable[..., list[str]]) -> None:
    asked = client("run", "asked", f"--image={BUSYBOX}", "--restart=Never", "--rm", "-i", "--quiet", "--", "cat")
    done = typed(asked, "are you there?\n")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "are you there?"), done.stderr
    assert 'pods "asked" not found' in typed(client("get", "pod", "asked")).stderr


def test_a_pod_on_a_terminal_ends_with_its_shell(client: Callable[..., list[str]]) -> None:
    said = on_terminal(
        client("run", "shell", f"--image={BUSYBOX}", "--restart=Never", "--rm", "-it", "--", "sh"),
        "echo $((6*7)); exit\n",
    )
    assert "42" in said


def test_a_service_is_forwarded_to_its_pod(client: Callable[..., list[str]]) -> None:
    with subprocess.Popen(client("port-forward", "service/web", ":80"), stdout=subprocess.PIPE, text=True) as forward:
        assert forward.stdout is not None
        port = re.search(r"127\.0\.0\.1:(\d+) -> 80", forward.stdout.readline())
        assert port
        with socket.create_connection(("127.0.0.1", int(port[1])), timeout=PATIENCE) as link:
            link.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"".join(iter(lambda: link.recv(65536), b"")).startswith(b"HTTP/1.")
        forward.kill()


def test_a_running_pod_is_looked_into(client: Callable[..., list[str]]) -> None:
    binary = Path(client()[0])
    if parsed(kubectl_version(binary)) < PATCHING:
        lacks("debug that patches")
    name = "look-" + re.sub(r"\W", "-", binary.name)
    debug = client("debug", "web", "-i", f"--image={BUSYBOX}", "-c", name, "--", "head", "-n", "1")
    assert "are you there?\n" in typed(debug, "are you there?\n").stdout
    ended = "jsonpath={.status.ephemeralContainerStatuses[?(@.name=='" + name + "')].state.terminated.exitCode}"
    wait_for("0", lambda: typed(client("get", "pod", "web", "-o", ended)).stdout)


def test_a_node_is_looked_into(web: str, cluster: Cluster) -> None:
    """The debugging pod has the node's network and the machine's files and processes."""
    kubectl = ["kubectl", "-n", web, "debug", "node/e2e-0", f"--image={BUSYBOX}", "--profile=general"]
    looks = "echo; hostname; cat /proc/1/comm; ls -d /host/etc; chroot /host true && echo in"
    said = on_terminal([*kubectl, "-it", "--", "sh"], f"{looks}; exit\n").splitlines()
    first = Path("/proc/1/comm").read_text().strip()
    assert [line for line in ("e2e-0", first, "/host/etc", "in") if line not in said] == [], said
    own = typed(["kubectl", "-n", web, "get", "pods", "-o", "name"]).stdout
    assert typed(["kubectl", "-n", web, "delete", *re.findall("pod/node-debugger.*", own)]).returncode == 0
