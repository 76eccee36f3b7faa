"""StatefulSets whose node fails, judged by the processes: what runs is what /proc of the machine shows."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from knarr.app import lookup, processes
from knarr.app.config import Cluster
from knarr.meta import clock
from knarr.net import node_pods, podnetwork
from knarr.node.runtimes.sandbox import cleaning
from knarr.node.volumes import mounts
from tests.e2e.conftest import PATIENCE, Kubectl, knarr, wait_for, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images", "namespace")]

LOST, OTHER = "e2e-1", "e2e-0"
MARK = "one-of-each-name"
SCRIPT = "trap 'exit 0' TERM; [ -d /data ] && echo $2 >> /data/lives; while :; do sleep 0.2; done"
NAME = "db-0"


def a_set(*, claims: bool) -> str:
    command = ["sh", "-c", SCRIPT, MARK, "$(POD_NAME)", "$(POD_UID)"]
    env = [
        {"name": f"POD_{key.upper()}", "valueFrom": {"fieldRef": {"fieldPath": f"metadata.{key}"}}}
        for key in ("name", "uid")
    ]
    container = {"name": "c", "image": "busybox:1.28.4", "command": command, "env": env}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    if claims:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    spec = {
        "serviceName": "db",
        "replicas": 1,
        "selector": {"matchLabels": {"app": "db"}},
        "template": {
            "metadata": {"labels": {"app": "db"}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
        },
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}] if claims else [],
    }
    return json.dumps({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec})


def lives() -> dict[str, set[str]]:
    """The uids of the pods that have processes, by the pods' names."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if MARK in words[3:4]:
                found[words[4]].add(words[5])
    return found


class Guard:
    """Looks at the processes all the time, and notes what it saw."""

    def __init__(self) -> None:
        self.most, self.looks = 0, 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Guard":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.005):
            self.looks += 1
            self.most = max(self.most, *(len(uids) for uids in lives().values()), 0)


@pytest.fixture
def guard() -> Iterator[Guard]:
    with Guard() as guard:
        yield guard


@pytest.fixture
def nodes(kubectl: Kubectl) -> Iterator[None]:
    """Both nodes as they were, whatever the test did."""
    yield
    knarr("node", "start", "--name", "e2e", LOST)
    knarr("node", "heal", "--name", "e2e", LOST)
    kubectl("uncordon", OTHER, LOST)
    kubectl("wait", f"node/{LOST}", "--for=condition=Ready", "--timeout=90s")
    kubectl("delete", "statefulset,pvc", "--all", "--wait=true")


def started_on_the_node_that_will_be_lost(kubectl: Kubectl, *, claims: bool) -> str:
    """Have the set's pod run there; its uid."""
    kubectl("cordon", OTHER)
    kubectl("create", "-f", "-", stdin=a_set(claims=claims))
    kubectl("rollout", "status", "statefulset/db", "--timeout=120s")
    kubectl("uncordon", OTHER)
    pod = json.loads(kubectl("get", "pod", NAME, "-o", "json"))
    assert pod["spec"]["nodeName"] == LOST
    wait_for({pod["metadata"]["uid"]}, lambda: lives()[NAME])
    if claims:
        wait_for([pod["metadata"]["uid"]], lambda: told(kubectl))
    return str(pod["metadata"]["uid"])


def uid_of(kubectl: Kubectl) -> str:
    return kubectl("get", "pod", NAME, "-o", "jsonpath={.metadata.uid}")


def messages(kubectl: Kubectl, reason: str) -> list[str]:
    found = json.loads(kubectl("get", "events", "-o", "json", f"--field-selector=reason={reason}"))
    return [event["message"] for event in found["items"]]


def wait_for_event(kubectl: Kubectl, reason: str, *words: str) -> None:
    """Return when an event of the reason has all the words: others may have come before."""
    wait_until(lambda: any(all(word in said for word in words) for said in messages(kubectl, reason)), reason)


def told(kubectl: Kubectl) -> list[str]:
    """The uids of the pods that began with the claim, the oldest first."""
    return kubectl("exec", NAME, "--", "cat", "/data/lives").split()


