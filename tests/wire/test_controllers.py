"""The controllers as processes of their own, against a server that runs none: one leads, the other takes over."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from knarr.meta import clock
from tests.wire.kubectl_cluster import TOKENS, Cluster, knarr

pytestmark = pytest.mark.long
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"
SPACE = "/api/v1/namespaces/default"
SETS = "/apis/apps/v1/namespaces/default/replicasets"
PATIENCE = 60.0  #: seconds


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of a simulated node whose server runs no controllers."""
    home = tmp_path_factory.mktemp("bare")
    (home / "tokens.csv").write_text(TOKENS)
    cluster = Cluster(home)
    flags = ["--runtime", "simulated", "--store", "memory", "--nodes", "1", "--port", "0", "--no-controllers"]
    where = ["--kubeconfig", str(cluster.made), "--token-auth-file", str(home / "tokens.csv")]
    knarr(home, "up", "--name", "bare", *flags, *where)
    try:
        yield cluster
    finally:
        knarr(home, "down", "--name", "bare", "--delete-data")


@contextmanager
def controllers(cluster: Cluster, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "knarr", "controllers", "--kubeconfig", str(cluster.made), *options]
    with (cluster.home / "log").open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition, what: str) -> None:
    """Wait until it holds."""
    began = clock.unix()
    while not condition():
        assert clock.unix() - began < PATIENCE, what
        time.sleep(0.1)


def holder(cluster: Cluster) -> str:
    return cluster.request("GET", LEASE)["spec"].get("holderIdentity", "") if cluster.has(LEASE) else ""


def ready(cluster: Cluster, name: str) -> int:
    return cluster.request("GET", f"{SETS}/{name}")["status"].get("readyReplicas", 0)


def make(cluster: Cluster, name: str) -> None:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    cluster.request(
        "POST", SETS, {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name}, "spec": spec}
    )


def test_one_of_two_leads_and_when_it_is_killed_the_other_takes_over(bare: Cluster) -> None:
    make(bare, "first")
    with controllers(bare) as one:
        until(lambda: bool(holder(bare)), "a leader")
        leader = holder(bare)
        until(lambda: ready(bare, "first") == 2, "two pods by the leader")
        with controllers(bare) as two:
            make(bare, "second")
            until(lambda: ready(bare, "second") == 2, "two pods while there are two")
            until(lambda: (bare.home / "log").read_text().count("would lead") == 2, "another candidate")
            assert holder(bare) == leader
            one.kill()
            make(bare, "third")
            until(lambda: holder(bare) not in ("", leader), "another leader")
            until(lambda: ready(bare, "third") == 2, "two pods by the other")
            assert bare.request("GET", LEASE)["spec"]["leaseTransitions"] == 1
            two.send_signal(signal.SIGTERM)
            assert two.wait(PATIENCE) == 0
            assert holder(bare) == "", "given back"


def test_chosen_controllers_work_alone_and_without_a_lease(bare: Cluster) -> None:
    make(bare, "alone")
    with controllers(bare, "--no-leader-elect", "--controllers", "replicaset,serviceaccount") as process:
        until(lambda: ready(bare, "alone") == 2, "two pods")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def test_an_unknown_controller_is_named(bare: Cluster) -> None:
    command = [sys.executable, "-m", "knarr", "controllers", "--kubeconfig", str(bare.made), "--controllers", "*,-jobs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert "no controller -jobs; there are" in done.stderr
