"""NetworkPolicies between pods of two sandbox nodes: who reaches whom, by what, and how soon."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator

import pytest

from knarr.app.config import Cluster
from knarr.net.plan import NetworkPlan
from tests.e2e.conftest import Kubectl, build, wait_for, wait_until

pytestmark = pytest.mark.e2e
SHOP, BANK = "np-shop", "np-bank"
PODS = {"web": (SHOP, 0, "web"), "near": (SHOP, 0, "client"), "far": (SHOP, 1, "other"), "teller": (BANK, 1, "client")}
#: answers on TCP 8080 and 9090 and UDP 5353, and tells how it was asked
SERVER = """
import socket, threading
def tcp(port):
    server = socket.create_server(("", port))
    def answer(link):
        while data := link.recv(100): link.sendall(data)
    while True: threading.Thread(target=answer, args=(server.accept()[0],)).start()
def udp(port):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(("", port))
    while True: server.sendto(*server.recvfrom(100))
for what, port in ((tcp, 8080), (tcp, 9090), (udp, 5353)): threading.Thread(target=what, args=(port,)).start()
"""
#: for each "name=protocol:host:port:seconds" whether it answers within that time
CLIENT = """
import json, socket, sys, time
from concurrent.futures import ThreadPoolExecutor
def ask(target):
    protocol, host, port, seconds = target.split("=")[1].split(":")
    end = time.monotonic() + float(seconds)
    while (left := end - time.monotonic()) > 0:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM) as link:
                link.settimeout(min(left, 0.4) if protocol == "udp" else left)
                link.connect((host, int(port)))
                if protocol == "dns":
                    return True
                link.send(b"hello")
                return link.recv(100) == b"hello"
        except OSError:
            time.sleep(0.02)
    return False
with ThreadPoolExecutor(16) as pool:
    print(json.dumps({t.split("=")[0]: a for t, a in zip(sys.argv[1:], pool.map(ask, sys.argv[1:]))}))
"""
SECONDS = {True: 20.0, False: 0.4}  #: what answers may be slow; what is dropped never comes


def manifest(name: str) -> str:
    namespace, node, role = PODS[name]
    script = json.dumps(SERVER)
    return f"""\
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {{role: {role}}}}}
spec:
  nodeName: e2e-{node}
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: policies:1
    command: [python3, -c, {script}]
    ports: [{{name: http, containerPort: 8080}}, {{name: echo, containerPort: 5353, protocol: UDP}}]
    readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1, timeoutSeconds: 30}}
---
"""


SERVICE = f"""\
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: {SHOP}}}
spec: {{selector: {{role: web}}, ports: [{{port: 80, targetPort: http}}]}}
---
"""
Reach = Callable[[str, dict[str, bool]], None]


@pytest.fixture(scope="module")
def places(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Pods on both nodes in two namespaces; their addresses, and the service's."""
    folder = tmp_path_factory.mktemp("policies")
    (folder / "Dockerfile").write_text("FROM host\n")
    build(folder, "policies:1")
    kubectl = Kubectl()
    for name in (SHOP, BANK):
        kubectl("create", "namespace", name)
    try:
        kubectl("label", "namespace", BANK, "money=yes")
        kubectl("apply", "-f", "-", stdin=SERVICE + "".join(map(manifest, PODS)))
        for name, (namespace, *_) in PODS.items():
            kubectl("wait", "-n", namespace, "--for=condition=Ready", f"pod/{name}", "--timeout=120s")
        form = "-o=jsonpath={.status.podIP}"
        found = {name: kubectl("get", "pod", name, "-n", where, form) for name, (where, *_) in PODS.items()}
        yield found | {"service": kubectl("get", "service", "web", "-n", SHOP, "-o=jsonpath={.spec.clusterIP}")}
    finally:
        kubectl("delete", "namespace", SHOP, BANK, "--wait=true")


@pytest.fixture
def reach(places: dict[str, str]) -> Iterator[Reach]:
    """Ask from a pod until what answers is as it should be: reach("near", {"tcp:web:8080": True}). Policies go with
    the test."""

    def ask(source: str, wanted: dict[str, bool]) -> dict[str, bool]:
        asked = []
        for target, answers in wanted.items():
            protocol, name, port = target.split(":")
            asked.append(f"{target}={protocol}:{places.get(name, name)}:{port}:{SECONDS[answers]}")
        command = ("exec", "-n", PODS[source][0], source, "--", "python3", "-c", CLIENT, *asked)
        return {key: bool(value) for key, value in json.loads(Kubectl()(*command)).items()}

    yield lambda source, wanted: wait_for(wanted, lambda: ask(source, wanted))
    Kubectl()("delete", "networkpolicy", "--all", "-n", SHOP)


def apply(spec: str, name: str = "p") -> None:
    head = f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: {SHOP}}}\n"
    Kubectl()("apply", "-f", "-", stdin=f"{head}spec: {spec}\n")