def test_no_status_says_that_a_pod_ended_while_it_runs(kubectl: Kubectl) -> None:
    deaf = "trap '' TERM; while :; do sleep 0.2; done"
    container = {"name": "c", "image": "busybox:1.28.4", "command": ["sh", "-c", deaf, MARK, "deaf", "deaf"]}
    spec = {"activeDeadlineSeconds": 3600, "terminationGracePeriodSeconds": 3, "containers": [container]}
    kubectl("create", "-f", "-", stdin=json.dumps({**A_POD, "spec": spec}))
    kubectl("wait", "pod/deaf", "--for=jsonpath={.status.phase}=Running", "--timeout=90s")
    wait_until(lambda: "deaf" in lives())
    kubectl("patch", "pod", "deaf", "-p", '{"spec": {"activeDeadlineSeconds": 1}}')
    phases, deadline = {"Running"}, clock.unix() + PATIENCE
    while "Failed" not in phases and clock.unix() < deadline:
        phase = kubectl("get", "pod", "deaf", "-o", "jsonpath={.status.phase}")
        assert phase == "Running" or "deaf" not in lives(), f"{phase}, and it runs"
        phases.add(phase)
    assert phases == {"Running", "Failed"}


A_POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "deaf"}}
LOSSES = {"is cut off": ("partition", "heal"), "has no agent": ("stop", "start")}


@pytest.mark.usefixtures("nodes")
@pytest.mark.parametrize(("lose", "find"), LOSSES.values(), ids=LOSSES)
def test_a_pod_deleted_on_a_node_that_is_not_heard_has_no_successor_before_it_ended(
    kubectl: Kubectl, guard: Guard, lose: str, find: str
) -> None:
    uid = started_on_the_node_that_will_be_lost(kubectl, claims=False)
    knarr("node", lose, "--name", "e2e", LOST)
    kubectl("delete", "pod", NAME, "--wait=false")
    looks = guard.looks
    assert kubectl.run("wait", f"pod/{NAME}", "--for=delete", "--timeout=4s").returncode == 1
    assert guard.looks > looks
    assert (uid_of(kubectl), lives()[NAME]) == (uid, {uid})
    knarr("node", find, "--name", "e2e", LOST)
    other = kubectl.successor(NAME, uid)
    wait_for({other}, lambda: lives()[NAME])
    assert guard.most == 1
    assert messages(kubectl, "UnconfirmedPredecessor") == []


@pytest.mark.usefixtures("nodes")
def test_a_pod_deleted_by_force_may_run_twice_and_all_is_told(kubectl: Kubectl, guard: Guard) -> None:
    uid = started_on_the_node_that_will_be_lost(kubectl, claims=False)
    knarr("node", "partition", "--name", "e2e", LOST)
    kubectl("cordon", LOST)
    kubectl("delete", "pod", NAME, "--force", "--grace-period=0")
    other = kubectl.successor(NAME, uid)
    wait_for({uid, other}, lambda: lives()[NAME])
    wait_until(lambda: guard.most == 2)
    wait_for_event(kubectl, "UnconfirmedPredecessor", NAME, uid, LOST)
    knarr("node", "heal", "--name", "e2e", LOST)
    wait_for_event(kubectl, "DeletedWhileRunning", NAME, uid, LOST)
    wait_for_event(kubectl, "ProcessesEnded", NAME, uid, LOST)
    wait_for({other}, lambda: lives()[NAME])
    assert guard.most == 2


@pytest.mark.usefixtures("nodes")
def test_a_claim_on_a_lost_node_keeps_its_pod_pending_and_its_data(kubectl: Kubectl, guard: Guard) -> None:
    uid = started_on_the_node_that_will_be_lost(kubectl, claims=True)
    knarr("node", "stop", "--name", "e2e", LOST)
    kubectl("cordon", LOST)
    kubectl("delete", "pod", NAME, "--force", "--grace-period=0")
    why = ("1 node(s) were unschedulable", "1 node(s) didn't match PersistentVolume's node affinity")
    wait_for_event(kubectl, "FailedScheduling", *why)
    assert kubectl("get", "pod", NAME, "-o", "jsonpath={.status.phase} {.spec.nodeName}") == "Pending "
    assert lives()[NAME] == {uid}
    knarr("node", "start", "--name", "e2e", LOST)
    wait_for_event(kubectl, "ProcessesEnded", NAME)
    kubectl("uncordon", LOST)
    other = kubectl.successor(NAME, uid)
    wait_for([uid, other], lambda: told(kubectl))
    assert guard.most == 1


