"""A cluster of IPv4 and IPv6 on two real nodes: who answers by either family, from pods, nodes and the host."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from dnslib import DNSRecord

from knarr.app import config
from knarr.app.config import Cluster
from knarr.net import conntrack, namespace
from knarr.net.families import SIX
from knarr.net.netlink import NETFILTER, Netlink
from knarr.net.nft import is_installed
from knarr.net.ranges import usual
from tests.e2e.conftest import PATIENCE, Kubectl, knarr, wait_for, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not is_installed(), reason="services need nft")]
HERE = Path(__file__).parent
NAME = "dual"
BALANCERS = "172.30.%d.200,fd00:9::%d:8/126"
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: %(name)s, labels: {app: web, pod: %(name)s}}
spec:
  nodeName: %(node)s
  containers:
  - {name: c, image: "probing:1", args: [serve], env: [{name: NAME, value: %(name)s}],
     ports: [{containerPort: 8080, hostPort: 8000}, {containerPort: 8080, hostPort: 8001, hostIP: "%(only)s"}],
     readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, timeoutSeconds: 30}}
---
"""
SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ipFamilyPolicy: RequireDualStack
  ports: [{name: tcp, port: 80, targetPort: 8080}, {name: udp, port: 80, targetPort: 8080, protocol: UDP}]
---
apiVersion: v1
kind: Service
metadata: {name: sticky}
spec:
  selector: {app: web}
  ipFamilies: [IPv6]
  sessionAffinity: ClientIP
  externalIPs: ["2001:db8::7"]
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: balanced}
spec:
  type: LoadBalancer
  selector: {app: web}
  ipFamilyPolicy: RequireDualStack
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: itself}
spec: {selector: {pod: near}, ipFamilies: [IPv6], ports: [{port: 80, targetPort: 8080}]}
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nodes-alone}
spec:
  podSelector: {matchLabels: {pod: far}}
  ingress: [{from: [{ipBlock: {cidr: "%s"}}]}]
