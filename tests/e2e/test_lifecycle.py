"""Starting, stopping, crashing and refusing: what `knarr up` and `knarr down` leave behind, and what they say."""

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from knarr.app import config, lookup, processes, readiness
from knarr.app.config import Cluster
from knarr.app.demo.observer import Observer, Tree, ready
from knarr.app.demo.stage import curl
from tests.e2e.conftest import PATIENCE, ROOT, Kubectl, knarr

pytestmark = pytest.mark.e2e


def footprint() -> dict[str, set[str]]:
    """Everything a cluster of these tests could leave on its host. Of the one that all tests share, whose pods come and
    go, no mounts and no processes but its server's and its agents'; others' processes and mounts are none of it."""
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, text=True, check=True).stdout)
    routes = subprocess.run(["ip", "route", "show", "table", "all"], capture_output=True, text=True, check=True).stdout
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    netns = Path("/run/netns")
    return {
        "links": {link["ifname"] for link in links},
        "routes": set(routes.replace(" linkdown", "").splitlines()),  # which the kernel's worker notes later
        "nft tables": set(tables.splitlines()),
        "namespaces": {entry.name for entry in netns.iterdir() if ours(entry.name)} if netns.is_dir() else set(),
        "mounts": {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if of_spare(line)},
        "processes": set(command_lines()),
    }


def ours(text: str) -> bool:
    """Whether a name or path belongs to a cluster of these tests."""
    return str(config.home()) in text or "knarr-spare" in text or "knarr-e2e" in text


def of_spare(text: str) -> bool:
    """Whether a path is in the data of the cluster that the test starts itself."""
    return f"{config.home()}/spare" in text


