"""A cluster of one containerd node: real containers, and nothing left of them."""

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from knarr.app import config, lookup, processes
from knarr.app.config import Cluster
from knarr.net import namespace
from knarr.node.runtimes.containerd import daemon
from tests.e2e.conftest import PATIENCE, RESIZED, Kubectl, knarr, on_terminal, resolved, wait_for, wait_until

pytestmark = pytest.mark.e2e
NAME = "cri"
DOCKERFILE = """FROM scratch
COPY bin /bin
ENV PATH=/bin
CMD ["sh", "-c", "echo started {version}; trap 'exit 0' TERM; httpd -f -p 8080 -h /bin & wait"]
"""
APPLETS = ("sh", "cat", "echo", "httpd", "id", "sleep", "tail", "wget", "hostname", "test", "stty")
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: main
        image: bare:1
        readinessProbe: {httpGet: {port: 8080, path: /busybox}, periodSeconds: 1, timeoutSeconds: 30}
        livenessProbe: {exec: {command: [test, -f, /bin/busybox]}, periodSeconds: 1, timeoutSeconds: 30}
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
"""


@dataclass
class Running:
    """The cluster, and kubectl with its own kubeconfig: the current context belongs to other tests."""

    cluster: Cluster
    kubectl: Kubectl

    def pod(self, name: str, path: str) -> str:
        return self.kubectl("get", "pod", name, "-o", f"jsonpath={{{path}}}")

    def wait(self, name: str, path: str, expected: str) -> None:
        self.kubectl("wait", f"pod/{name}", f"--for=jsonpath={{{path}}}={expected}", "--timeout=90s")

    def pid(self, file: Path) -> int:
        recorded = processes.read(file)
        assert recorded is not None
        return recorded.pid


@pytest.fixture(scope="module")
def running(host: Path, resolver: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if lacking := daemon.missing():
        pytest.skip(f"no containerd here: {'; '.join(lacking)}")
    kubeconfig = host / "cri.kubeconfig"
    where = ["--name", NAME, "--kubeconfig", str(kubeconfig), "--port", "0"]
    try:
        knarr("up", *where, "--nodes", "1", "--runtime", "containerd", "--upstream-dns", resolver)
        folder = tmp_path_factory.mktemp("bare")
        image(folder)
        knarr("image", "build", "--name", NAME, "-t", "bare:1", str(folder))
        cluster = config.find(NAME)
        assert cluster is not None
        kubectl = Kubectl(environment={"KUBECONFIG": str(kubeconfig)})
        kubectl("apply", "-f", "-", stdin=MANIFEST)
        kubectl("rollout", "status", "statefulset/db", "--timeout=120s")
        yield Running(cluster, kubectl)
    finally:
        knarr("down", "--name", NAME, "--delete-data", check=False)


def image(folder: Path, version: str = "1") -> None:
    """A Dockerfile whose image holds nothing but busybox."""
    binary = shutil.which("busybox")
    assert binary is not None
    (folder / "bin").mkdir()
    shutil.copy(binary, folder / "bin/busybox")
    for applet in APPLETS:
        (folder / "bin" / applet).symlink_to("busybox")
    (folder / "Dockerfile").write_text(DOCKERFILE.format(version=version))


def test_pods_have_names_addresses_and_each_other(running: Running):
    _, (node,) = running.kubectl.table("get", "nodes", "-o", "wide")
    assert node["STATUS"] == "Ready" and node["CONTAINER-RUNTIME"].startswith("containerd://")
    assert running.kubectl("exec", "db-0", "--", "hostname") == "db-0\n"
    assert running.kubectl("exec", "db-0", "--", "test", "-f", "/etc/hosts") == ""
    zone = "db.default.svc.cluster.local"
    addresses = sorted(running.pod(name, ".status.podIP") for name in ("db-0", "db-1"))
    wait_for(addresses, lambda: resolved(running.cluster, zone))
    fetch = "wget -qO- http://db-1.db:8080/busybox > /data/x && test -s /data/x; echo $?"
    assert running.kubectl("exec", "db-0", "--", "sh", "-c", fetch) == "0\n"
    assert running.kubectl("exec", "db-0", "--", "sh", "-c", "hostname > /data/name; cat /data/name") == "db-0\n"
    assert running.pod("db-0", ".status.containerStatuses[0].containerID").startswith("containerd://")


def test_commands_give_their_output_and_exit_code(running: Running):
    assert running.kubectl("exec", "-i", "db-0", "--", "cat", stdin="typed\n") == "typed\n"
    failed = running.kubectl.run("exec", "db-0", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (failed.returncode, failed.stdout) == (7, "out\n") and "err\n" in failed.stderr
    missing = running.kubectl.run("exec", "db-0", "--", "nope")
    assert missing.returncode != 0 and "executable file not found" in missing.stderr
    assert missing.stderr.count("error executing command in container") == 1
    wait_for("started 1\n", lambda: running.kubectl("logs", "db-0"))


def test_a_terminal_has_the_clients_size(running: Running):
    kubeconfig = running.kubectl.environment["KUBECONFIG"]
    command = ["kubectl", "--kubeconfig", kubeconfig, "exec", "-it", "db-0", "--", "sh"]
    said = on_terminal(command, f"{RESIZED}; stty size; exit\n")
    assert "37 113" in said


def test_a_deleted_pod_comes_back_with_its_name_and_data(running: Running):
    running.kubectl("exec", "db-1", "--", "sh", "-c", "echo kept > /data/kept")
    before = running.pod("db-1", ".metadata.uid"), running.pod("db-1", ".status.podIP")
    running.kubectl.replace("db-1")
    after = running.pod("db-1", ".metadata.uid"), running.pod("db-1", ".status.podIP")
    assert before[0] != after[0] and before[1] != after[1]
    assert running.kubectl("exec", "db-1", "--", "cat", "/data/kept") == "kept\n"


def test_pods_outlive_the_agent_and_containerd(running: Running):
    (node,) = running.cluster.node_names
    before = running.pod("db-0", ".status.containerStatuses[0].containerID")
    knarr("node", "stop", "--name", NAME, node)
    os.kill(running.pid(lookup.containerd_pid_file(running.cluster, node)), signal.SIGKILL)
    knarr("node", "start", "--name", NAME, node)
    assert running.kubectl("exec", "db-0", "--", "hostname") == "db-0\n"
    assert running.pod("db-0", ".status.containerStatuses[0].containerID") == before
    assert running.pod("db-0", ".status.containerStatuses[0].restartCount") == "0"


ENDINGS = {
    "a container that fails leaves its code and its last words": (
        'command: [sh, -c, "echo sorry > /dev/termination-log; exit 4"]',
        ("4", "Error", "sorry\n"),
    ),
    "one that takes too much memory is told so": (
        "command: [tail, /dev/zero], resources: {limits: {memory: 20Mi}}",
        ("137", "OOMKilled", ""),
    ),
    "one may be kept from system calls": (
        'command: [sh, -c, "grep -c Seccomp:.2 /proc/self/status > /dev/termination-log; exit 3"], '
        "securityContext: {seccompProfile: {type: RuntimeDefault}}",
        ("3", "Error", "1\n"),
    ),
}


@pytest.mark.parametrize("container, ending", ENDINGS.values(), ids=ENDINGS)
def test_how_a_container_ended(running: Running, container: str, ending: tuple[str, str, str]):
    manifest = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: ends}\n"
        f"spec: {{restartPolicy: Never, containers: [{{name: main, image: 'bare:1', {container}}}]}}\n"
    )
    running.kubectl("apply", "-f", "-", stdin=manifest)
    running.wait("ends", ".status.phase", "Failed")
    told = ".status.containerStatuses[0].state.terminated"
    assert tuple(running.pod("ends", f"{told}.{field}") for field in ("exitCode", "reason", "message")) == ending
    running.kubectl("delete", "pod", "ends")


def test_an_image_over_the_hosts_files_is_refused_with_the_reason(running: Running, tmp_path: Path):
    (tmp_path / "Dockerfile").write_text("FROM host\n")
    knarr("image", "build", "--name", NAME, "-t", "hosty:1", str(tmp_path))
    running.kubectl("run", "hosty", "--image=hosty:1")
    running.wait("hosty", ".status.containerStatuses[0].state.waiting.reason", "ImagePullBackOff")
    why = 'Failed to pull image "hosty:1": image "hosty:1" is built FROM host'
    wait_until(lambda: why in running.kubectl("get", "events", "--field-selector=involvedObject.name=hosty"))
    running.kubectl("delete", "pod", "hosty", "--grace-period=1")


OPENED = """
apiVersion: v1
kind: Pod
metadata: {name: opened}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: bare:1
    ports: [{containerPort: 8080, hostPort: 8000}, {containerPort: 8080, hostPort: 8001, hostIP: 127.0.0.1}]
    readinessProbe: {httpGet: {port: 8080, path: /busybox}, periodSeconds: 1, timeoutSeconds: 30}