WEB = ("tcp:web:8080", "tcp:web:9090", "udp:web:5353", "tcp:service:80")
ALL, NONE = dict.fromkeys(WEB, True), dict.fromkeys(WEB, False)
HTTP = NONE | {"tcp:web:8080": True, "tcp:service:80": True}
ONLY_WEB = "podSelector: {matchLabels: {role: web}}"
#: a policy, and what then reaches the pod `web` from the others
INGRESS = {
    "without rules nobody gets in": ("{podSelector: {}}", {"near": NONE, "far": NONE, "teller": NONE}),
    "pods of the namespace by label": (
        f"{{{ONLY_WEB}, ingress: [{{from: [{{podSelector: {{matchLabels: {{role: client}}}}}}]}}]}}",
        {"near": ALL, "far": NONE, "teller": NONE},
    ),
    "pods of another namespace by the name of a port, through the service as well": (
        f"{{{ONLY_WEB}, ingress: [{{ports: [{{port: http}}], from: [{{namespaceSelector: "
        "{matchLabels: {money: 'yes'}}, podSelector: {matchLabels: {role: client}}}]}]}",
        {"near": NONE, "teller": HTTP},
    ),
    "ports by range and protocol": (
        f"{{{ONLY_WEB}, ingress: [{{ports: [{{port: 9000, endPort: 9100}}, {{port: 5353, protocol: UDP}}]}}]}}",
        {"near": NONE | {"tcp:web:9090": True, "udp:web:5353": True}},
    ),
    "another pod's policy is not about this one": (
        "{podSelector: {matchLabels: {role: client}}}",
        {"far": {"tcp:near:8080": False, **ALL}, "teller": ALL},
    ),
}


@pytest.mark.parametrize(("spec", "expected"), INGRESS.values(), ids=INGRESS)
def test_ingress(reach: Reach, spec: str, expected: dict[str, dict[str, bool]]):
    apply(spec)
    for source, wanted in expected.items():
        reach(source, wanted)


def test_a_block_with_a_hole_and_a_second_policy_that_adds_to_it(reach: Reach, places: dict[str, str]):
    block = f"{{cidr: 10.0.0.0/8, except: [{places['far']}/32]}}"
    apply(f"{{{ONLY_WEB}, ingress: [{{from: [{{ipBlock: {block}}}]}}]}}")
    reach("far", NONE)
    reach("near", ALL)
    apply(f"{{{ONLY_WEB}, ingress: [{{ports: [{{port: 8080}}]}}]}}", "second")
    reach("far", HTTP)


def test_what_a_pod_may_ask_for_dns_included(reach: Reach, cluster: Cluster):
    dns, api = cluster.network.dns, cluster.network.api
    everything = ("tcp:far:8080", "tcp:teller:8080", f"dns:{dns}:53", f"dns:{api}:443")
    near = "podSelector: {matchLabels: {role: client}}"
    apply(f"{{{near}, policyTypes: [Egress]}}")
    reach("near", dict.fromkeys(everything, False))
    reach("far", {"tcp:near:8080": True})  # answers are no questions
    names = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, "
    names += "podSelector: {matchLabels: {k8s-app: kube-dns}}}"
    rules = f"{{to: [{names}], ports: [{{port: 53}}]}}, {{to: [{{podSelector: {{}}}}], ports: [{{port: http}}]}}"
    rules += f", {{to: [{{ipBlock: {{cidr: {cluster.network.host}/32}}}}], ports: [{{port: {cluster.port}}}]}}"
    apply(f"{{{near}, policyTypes: [Egress], egress: [{rules}]}}")
    reach("near", dict.fromkeys(everything, True) | {"tcp:teller:8080": False})


def test_the_node_still_probes_and_the_pod_reaches_itself(reach: Reach):
    apply("{podSelector: {}, policyTypes: [Ingress, Egress]}")
    reach("web", {"tcp:web:8080": True, "tcp:service:80": True, "tcp:near:8080": False})
    late = manifest("web").replace("name: web,", "name: late,").replace("role: web", "role: late")
    Kubectl()("apply", "-f", "-", stdin=late.removesuffix("---\n"))
    Kubectl()("wait", "-n", SHOP, "--for=condition=Ready", "pod/late", "--timeout=90s")
    Kubectl()("delete", "-n", SHOP, "pod", "late", "--wait=false")


