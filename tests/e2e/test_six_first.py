"""A cluster whose first family is IPv6, or its only one, on a real node: what has one address has one of IPv6."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from knarr.app import config
from knarr.app.config import Cluster
from knarr.net.nft import is_installed
from knarr.net.ranges import usual
from tests.e2e.conftest import Kubectl, knarr, wait_for, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not is_installed(), reason="services need nft")]
HERE = Path(__file__).parent
NAME = "six"
OBJECTS = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - name: c
    image: "probing:1"
    args: [serve]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, timeoutSeconds: 30}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: the-server-alone}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress: [{to: [{ipBlock: {cidr: "%s/128"}}]}]
"""
WITH_TOKEN = """
import os, ssl, urllib.request
place = "/var/run/secrets/kubernetes.io/serviceaccount/"
headers = {"Authorization": "Bearer " + open(place + "token").read()}
url = "https://[" + os.environ["KUBERNETES_SERVICE_HOST"] + "]:" + os.environ["KUBERNETES_SERVICE_PORT"] + "/api"
trust = ssl.create_default_context(cafile=place + "ca.crt")
print(urllib.request.urlopen(urllib.request.Request(url, headers=headers), context=trust, timeout=60).read().decode())
"""
NAMES = "import socket; print(socket.getaddrinfo('web.default.svc', 80)[0][4][0])"


@pytest.fixture(scope="module", params=[(6, 4), (6,)], ids=["first", "alone"])
def stage(
    host: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Cluster, Kubectl]]:
    folder = tmp_path_factory.mktemp("six")
    ranges = usual(config.free_index(NAME), request.param)
    wide = ["--service-cidr", ",".join(ranges.services), "--kubeconfig", str(folder / "kubeconfig")]
    try:
        knarr("up", "--name", NAME, "--runtime", "sandbox", "--upstream-dns", "127.0.0.1", "--port", "0", *wide)
        cluster = config.find(NAME)
        assert cluster is not None
        shutil.copy(HERE / "probing.py", folder)
        (folder / "Dockerfile").write_text('FROM host\nADD probing.py /\nENTRYPOINT ["python3", "/probing.py"]\n')
        knarr("image", "build", "--name", NAME, "-t", "probing:1", str(folder))
        kubectl = Kubectl(environment={"KUBECONFIG": str(folder / "kubeconfig")})
        kubectl("apply", "-f", "-", stdin=OBJECTS % cluster.network.host6)
        kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s")
        yield cluster, kubectl
    finally:
        knarr("down", "--name", NAME, "--delete-data", check=False)


def test_what_has_two_addresses_has_that_of_ipv6_first(stage: tuple[Cluster, Kubectl]):
    cluster, kubectl = stage
    node, pod = (json.loads(kubectl("get", *each, "-o", "json")) for each in (("node", "six-0"), ("pod", "web")))
    own = [each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
    plan = cluster.network.node(0)
    beside = len(cluster.network.families) == 2
    assert own == [plan.address6, plan.address][: 1 + beside]
    assert node["spec"]["podCIDRs"] == [plan.pods6, plan.pods][: 1 + beside]
    assert [":" in each["ip"] for each in pod["status"]["podIPs"]] == [True, False][: 1 + beside]
    assert [":" in each["ip"] for each in pod["status"]["hostIPs"]] == [True, False][: 1 + beside]
    first = ("get", "endpoints", "kubernetes", "-o", "jsonpath={.subsets[0].addresses[0].ip}")
    wait_for(cluster.network.host6, lambda: kubectl(*first))


def test_services_names_and_the_server_are_reached_by_it(stage: tuple[Cluster, Kubectl]):
    cluster, kubectl = stage
    address = kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    assert ":" in address and ":" in cluster.network.dns
    asked = [sys.executable, str(HERE / "probing.py"), "ask", json.dumps([("tcp", address, 80, 1)])]
    wait_until(lambda: "web" in subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    ask = ("exec", "web", "--", "python3", "-c", WITH_TOKEN)
    wait_until(lambda: "APIVersions" in kubectl.run(*ask).stdout, "the policy lets it through")
    kubectl("delete", "networkpolicy", "the-server-alone")
    wait_for(address, lambda: kubectl.run("exec", "web", "--", "python3", "-c", NAMES).stdout.strip())
    knarr("node", "stop", "--name", NAME, "six-0")
    assert knarr("node", "start", "--name", NAME, "six-0").stdout == "agent of node six-0 started\n"
