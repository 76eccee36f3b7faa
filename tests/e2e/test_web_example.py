"""The web front of the examples: rolled, scaled, drained and its node stopped, without one failed request."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from knarr.app.config import Cluster
from tests.e2e.conftest import PATIENCE, ROOT, Kubectl, knarr, resolved, wait_for, wait_until

pytestmark = pytest.mark.e2e
EXAMPLE = ROOT / "examples/web"


@pytest.fixture
def outside(cluster: Cluster) -> Iterator["subprocess.Popen[str]"]:
    """The client on the host."""
    command = [sys.executable, str(EXAMPLE / "load.py"), f"{cluster.node(cluster.node_names[0]).address}:30080"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def test_no_request_fails_while_everything_changes(
    cluster: Cluster, kubectl: Kubectl, namespace: str, request: pytest.FixtureRequest
):
    first, second = cluster.node_names
    knarr("image", "build", "--name", "e2e", "-t", "web", str(EXAMPLE))
    kubectl("apply", "-f", str(EXAMPLE / "web.yaml"))
    kubectl("rollout", "status", "deployment", "web", "--timeout=120s")
    name, place = f"web.{namespace}.svc.cluster.local", f"{cluster.node(first).address}:30080"
    address = kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    wait_for([address], lambda: resolved(cluster, name))
    wait_until(
        lambda: "web-" in subprocess.run(["curl", "-s", "-m", "5", place], capture_output=True, text=True).stdout
    )
    # the client inside stays where it is while the other node is drained
    there = json.dumps({"spec": {"nodeName": first, "terminationGracePeriodSeconds": 1}})
    image = ["--image", "web", "--restart=Never", f"--overrides={there}"]
    kubectl("run", "load", *image, "--command", "--", "python3", "/load.py", "web:80")
    kubectl("wait", "--for=condition=Ready", "pod/load", "--timeout=90s")
    client = request.getfixturevalue("outside")
    wait_until(lambda: "answered" in kubectl("logs", "load"))
    assert client.stdout is not None and "answered" in client.stdout.readline()

    def rolled() -> None:
        kubectl("rollout", "status", "deployment", "web", "--timeout=170s")

    kubectl("set", "env", "deployment", "web", "VERSION=v2")
    rolled()
    for count in (5, 2, 3):
        kubectl("scale", "deployment", "web", f"--replicas={count}")
        rolled()
    try:
        kubectl("drain", second, "--ignore-daemonsets", "--force", "--timeout=170s")
        knarr("node", "stop", "--name", "e2e", second)
        rolled()
    finally:
        knarr("node", "start", "--name", "e2e", second)
        kubectl("uncordon", second)
    kubectl("exec", "load", "--", "pkill", "-TERM", "-f", "load.py")
    client.terminate()
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/load", "--timeout=90s")
    outer, _ = client.communicate(timeout=PATIENCE)
    for said in (kubectl("logs", "load"), outer):
        counts = json.loads(said.splitlines()[-1])
        assert counts["failed"] == {}, counts
        assert counts["good"] > 200, counts
        assert {who.split()[1] for who in counts["by"]} == {"v1", "v2"}
