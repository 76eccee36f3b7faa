"""The cluster's DNS as pods and `dig` see it: services, pods, the world outside, search lists and policies."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from knarr.app.config import Cluster
from tests.e2e.conftest import OUTSIDE, PATIENCE, Kubectl, resolved, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]

SHELL = "busybox:1.28.4"
WEB = "nginx:1.9.1"
SPACE = "names"


def a_pod(name: str, node: str = "", image: str = WEB, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": image, "ports": [{"name": "web", "containerPort": 80}]}
    if image == SHELL:
        container |= {"command": ["sleep", "3600"]}
    placed = {"nodeSelector": {"kubernetes.io/hostname": node}} if node else {}
    metadata = {"name": name, "labels": {"app": "web" if image == WEB else name}}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container], **placed, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def a_service(name: str, **spec: Any) -> dict[str, Any]:
    given = {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 8080, "targetPort": "web"}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": given}


NEVER = {"exec": {"command": ["false"]}}
UNREADY = a_pod("slow", hostname="slow", subdomain="pods")
UNREADY["spec"]["containers"][0]["readinessProbe"] = NEVER
OWN = {"nameservers": ["192.0.2.53"], "searches": ["example.org"]}
STATEFUL = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "nginx-statefulset"},
    "spec": {
        "serviceName": "nginx-svc",
        "replicas": 3,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": {"app": "nginx-pod"}},
        "template": {
            "metadata": {"labels": {"app": "nginx-pod"}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "nginx", "image": WEB}]},
        },
    },
}
OBJECTS = [
    STATEFUL,
    a_service("nginx-svc", clusterIP="None", selector={"app": "nginx-pod"}, ports=[{"name": "http", "port": 80}]),
    a_pod("web-a", "e2e-0", hostname="a", subdomain="pods"),
    a_pod("web-b", "e2e-1", hostname="b", subdomain="pods"),
    UNREADY,
    a_pod("here", "e2e-0", SHELL),
    a_pod("there", "e2e-1", SHELL),
    a_pod("few-dots", "e2e-1", SHELL, dnsConfig={"options": [{"name": "ndots", "value": "1"}]}),
    a_pod("own", "e2e-0", SHELL, dnsPolicy="None", dnsConfig=OWN),
    a_service("normal"),
    a_service("pods", clusterIP="None"),
    a_service("early", clusterIP="None", publishNotReadyAddresses=True),
    a_service("away", type="ExternalName", externalName="baidu.com"),
]


@pytest.fixture(scope="module")
def pods(cluster: Cluster, images: None) -> Iterator[dict[str, str]]:
    """Services and pods on both nodes; the pods' addresses by name."""
    kubectl = Kubectl()
    kubectl("create", "namespace", SPACE)
    kubectl("apply", "-n", SPACE, "-f", "-", stdin=json.dumps({"kind": "List", "apiVersion": "v1", "items": OBJECTS}))
    names = [f"pod/{each['metadata']['name']}" for each in OBJECTS if each["kind"] == "Pod" and each is not UNREADY]
    kubectl("wait", "-n", SPACE, *names, "--for=condition=Ready", "--timeout=120s")
    kubectl("wait", "-n", SPACE, "pod/slow", "--for=jsonpath={.status.phase}=Running", "--timeout=120s")
    kubectl("rollout", "status", "-n", SPACE, "statefulset/nginx-statefulset", "--timeout=120s")
    shown = "jsonpath={range .items[*]}{.metadata.name} {.status.podIP}{'\\n'}{end}"
    found = dict(line.split() for line in kubectl("get", "pods", "-n", SPACE, "-o", shown).splitlines())
    zone, web = f"{SPACE}.svc.cluster.local", [found["web-a"], found["web-b"]]
    members = [address for name, address in found.items() if name.startswith("nginx-statefulset-")]
    for service, addresses in {"pods": web, "early": [*web, found["slow"]], "nginx-svc": members}.items():
        wait_for(sorted(addresses), lambda: resolved(cluster, f"{service}.{zone}"))  # noqa: B023
    yield found
    kubectl("delete", "namespace", SPACE)


@pytest.fixture
def service_ip(pods: dict[str, str], kubectl: Kubectl) -> str:
    return kubectl("get", "service", "-n", SPACE, "normal", "-o", "jsonpath={.spec.clusterIP}")