def command_lines() -> Iterator[str]:
    """The running processes of these tests' clusters: servers and agents, and the shims of the spare one."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            lasting = str(config.home()) in words and (" knarr.app.server " in words or " knarr.app.agent " in words)
            if int(folder.name) != os.getpid() and (lasting or of_spare(words)):
                yield f"{folder.name} {words}"


@pytest.fixture
def spare(host: Path) -> Iterator[str]:
    """The name of a cluster that the test starts and ends itself; whatever happens, it is down afterwards."""
    yield "spare"
    knarr("down", "--name", "spare", "--delete-data", check=False)


def start(name: str, *arguments: str) -> Cluster:
    knarr("up", "--name", name, "--port", "0", "--kubeconfig", str(config.home() / f"{name}.kubeconfig"), *arguments)
    found = config.find(name)
    assert found is not None
    return found


def runs_again(pod: Tree) -> bool:
    """Whether a pod is Ready, and not only said to be from before its containers were ended."""
    return ready(pod) and all(each["restartCount"] >= 1 for each in pod["status"]["containerStatuses"])


def test_down_leaves_nothing_and_up_brings_the_data_back(spare: str) -> None:
    before = footprint()
    cluster = start(spare, "--nodes", "1")
    kubectl = Kubectl(environment={"KUBECONFIG": str(lookup.admin_kubeconfig(cluster))})
    knarr("image", "build", "--name", spare, "-t", "kubia-stored", str(ROOT / "examples/kubia"))
    kubectl("apply", "-f", str(ROOT / "examples/kubia/kubia.yaml"))
    kubectl("rollout", "status", "statefulset/kubia", "--timeout=120s")
    uid = kubectl("get", "statefulset", "kubia", "-o", "jsonpath={.metadata.uid}")
    volumes = set(kubectl("get", "pv", "-o", "name").split())
    assert footprint()["processes"] - before["processes"]
    knarr("down", "--name", spare)
    assert footprint() == before
    start(spare)
    assert kubectl("get", "statefulset", "kubia", "-o", "jsonpath={.metadata.uid}") == uid
    assert set(kubectl("get", "pv", "-o", "name").split()) == volumes
    with Observer(partial(readiness.connect, cluster), "/api/v1/namespaces/default/pods") as pods:
        pods.wait("the pods run again", lambda p: len(p) == 3 and all(map(runs_again, p.values())), PATIENCE)
    knarr("down", "--name", spare, "--delete-data")
    assert footprint() == before
    assert not cluster.data_dir.exists()


def test_up_after_a_crash_of_everything_brings_the_same_cluster_back(spare: str) -> None:
    cluster = start(spare, "--nodes", "1")
    kubectl = Kubectl(environment={"KUBECONFIG": str(lookup.admin_kubeconfig(cluster))})
    kubectl("create", "configmap", "kept", "--from-literal=a=b")
    for name in ("server", "spare-0"):
        recorded = processes.read(lookup.pid_file(cluster, name))
        assert recorded is not None
        os.kill(recorded.pid, signal.SIGKILL)
        assert processes.wait_gone(recorded, PATIENCE)
    start(spare)
    assert kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "b"


def test_pods_outlive_the_server_and_are_found_as_they_are(spare: str) -> None:
    cluster = start(spare, "--nodes", "1")
    kubectl = Kubectl(environment={"KUBECONFIG": str(lookup.admin_kubeconfig(cluster))})
    knarr("image", "build", "--name", spare, "-t", "kubia-stored", str(ROOT / "examples/kubia"))
    kubectl("apply", "-f", str(ROOT / "examples/kubia/kubia.yaml"))
    kubectl("rollout", "status", "statefulset/kubia", "--timeout=120s")
    shown = 'jsonpath={range .items[*]}{.status.podIP} {.status.containerStatuses[0].containerID}{"\\n"}{end}'
    before = kubectl("get", "pods", "-o", shown)
    recorded = processes.read(lookup.pid_file(cluster, "server"))
    assert recorded is not None
    os.kill(recorded.pid, signal.SIGKILL)
    assert processes.wait_gone(recorded, PATIENCE)
    address = before.split()[0]
    assert "You've hit kubia-0" in curl(address)
    start(spare)
    assert kubectl("get", "pods", "-o", shown) == before
    kubectl.replace("kubia-0")


def test_a_smaller_cluster_forgets_its_last_nodes(spare: str) -> None:
    before = footprint()
    cluster = start(spare, "--nodes", "3")
    knarr("down", "--name", spare)
    start(spare, "--nodes", "1")
    kubectl = Kubectl(environment={"KUBECONFIG": str(lookup.admin_kubeconfig(cluster))})
    assert kubectl("get", "nodes", "-o", "name") == "node/spare-0\n"
    knarr("down", "--name", spare)
    assert footprint() == before


def test_up_again_says_that_it_runs(cluster: Cluster) -> None:
    done = knarr("up", "--name", "e2e")
    assert done.stdout == f'cluster "e2e" is running already at {cluster.url}; knarr status shows it\n'


def test_the_context_is_merged_and_removed_as_kind_does(spare: str, host: Path) -> None:
    file = host / "shared.kubeconfig"
    file.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: other\nclusters: [{name: other, cluster: {server: 'https://x'}}]\n"
        "contexts: [{name: other, context: {cluster: other, user: other}}]\nusers: [{name: other, user: {token: t}}]\n"
    )
    knarr("up", "--name", spare, "--port", "0", "--nodes", "0", "--kubeconfig", str(file))
    kubectl = Kubectl(environment={"KUBECONFIG": str(file)})
    assert kubectl("config", "current-context") == "spare\n"
    assert set(kubectl("config", "get-contexts", "-o", "name").split()) == {"other", "spare"}
    assert file.stat().st_mode & 0o777 == 0o600
    knarr("down", "--name", spare)
    assert kubectl("config", "get-contexts", "-o", "name") == "other\n"


REFUSALS = {
    "a busy port": ("--port {busy}", r"port \d+ on 127\.0\.0\.1 is busy; try --port 0"),
    "another cluster's data directory": ("--data-dir {other}", r".* holds the data of cluster 'e2e', not of 'spare'"),
    "a directory of something else": ("--data-dir {foreign}", r".* is not empty and holds no cluster; .*"),
    "an unreadable configuration": ("--data-dir {corrupt}", r".*cluster\.json: not a cluster's configuration: .*"),
    "a newer configuration": ("--data-dir {newer}", r".*format 999 is of a newer knarr; this one reads up to 1"),
    "a corrupt store": ("--data-dir {bad_store}", r".*store\.db.*"),
    "a bad name": ("--name Spare_1", r"cluster name 'Spare_1': must be .*"),
    "a resolver that is no address": (
        "--upstream-dns dns.example",
        r"--upstream-dns dns\.example: must be an address or address:port: .*",
    ),
    "a missing token file": ("--token-auth-file /nowhere", r"--token-auth-file /nowhere: no such file"),
}


@pytest.mark.parametrize("arguments, message", REFUSALS.values(), ids=REFUSALS)
def test_up_refuses_in_one_line_and_changes_nothing(
    arguments: str, message: str, cluster: Cluster, spare: str, tmp_path: Path
) -> None:
    places = {name: tmp_path / name for name in ("foreign", "corrupt", "newer", "bad_store")}
    for folder in places.values():
        folder.mkdir()
    (places["foreign"] / "thesis.txt").write_text("precious")
    (places["corrupt"] / "cluster.json").write_text("{")
    (places["newer"] / "cluster.json").write_text('{"format": 999, "name": "spare"}')
    configuration = {"format": 1, "name": "spare", "nodes": 0, "runtime": "simulated"}
    (places["bad_store"] / "cluster.json").write_text(json.dumps(configuration))
    (places["bad_store"] / "store.db").write_text("not a database, but long enough to look like one" * 50)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        values = {**places, "busy": busy.getsockname()[1], "other": cluster.data_dir}
        before = footprint(), {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "run" not in p.parts}
        given = arguments.format(**values).split()
        port = [] if "--port" in given else ["--port", "0"]
        name = [] if "--name" in given else ["--name", spare]
        done = knarr("up", *name, "--nodes", "0", *port, *given, check=False)
    after = footprint(), {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "run" not in p.parts}
    assert done.returncode == 1
    assert re.fullmatch(rf"knarr: {message}\n", done.stderr), done.stderr
    assert after[0] == before[0]
    assert {p: after[1].get(p) for p in before[1]} == before[1]


def test_a_newer_store_is_refused(spare: str) -> None:
    cluster = start(spare, "--nodes", "0", "--runtime", "simulated")
    knarr("down", "--name", spare)
    with sqlite3.connect(cluster.data_dir / "store.db") as database:
        database.execute("PRAGMA user_version = 999")
    done = knarr("up", "--name", spare, check=False)
    assert done.returncode == 1
    assert "newer" in done.stderr


def test_status_names_every_process(cluster: Cluster) -> None:
    done = knarr("status", "--name", "e2e")
    assert re.search(r"process  server +pid \d+", done.stdout)
    assert re.search(r"process  e2e-1 +pid \d+", done.stdout)


def test_a_killed_agent_is_revived_without_touching_its_pods(
    cluster: Cluster, kubectl: Kubectl, namespace: str, images: None
) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "steady"}}
    mounts = [{"name": "conf", "mountPath": "/conf"}]
    container = {"name": "c", "image": "busybox:1.28.4", "command": ["sleep", "3600"], "volumeMounts": mounts}
    spec = {"containers": [container], "nodeName": "e2e-1", "terminationGracePeriodSeconds": 1}
    spec["volumes"] = [{"name": "conf", "configMap": {"name": "steady"}}]
    kubectl("create", "configmap", "steady", "--from-literal=a=b")
    kubectl("apply", "-f", "-", stdin=json.dumps({**pod, "spec": spec}))
    kubectl("wait", "pod/steady", "--for=condition=Ready", "--timeout=90s")
    before = kubectl("get", "pod", "steady", "-o", "jsonpath={.status.containerStatuses[0].containerID}")
    knarr("node", "stop", "--name", "e2e", "e2e-1")
    assert re.search(r"process  e2e-1 +not running", knarr("status", "--name", "e2e", check=False).stdout)
    kubectl("delete", "configmap", "steady")
    knarr("node", "start", "--name", "e2e", "e2e-1")
    assert kubectl("exec", "steady", "--", "cat", "/conf/a") == "b"
    after = kubectl("get", "pod", "steady", "-o", "jsonpath={.status.containerStatuses[0].containerID}")
    assert (after, kubectl("get", "pod", "steady", "-o", "jsonpath={.status.containerStatuses[0].restartCount}")) == (
        before,
        "0",
    )
    done = knarr("node", "stop", "--name", "e2e", "nobody", check=False)
    assert done.stderr == "knarr: cluster 'e2e' has no node 'nobody'; it has e2e-0, e2e-1\n"


def test_knarr_kubectl_needs_no_context(cluster: Cluster) -> None:
    done = knarr("kubectl", "--name", "e2e", "--", "get", "nodes", "-o", "name")
    assert done.stdout.split() == ["node/e2e-0", "node/e2e-1"]