def test_a_pod_that_comes_is_isolated_from_its_first_packet_and_changes_no_chain(
    reach: Reach, places: dict[str, str], cluster: Cluster
):
    apply("{podSelector: {}, policyTypes: [Egress]}")
    reach("near", {"tcp:web:8080": False})
    reach("teller", {"tcp:near:8080": True})  # what an earlier policy said is over
    wait_until(lambda: places["near"] in re.findall(r"[\d.]+", rules(cluster)))
    before = handles(cluster)
    script = json.dumps(CLIENT)
    targets = ", ".join(json.dumps(f"{number}=tcp:{cluster.network.api}:443:0.4") for number in range(8))
    Kubectl()(
        *("apply", "-n", SHOP, "-f", "-"),
        stdin=f"""\
apiVersion: v1
kind: Pod
metadata: {{name: hasty}}
spec:
  nodeName: e2e-0
  restartPolicy: Never
  containers: [{{name: main, image: policies:1, command: [python3, -c, {script}, {targets}]}}]
""",
    )
    Kubectl()("wait", "-n", SHOP, "--for=jsonpath={.status.phase}=Succeeded", "pod/hasty", "--timeout=90s")
    assert set(json.loads(Kubectl()("logs", "-n", SHOP, "hasty")).values()) == {False}
    assert handles(cluster) == before


def rules(cluster: Cluster) -> str:
    """A node's table of policies; "" when there is none."""
    node = cluster.node("e2e-0").namespace
    listing = ["ip", "netns", "exec", node, "nft", "-a", "list", "table", "ip", f"{cluster.network.bridge}-policy"]
    return subprocess.run(listing, capture_output=True, text=True, check=False).stdout


def handles(cluster: Cluster) -> list[str]:
    """The rules of a node's table as the kernel numbers them: a new rule has a new number."""
    lines = rules(cluster).splitlines()
    assert lines
    return [line for line in lines if "accept" in line or "jump" in line or "drop" in line if " : " not in line]


def test_running_connections_end_with_what_allowed_them(reach: Reach, places: dict[str, str], cluster: Cluster):
    talk = "import socket, sys\nlink = socket.create_connection((sys.argv[1], 8080), 60)\n"
    talk += "while line := sys.stdin.readline():\n  link.settimeout(60 if line == 'one\\n' else 1)\n"
    talk += "  link.send(line.encode()); print(link.recv(100).decode(), flush=True)\n"
    command = ["kubectl", "exec", "-i", "-n", SHOP, "near", "--", "python3", "-c", talk, places["web"]]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as it:
        assert it.stdin
        assert it.stdout
        it.stdin.write("one\n")
        it.stdin.flush()
        assert it.stdout.readline() == "one\n"
        apply(f"{{{ONLY_WEB}}}")
        reach("near", {"tcp:web:8080": False})
        wait_until(lambda: places["web"] in re.findall(r"[\d.]+", rules(cluster)))
        it.stdin.write("two\n")
        it.stdin.close()
        assert "two" not in it.stdout.read()


FORGED = """
import socket, struct, sys
source, target = (socket.inet_aton(each) for each in sys.argv[1:3])
data = struct.pack("!4H", 4000, 5353, 13, 0) + b"hello"
head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 1, 0, 64, 17, 0) + source + target
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as link:
    link.sendto(head + data, (sys.argv[2], 0))
"""


def test_no_pod_sends_under_another_s_address(reach: Reach, places: dict[str, str], cluster: Cluster):
    apply(f"{{{ONLY_WEB}, ingress: [{{from: [{{podSelector: {{matchLabels: {{role: other}}}}}}]}}]}}")
    reach("near", {"udp:web:5353": False})
    node = cluster.node("e2e-0").namespace
    listing = ["ip", "netns", "exec", node, "nft", "list", "set", "ip", f"{cluster.network.bridge}-policy", "known"]
    wait_until(lambda: places["near"] in subprocess.run(listing, capture_output=True, text=True, check=False).stdout)
    seen = ["ip", "netns", "exec", node, "nft", "-f", "-"]
    forged = f"ip daddr {places['web']} udp sport 4000 counter"  # not what connections of other tests still try
    counters = "".join(f"ip saddr {places[name]} {forged}\n" for name in ("far", "near"))
    count = f"table ip watching {{ chain c {{ type filter hook forward priority -300\n{counters} }}\n }}\n"
    subprocess.run(seen, input=count, text=True, check=True)
    for source in ("far", "near"):
        Kubectl()("exec", "-n", SHOP, "near", "--", "python3", "-c", FORGED, places[source], places["web"])
    table = ["ip", "netns", "exec", node, "nft", "list", "table", "ip", "watching"]

    def counted() -> list[str]:
        said = subprocess.run(table, capture_output=True, text=True, check=True).stdout
        return re.findall(r"counter packets (\d+)", said)

    wait_for(["0", "1"], counted)
    subprocess.run(["ip", "netns", "exec", node, "nft", "delete", "table", "ip", "watching"], check=True)


def test_the_last_policy_takes_the_table_away(reach: Reach, cluster: Cluster):
    plan: NetworkPlan = cluster.network
    apply("{podSelector: {}}")
    reach("far", {"tcp:web:8080": False})
    Kubectl()("delete", "networkpolicy", "--all", "-n", SHOP)
    reach("far", {"tcp:web:8080": True})
    listing = ["ip", "netns", "exec", plan.node(0).namespace, "nft", "list", "tables"]
    wait_until(lambda: "policy" not in subprocess.run(listing, capture_output=True, text=True, check=True).stdout)