def dig(cluster: Cluster, *arguments: str) -> str:
    """dig on the host."""
    binary = shutil.which("dig")
    assert binary, "dig is missing: scripts/setup --tests installs it"
    command = [binary, *arguments, f"@{cluster.network.dns}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout


def test_dig_shows_the_pods_of_a_statefulset_as_the_note_has_them(cluster: Cluster, pods: dict[str, str]) -> None:
    for number in range(3):
        name = f"nginx-statefulset-{number}.nginx-svc.{SPACE}.svc.cluster.local"
        said = dig(cluster, "-t", "A", name)
        assert f";; ANSWER SECTION:\n{name}." in said
        address = re.escape(pods[f"nginx-statefulset-{number}"])
        assert re.search(rf"^{re.escape(name)}\.\s+30\s+IN\s+A\s+{address}$", said, re.MULTILINE), said
        assert "status: NOERROR" in said and ";; flags: qr aa rd ra;" in said
        assert "recursion requested but not available" not in said


def test_a_normal_service_is_its_address_and_a_headless_one_its_pods(
    cluster: Cluster, pods: dict[str, str], service_ip: str
) -> None:
    zone = f"{SPACE}.svc.cluster.local"
    assert resolved(cluster, f"normal.{zone}") == [service_ip]
    assert resolved(cluster, f"pods.{zone}") == sorted([pods["web-a"], pods["web-b"]])
    assert resolved(cluster, f"early.{zone}") == sorted([pods["web-a"], pods["web-b"], pods["slow"]])
    assert resolved(cluster, "SRV", f"_http._tcp.normal.{zone}") == [f"0 100 8080 normal.{zone}."]
    assert resolved(cluster, "SRV", f"_http._tcp.pods.{zone}") == [f"0 50 80 {host}.pods.{zone}." for host in "ab"]
    assert resolved(cluster, "-x", service_ip) == [f"normal.{zone}."]
    assert f"a.pods.{zone}." in resolved(cluster, "-x", pods["web-a"])
    assert resolved(cluster, "TXT", "dns-version.cluster.local") == ['"1.1.0"']
    assert resolved(cluster, f"10-1-2-3.{SPACE}.pod.cluster.local") == ["10.1.2.3"]


def test_what_is_not_there_is_said_in_two_ways(cluster: Cluster, pods: dict[str, str]) -> None:
    zone = f"{SPACE}.svc.cluster.local"
    for name in (f"nobody.{zone}", f"slow.pods.{zone}"):
        said = dig(cluster, name)
        assert "status: NXDOMAIN" in said and "\tSOA\tns.dns.cluster.local. hostmaster.cluster.local." in said
    said = dig(cluster, "AAAA", f"normal.{zone}")
    assert "status: NOERROR" in said and "ANSWER: 0" in said and "\tSOA\t" in said
    assert "; Transfer failed." in dig(cluster, "AXFR", "cluster.local")


NAMES = {
    "a service of the same namespace": ("normal", "service"),
    "a service with its namespace": (f"normal.{SPACE}", "service"),
    "a service with its namespace and svc": (f"normal.{SPACE}.svc", "service"),
    "a whole name": (f"normal.{SPACE}.svc.cluster.local.", "service"),
    "a pod below its service": ("b.pods", "web-b"),
    "a service of another namespace": ("kubernetes.default", "kubernetes"),
}
LOOK = "import socket,sys; print(*sorted({a[4][0] for a in socket.getaddrinfo(sys.argv[1], None, socket.AF_INET)}))"


@pytest.mark.parametrize("pod", ["here", "there"])
def test_a_pod_on_either_node_finds_short_names_by_its_search_list(
    cluster: Cluster, kubectl: Kubectl, pods: dict[str, str], service_ip: str, pod: str
) -> None:
    wanted = {**pods, "service": service_ip, "kubernetes": cluster.network.api}
    script = f"import socket\nfor name in {[name for name, _ in NAMES.values()]!r}: print(socket.gethostbyname(name))"
    said = kubectl("exec", "-n", SPACE, pod, "--", "python3", "-c", script)
    assert said.split() == [wanted[key] for _, key in NAMES.values()]


@pytest.mark.parametrize("pod", ["here", "there"])
def test_a_pod_on_either_node_reaches_pods_and_services_of_both(
    cluster: Cluster, kubectl: Kubectl, pods: dict[str, str], pod: str
) -> None:
    places = ["a.pods:80", "b.pods:80", f"{pods['web-a']}:80", f"{pods['web-b']}:80", *["normal:8080"] * 4]
    script = (
        "import http.client\n"
        f"for place in {places!r}:\n"
        " c = http.client.HTTPConnection(place, timeout=30); c.request('GET', '/'); print(c.getresponse().status)"
    )
    ask = ("exec", "-n", SPACE, pod, "--", "python3", "-c", script)
    wait_for(["200"] * len(places), lambda: kubectl.run(*ask).stdout.split())  # rules follow the API


def test_names_of_the_world_outside_are_found_through_the_search_list_and_through_a_service(
    kubectl: Kubectl, pods: dict[str, str]
) -> None:
    for name in ("baidu.com", "away", f"away.{SPACE}.svc.cluster.local"):
        look = ("exec", "-n", SPACE, "there", "--", "python3", "-c", LOOK, name)
        wait_for(sorted(OUTSIDE["baidu.com"]), lambda: kubectl.run(*look).stdout.split())  # noqa: B023


def test_the_search_list_and_its_dots_are_the_pods_to_change(
    kubectl: Kubectl, pods: dict[str, str], service_ip: str
) -> None:
    file = kubectl("exec", "-n", SPACE, "here", "--", "cat", "/etc/resolv.conf")
    server = re.search(r"^nameserver (\S+)$", file, re.MULTILINE)
    assert server
    assert file == (
        f"search {SPACE}.svc.cluster.local svc.cluster.local cluster.local\nnameserver {server[1]}\noptions ndots:5\n"
    )
    changed = kubectl("exec", "-n", SPACE, "few-dots", "--", "cat", "/etc/resolv.conf")
    assert changed == file.replace("ndots:5", "ndots:1")
    look = ("exec", "-n", SPACE, "few-dots", "--", "python3", "-c", LOOK, f"normal.{SPACE}.svc.cluster.local")
    assert kubectl(*look).split() == [service_ip]
    own = kubectl("exec", "-n", SPACE, "own", "--", "cat", "/etc/resolv.conf")
    assert own == "search example.org\nnameserver 192.0.2.53\n"


def test_a_pod_with_a_subdomain_knows_its_own_whole_name(kubectl: Kubectl, pods: dict[str, str]) -> None:
    said = kubectl("exec", "-n", SPACE, "web-a", "--", "cat", "/etc/hosts")
    assert f"{pods['web-a']}\ta.pods.{SPACE}.svc.cluster.local\ta\n" in said


def test_nslookup_in_a_pod_says_server_name_and_address(
    cluster: Cluster, kubectl: Kubectl, pods: dict[str, str]
) -> None:
    said = kubectl("exec", "-n", SPACE, "here", "--", "nslookup", "b.pods")
    assert re.search(rf"Server:\s+{re.escape(cluster.network.dns)}\n", said), said
    assert re.search(rf"Name:\s+b\.pods\nAddress 1: {re.escape(pods['web-b'])} b\.pods\.{SPACE}\.svc\.", said), said
    said = kubectl("exec", "-n", SPACE, "web-a", "--", "nslookup", f"b.pods.{SPACE}.svc.cluster.local")
    assert re.search(rf"Name:\s+b\.pods\.{SPACE}\.svc\.cluster\.local\nAddress: {re.escape(pods['web-b'])}\n", said), (
        said
    )


def test_the_counts_of_the_dns_are_read_through_its_service(kubectl: Kubectl, pods: dict[str, str]) -> None:
    path = "/api/v1/namespaces/kube-system/services/kube-dns:metrics/proxy/metrics"
    said = kubectl("get", "--raw", path)
    assert re.search(r'coredns_dns_requests_total{.*proto="udp",family="1",type="A"} [1-9]', said), said
    assert re.search(r"coredns_cache_misses_total{.*} [1-9]", said), said
    _, rows = kubectl.table("get", "service", "-n", "kube-system", "kube-dns")
    assert rows[0]["PORT(S)"] == "53/UDP,53/TCP,9153/TCP"