"""


def fetched(host: str, port: int) -> int:
    """How many bytes there are; -1 when nobody listens."""
    link = HTTPConnection(host, port, timeout=PATIENCE)
    try:
        link.request("GET", "/busybox")
        return len(link.getresponse().read())
    except ConnectionRefusedError:
        return -1


def test_host_ports_lead_to_the_container(running: Running):
    running.kubectl("apply", "-f", "-", stdin=OPENED)
    running.kubectl("wait", "--for=condition=Ready", "pod/opened", "--timeout=90s")
    node = running.cluster.node(running.cluster.node_names[0])
    wait_until(lambda: fetched(node.address, 8000) > 0)  # rules follow the API
    assert fetched(node.address, 8001) == -1
    with namespace.inside(node.namespace):
        wait_until(lambda: fetched("127.0.0.1", 8000) > 0)
        assert fetched("127.0.0.1", 8001) > 0
    for pod in ("db-0", "opened"):
        fetch = f"wget -qO- http://{node.address}:8000/busybox >/dev/null && echo fetched"
        assert running.kubectl("exec", pod, "--", "sh", "-c", fetch) == "fetched\n"
    running.kubectl("delete", "pod", "opened", "--wait=true")


def test_a_pod_on_the_nodes_network_has_the_nodes_address_and_name(running: Running):
    (node,) = running.cluster.node_names
    overrides = '{"spec": {"hostNetwork": true}}'
    running.kubectl("run", "near", "--image=bare:1", f"--overrides={overrides}", "--command", "--", "sleep", "1000")
    running.kubectl("wait", "pod/near", "--for=condition=Ready", "--timeout=90s")
    assert running.pod("near", ".status.podIP") == running.cluster.network.node(0).address
    assert running.kubectl("exec", "near", "--", "hostname") == f"{node}\n"
    running.kubectl("delete", "pod", "near", "--grace-period=0", "--force")


def test_down_leaves_nothing_and_up_brings_the_pods_back(running: Running):
    (node,) = running.cluster.node_names
    place = daemon.of_node(running.cluster.node_folder(node))
    knarr("down", "--name", NAME)
    assert not place.run.exists()
    assert str(running.cluster.data_dir) not in Path("/proc/self/mountinfo").read_text()
    assert not list(Path("/sys/fs/cgroup").glob(f"*{place.cgroup}"))
    noted = Path("/var/lib/cni/results").glob("*")
    assert not [file for file in noted if os.fsencode(place.state) in file.read_bytes()]
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.parent.name != "self"]
    assert not [command for command in commands if os.fsencode(place.socket) in command]
    knarr("up", "--name", NAME)
    for pod in ("db-0", "db-1"):  # what the status says of before is not yet corrected
        running.wait(pod, ".status.containerStatuses[0].restartCount", "1")
        running.kubectl("wait", f"pod/{pod}", "--for=condition=Ready", "--timeout=90s")
    assert running.kubectl("exec", "db-0", "--", "cat", "/data/name") == "db-0\n"
    assert running.pod("db-0", ".status.containerStatuses[0].restartCount") == "1"