"""


class Stage:
    def __init__(self, cluster: Cluster, kubectl: Kubectl) -> None:
        self.cluster, self.kubectl = cluster, kubectl
        pods = json.loads(kubectl("get", "pods", "-o", "json"))["items"]
        self.pods = {each["metadata"]["name"]: [ip["ip"] for ip in each["status"]["podIPs"]] for each in pods}
        services = json.loads(kubectl("get", "services", "-o", "json"))["items"]
        self.services = {each["metadata"]["name"]: each["spec"] for each in services}

    def who(self, where: str, host: str, port: int = 80, times: int = 1, protocol: str = "tcp") -> set[str]:
        """The names of those that answer a pod, a node by its number, or the host."""
        asked = ["ask", json.dumps([(protocol, host, port, times)])]
        if where in self.pods:
            said = self.kubectl("exec", where, "--", "python3", "/probing.py", *asked)
        else:
            node = self.cluster.network.node(int(where)).namespace if where != "host" else ""
            prefix = ["ip", "netns", "exec", node] if node else []
            command = [*prefix, sys.executable, str(HERE / "probing.py"), *asked]
            said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=2 * PATIENCE).stdout
        return {answer.split()[0] for answer in json.loads(said)[0]}

    def until(self, expected: set[str], where: str, *question: object) -> None:
        wait_for(expected, lambda: self.who(where, *question))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def stage(host: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("dual")
    kubeconfig = folder / "kubeconfig"
    index = config.free_index(NAME)
    ranges = usual(index, (4, 6))
    up = ["--nodes", "2", "--runtime", "sandbox", "--upstream-dns", "127.0.0.1", "--port", "0"]
    try:
        wide = ["--service-cidr", ",".join(ranges.services), "--load-balancer-addresses", BALANCERS % (index, index)]
        knarr("up", "--name", NAME, *up, *wide, "--kubeconfig", str(kubeconfig))
        cluster = config.find(NAME)
        assert cluster is not None
        shutil.copy(HERE / "probing.py", folder)
        (folder / "Dockerfile").write_text('FROM host\nADD probing.py /\nENTRYPOINT ["python3", "/probing.py"]\n')
        knarr("image", "build", "--name", NAME, "-t", "probing:1", str(folder))
        kubectl = Kubectl(environment={"KUBECONFIG": str(kubeconfig)})
        places = {"near": cluster.node_names[0], "far": cluster.node_names[1]}
        only = cluster.network.node(0).address6
        text = "".join(PODS % {"name": name, "node": node, "only": only} for name, node in places.items())
        kubectl("apply", "-f", "-", stdin=text + SERVICES)
        kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s")
        yield Stage(cluster, kubectl)
    finally:
        knarr("down", "--name", NAME, "--delete-data", check=False)


def test_nodes_pods_and_services_have_addresses_of_both(stage: Stage):
    network = stage.cluster.network
    for number, name in enumerate(("near", "far")):
        node = json.loads(stage.kubectl("get", "node", stage.cluster.node_names[number], "-o", "json"))
        assert node["spec"]["podCIDRs"] == [network.node(number).pods, network.node(number).pods6]
        assert [":" in address for address in stage.pods[name]] == [False, True]
    assert [":" in address for address in stage.services["web"]["clusterIPs"]] == [False, True]


def test_every_way_of_ipv6_leads_to_the_pods(stage: Stage):
    web, port = stage.services["web"]["clusterIPs"][1], stage.services["web"]["ports"][0]["nodePort"]
    both, nodes = {"near", "far"}, stage.cluster.network
    stage.until(both, "host", web, 80, 20)
    for where in ("near", "0", "host"):
        stage.until(both, where, web, 80, 20)
        stage.until(both, where, web, 80, 20, "udp")
        stage.until({"far"}, where, stage.pods["far"][1], 8080)
        stage.until(both, where, stage.services["web"]["clusterIPs"][0], 80, 20)
    stage.until(both, "near", "web.default.svc.cluster.local", 80, 20)
    named = "import socket; print(socket.getaddrinfo('web', 80, socket.AF_INET6)[0][4][0])"
    wait_for(web, lambda: stage.kubectl.run("exec", "near", "--", "python3", "-c", named).stdout.strip())
    stage.until(both, "near", nodes.node(1).address6, port, 20)
    wait_until(lambda: stage.who("near", stage.services["sticky"]["clusterIP"]) <= both)
    wait_for(1, lambda: len(stage.who("near", stage.services["sticky"]["clusterIP"], 80, 10)))
    wait_until(lambda: stage.who("near", "2001:db8::7") <= both)
    stage.until({"near"}, "near", stage.services["itself"]["clusterIP"])  # also to itself


def test_a_balancer_has_an_address_of_each_family_and_answers_by_both(stage: Stage):
    index = stage.cluster.network.index
    said = [f"172.30.{index}.200", str(IPv6Address(f"fd00:9::{index}:8"))]
    shown = ("get", "service", "balanced", "-o", "jsonpath={.status.loadBalancer.ingress[*].ip}")
    wait_for(said, lambda: stage.kubectl(*shown).split())
    for where in ("near", "0", "host"):
        for address in said:
            stage.until({"near", "far"}, where, address, 80, 20)


def test_host_ports_are_open_by_both_families_or_the_one_that_is_named(stage: Stage):
    node, other = (stage.cluster.network.node(number) for number in (0, 1))
    for where in ("far", "0", "host"):
        stage.until({"near"}, where, node.address6, 8000)
        stage.until({"near"}, where, node.address, 8000)
        stage.until({"near"}, where, node.address6, 8001)
        stage.until({"refused"}, where, node.address, 8001)
        stage.until({"refused"}, where, other.address6, 8001)  # that is no address of the other node


def test_the_dns_answers_by_both_families(stage: Stage):
    addresses = stage.cluster.network.dns_addresses
    said = stage.kubectl("-n", "kube-system", "get", "service", "kube-dns", "-o", "jsonpath={.spec.clusterIPs[*]}")
    assert tuple(said.split()) == addresses
    asked = DNSRecord.question("web.default.svc.cluster.local", "AAAA")
    for address in addresses:
        for tcp in (False, True):
            found = DNSRecord.parse(asked.send(address, 53, tcp=tcp, timeout=60, ipv6=":" in address))
            assert str(found.a.rdata) == stage.services["web"]["clusterIPs"][1]
    lookup = f"import socket; s = socket.create_connection(({addresses[1]!r}, 53), 60); print(s.getpeername()[1])"
    assert stage.kubectl("exec", "far", "--", "python3", "-c", lookup).strip() == "53"
    path = "/api/v1/namespaces/kube-system/services/kube-dns:metrics/proxy/metrics"
    for _ in range(4):
        assert "coredns_dns_requests_total" in stage.kubectl("get", "--raw", path)


def test_what_no_service_has_is_refused_and_what_is_outside_is_not_reached(stage: Stage):
    nobody = stage.cluster.network.services6.replace("::/112", "::dead")
    for where in ("near", "0", "host"):
        stage.until({"refused"}, where, nobody)
        assert stage.who(where, "2001:db8::9") == {"nothing"}


def test_flows_of_ipv6_that_lead_nowhere_any_more_are_forgotten(stage: Stage):
    web = stage.services["web"]["clusterIPs"][1]
    wait_until(lambda: stage.who("near", web, 80, 3, "udp") <= {"near", "far"})
    with namespace.inside(stage.cluster.network.node(0).namespace):

        def mine() -> list[conntrack.Flow]:
            with Netlink(NETFILTER) as kernel:
                return [flow for flow in conntrack.flows(kernel, SIX) if flow.goal == (web, 80)]

        found = mine()
        assert {flow.answers for flow in found} <= {(ips[1], 8080) for ips in stage.pods.values()}
        forgotten = conntrack.forget_stale({(web, 80): frozenset()}, {}, SIX)
        assert 0 < forgotten <= len(found), "some may have come to their own end meanwhile"
        assert mine() == []


def test_a_policy_holds_for_ipv6_too(stage: Stage):
    far = stage.pods["far"][1]
    stage.kubectl("apply", "-f", "-", stdin=POLICY % stage.cluster.network.nodes6)
    try:
        stage.until({"nothing"}, "near", far, 8080)
        stage.until({"far"}, "host", far, 8080)
        stage.until({"nothing"}, "near", stage.pods["far"][0], 8080)  # the block has no address of IPv4
    finally:
        stage.kubectl("delete", "networkpolicy", "nodes-alone")
    stage.until({"far"}, "near", far, 8080)


def test_a_cluster_that_is_down_leaves_nothing(stage: Stage):
    knarr("down", "--name", NAME)
    routes = subprocess.run(["ip", "-6", "route"], capture_output=True, text=True, check=True).stdout
    network = stage.cluster.network
    assert not any(each in routes for each in (network.pods6, network.services6, network.simulated_pods6))
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    assert f"ip6 {network.bridge}" not in tables