def cut_power(cluster: Cluster, node: str) -> None:
    """End all that lives of a node at once, and what a reboot takes: memory, network, the record of its agent."""
    agent = processes.read(lookup.pid_file(cluster, node))
    assert agent is not None
    folder = cluster.node_folder(node)
    shims = [json.loads(file.read_bytes()) for file in cleaning.sandboxes(folder).glob("*/shim.json")]
    born = {agent.pid: agent.started}
    born |= {each["pid"]: str(each["born"]) for each in shims}
    born |= {each["pause"]: str(each["pause_born"]) for each in shims}
    for pid in born:
        os.kill(pid, signal.SIGKILL)
    for pid, when in born.items():
        assert processes.wait_gone(processes.Recorded(pid, when), PATIENCE)
    mounts.release(folder / "pods")
    asyncio.run(podnetwork.remove_node(cluster.network, cluster.node(node).number))
    lookup.pid_file(cluster, node).unlink()


def containers_of(cluster: Cluster, node: str, uid: str) -> set[str]:
    """The ids of all containers that a node remembers of a pod."""
    return {file.parent.name for file in cleaning.sandboxes(cluster.node_folder(node)).glob(f"{uid}/*/config.json")}


def left_of(cluster: Cluster, node: str, uid: str, containers: set[str]) -> list[str]:
    """What a node still has of a pod: files, an address, a wire, mounts, control groups."""
    folder = cluster.node_folder(node)
    groups = [place for place in Path("/sys/fs/cgroup").glob("**/knarr/*") if place.name in containers]
    places = [folder / "pods" / uid, cleaning.sandboxes(folder) / uid, *groups]
    found = [str(place) for place in places if place.exists()]
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if uid in line]
    links = subprocess.run(
        ["ip", "netns", "exec", cluster.node(node).namespace, "ip", "-j", "link"], capture_output=True, check=True
    ).stdout
    found += [link["ifname"] for link in json.loads(links) if link["ifname"] == node_pods.pod_link(uid)]
    return found + [each for each in json.loads((folder / "addresses.json").read_bytes())["taken"] if each == uid]


@pytest.mark.usefixtures("nodes")
def test_a_node_that_lost_its_power_brings_its_pod_back_with_its_data(
    kubectl: Kubectl, cluster: Cluster, guard: Guard
) -> None:
    uid = started_on_the_node_that_will_be_lost(kubectl, claims=True)
    cut_power(cluster, LOST)
    assert lives()[NAME] == set()
    knarr("node", "start", "--name", "e2e", LOST)
    restarts = "jsonpath={.status.containerStatuses[0].restartCount}"
    kubectl("wait", f"pod/{NAME}", f"--for={restarts}=1", "--timeout=90s")
    kubectl("wait", f"pod/{NAME}", "--for=condition=Ready", "--timeout=90s")
    wait_for({uid}, lambda: lives()[NAME])
    assert (uid_of(kubectl), guard.most) == (uid, 1)
    wait_for([uid, uid], lambda: told(kubectl))
    containers = containers_of(cluster, LOST, uid)
    assert len(containers) == 2
    other = kubectl.replace(NAME)[NAME]
    wait_for([uid, uid, other], lambda: told(kubectl))
    wait_for([], lambda: left_of(cluster, LOST, uid, containers))
    assert guard.most == 1


@pytest.mark.usefixtures("nodes")
def test_a_drained_node_ends_its_pod_before_the_successor_begins(kubectl: Kubectl, guard: Guard) -> None:
    uid = started_on_the_node_that_will_be_lost(kubectl, claims=False)
    kubectl("drain", LOST, "--ignore-daemonsets", "--delete-emptydir-data", "--pod-selector=app=db", "--timeout=120s")
    other = kubectl.successor(NAME, uid)
    wait_for({other}, lambda: lives()[NAME])
    assert guard.most == 1
    assert kubectl("get", "pod", NAME, "-o", "jsonpath={.spec.nodeName}") == OTHER
