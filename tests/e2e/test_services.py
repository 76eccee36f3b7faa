"""Services of every type on two real nodes: who answers, and whom he sees, from pods, nodes and the host."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from knarr.app.config import Cluster
from tests.e2e.conftest import PATIENCE, Kubectl, build, wait_for, wait_until

pytestmark = pytest.mark.e2e
HERE = Path(__file__).parent
SPACE = "services"
Ask = Callable[..., list[str]]


class Stage:
    """The servers and services of `services.yaml`, and ways to ask from anywhere."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.kubectl = cluster, Kubectl()
        self.first, self.second = cluster.node_names
        self.address: dict[str, str] = {}

    def __call__(self, *arguments: str, **options: object) -> str:
        return self.kubectl("-n", SPACE, *arguments, **options)  # type: ignore[arg-type]

    def get(self, kind: str, name: str, path: str) -> str:
        return self("get", kind, name, "-o", f"jsonpath={{{path}}}")

    def asks(self, where: str, *questions: tuple[str, str, int, int]) -> list[list[str]]:
        """Ask from a pod, a node ("node NAME") or "host": (protocol, address, port, times) each."""
        asked = ["ask", json.dumps(questions)]
        if where in ("near", "far"):
            return json.loads(self("exec", where, "--", "python3", "/probing.py", *asked, timeout=2 * PATIENCE))
        node = where.removeprefix("node ")
        prefix = [] if where == "host" else ["ip", "netns", "exec", self.cluster.node(node).namespace]
        command = [*prefix, sys.executable, str(HERE / "probing.py"), *asked]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=2 * PATIENCE)
        return json.loads(done.stdout)

    def who(self, where: str, host: str, port: int = 80, times: int = 1, protocol: str = "tcp") -> set[str]:
        """The names of those that answered."""
        ((*answers,),) = self.asks(where, (protocol, host, port, times))
        return {answer.split()[0] for answer in answers}

    def until(self, where: str, expected: set[str], *question: object, **options: object) -> None:
        """Return when these answer; rules follow the API by some milliseconds."""
        wait_for(expected, lambda: self.who(where, *question, **options))  # type: ignore[arg-type]

    def seen_as(self, client: str, where: str, host: str, port: int) -> None:
        """Return when the server `near` answers and has seen the client by that address."""
        wait_for([[f"near {client}"]], lambda: self.asks(where, ("tcp", host, port, 1)))

    def node(self, name: str) -> str:
        return self.cluster.node(name).address


@pytest.fixture(scope="module")
def stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("probing")
    shutil.copy(HERE / "probing.py", folder)
    (folder / "Dockerfile").write_text('FROM host\nADD probing.py /\nENTRYPOINT ["python3", "/probing.py"]\n')
    build(folder, "probing")
    made = Stage(cluster)
    made.kubectl("create", "namespace", SPACE)
    try:
        pods, services = (HERE / "services.yaml").read_text().split("---\napiVersion: v1\nkind: Service\n", 1)
        pods = pods.replace("%first%", made.first).replace("%second%", made.second)
        pods = pods.replace("%first address%", made.node(made.first))
        made("apply", "-f", "-", stdin=pods)
        made("wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s")
        made.address = {name: made.get("pod", name, ".status.podIP") for name in ("near", "far", "farther")}
        text = f"apiVersion: v1\nkind: Service\n{services}"
        for name, address in made.address.items():
            text = text.replace(f"%{name}%", address)
        made("apply", "-f", "-", stdin=text)
        made(
            "wait",
            "--for=jsonpath={.status.loadBalancer.ingress[0].ip}=172.30.0.205",
            "service/balanced",
            "--timeout=90s",
        )
        listed = json.loads(made("get", "services", "-o", "json"))["items"]
        made.address |= {f"svc {each['metadata']['name']}": each["spec"]["clusterIP"] for each in listed}
        made.until("host", {"near"}, made.address["svc mirrored"])
        made.until("near", {"near", "far", "farther"}, made.address["svc plain"], times=30)
        yield made
    finally:
        made.kubectl("delete", "namespace", SPACE, "--wait=true")


ALL, NEAR = {"near", "far", "farther"}, {"near"}
#: from where, which service, the port, how often: who answers
REACHED = {
    "a pod reaches all endpoints": ("near", "svc plain", 80, 30, ALL),
    "over UDP too": ("near", "svc plain", 53, 30, ALL),
    "so does a pod of the other node": ("far", "svc plain", 80, 30, ALL),
    "so does a node": ("node e2e-1", "svc plain", 80, 30, ALL),
    "so does the host": ("host", "svc plain", 80, 30, ALL),
    "a pod reaches itself": ("near", "svc self", 80, 3, NEAR),
    "without endpoints it is refused": ("near", "svc none", 80, 1, {"refused"}),
    "to a node and the host as well": ("node e2e-0", "svc none", 80, 1, {"refused"}),
    "another port of a service is refused": ("far", "svc plain", 81, 1, {"refused"}),
    "inside traffic reaches the node's own endpoint": ("near", "svc inside", 80, 3, NEAR),
    "and none of another node": ("far", "svc inside", 80, 1, {"nothing"}),
    "endpoints written as a slice are led to": ("near", "svc written", 80, 3, {"far"}),
    "those written as Endpoints too": ("far", "svc mirrored", 80, 3, NEAR),
}


@pytest.mark.parametrize("where, name, port, times, expected", REACHED.values(), ids=REACHED)
def test_who_answers(stage: Stage, where, name, port, times, expected):
    protocol = "udp" if port == 53 else "tcp"
    stage.until(where, expected, stage.address[name], port, times, protocol=protocol)


def test_node_ports_lead_in_through_every_node(stage: Stage):
    for node in (stage.first, stage.second):
        for where in ("host", "near", "far", f"node {stage.second}"):
            stage.until(where, NEAR, stage.node(node), 30071)
        stage.until("host", {"refused"}, stage.node(node), 30070)
    stage.until(f"node {stage.first}", {"refused"}, "127.0.0.1", 30071)


def test_host_ports_lead_to_the_pod_from_everywhere(stage: Stage):
    first, second = stage.node(stage.first), stage.node(stage.second)
    here = f"node {stage.first}"
    asked = {
        "of every address": ("tcp", first, 8000, "near"),
        "of UDP": ("udp", first, 8000, "near"),
        "of the address that is named": ("tcp", first, 8002, "near"),
        "of another node, which has no such pod": ("tcp", second, 8000, "refused"),
        "for programs of the node itself": ("tcp", first, 8001, "refused"),
        "of what is no address of the node": ("tcp", first, 8003, "refused"),
    }
    on_the_node = {
        "of every address, by the loopback": ("tcp", "127.0.0.1", 8000, "near"),
        "of the loopback alone": ("tcp", "127.0.0.1", 8001, "near"),
        "of another address": ("tcp", "127.0.0.1", 8002, "refused"),
        "of a service's address, which is nobody's to take": ("tcp", "10.96.0.1", 8003, "refused"),
    }
    stage.until("host", NEAR, first, 8000)
    for where in ("host", "near", "far", here, f"node {stage.second}"):
        cases = asked | (on_the_node if where == here else {})

        def found() -> dict[str, str]:
            said = stage.asks(where, *((*case[:3], 1) for case in cases.values()))  # noqa: B023
            return {name: answer.split()[0] for name, (answer,) in zip(cases, said, strict=True)}  # noqa: B023

        wait_for({name: case[3] for name, case in cases.items()}, found)
    stage.seen_as(stage.address["far"], "far", first, 8000)


SHUT = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shut}
spec: {podSelector: {matchLabels: {set: one}}, policyTypes: [Ingress]}
"""


def test_network_policies_hold_for_host_ports(stage: Stage):
    first = stage.node(stage.first)
    stage("apply", "-f", "-", stdin=SHUT)
    try:
        stage.until("far", {"nothing"}, first, 8000)
        stage.until(f"node {stage.first}", NEAR, first, 8000)
    finally:
        stage("delete", "networkpolicy", "shut")
    stage.until("far", NEAR, first, 8000)


TAKING = """
apiVersion: v1
kind: Pod
metadata: {name: taking}
spec:
  nodeName: "%s"
  containers: [{name: c, image: probing, args: [serve], ports: [{containerPort: 8080, hostPort: %d, protocol: UDP}]}]
"""


def test_a_host_port_is_of_one_pod_and_goes_with_it(stage: Stage):
    first = stage.node(stage.first)
    stage("apply", "-f", "-", stdin=TAKING % (stage.first, 8000))
    stage("wait", "--for=jsonpath={.status.reason}=NodePorts", "pod/taking", "--timeout=90s")
    stage("delete", "pod", "taking")
    script = f"""
import socket
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); link.settimeout(0.05); link.connect(({first!r}, 8010))
said = []
while len(said) < 3:
    try:
        link.send(b"?"); name = link.recv(99).decode().split()[0]
    except OSError as error:
        name = "refused" if isinstance(error, ConnectionRefusedError) else ""
    if name and said[-1:] != [name]: said.append(name); print(name, flush=True)
"""
    asking = ["kubectl", "-n", SPACE, "exec", "far", "--", "python3", "-c", script]
    process = subprocess.Popen(asking, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "refused", "the flow begins before there is a pod"
    stage("apply", "-f", "-", stdin=TAKING % (stage.first, 8010))
    assert process.stdout.readline().strip() == "taking"
    stage("delete", "pod", "taking", "--grace-period=1")
    said, _ = process.communicate(timeout=PATIENCE)
    assert said.split() == ["refused"]


def test_under_local_a_node_without_endpoints_answers_nobody_and_the_client_is_seen(stage: Stage):
    stage.until("host", NEAR, stage.node(stage.first), 30072)
    stage.seen_as(stage.cluster.network.host, "host", stage.node(stage.first), 30072)
    stage.until("host", {"nothing"}, stage.node(stage.second), 30072)
    stage.until("far", NEAR, stage.node(stage.second), 30072)  # a node's own pods may go anywhere
    # under Cluster the answer comes back through the node
    stage.seen_as(stage.node(stage.second), "host", stage.node(stage.second), 30071)


def test_a_balancer_has_its_address_and_tells_where_its_endpoints_are(stage: Stage):
    for where in ("host", "near", "far", f"node {stage.second}"):
        stage.until(where, NEAR, "172.30.0.205")
    first, second = (stage.node(name) for name in (stage.first, stage.second))
    service = {"namespace": SPACE, "name": "balanced"}
    healthy = {"service": service, "localEndpoints": 1, "serviceProxyHealthy": True}
    wait_for((200, healthy), lambda: answer(f"http://{first}:30073/"))
    wait_for(503, lambda: answer(f"http://{second}:30073/")[0])
    shown = 'jsonpath={range .items[*]}{.reason} {.involvedObject.name}{"\\n"}{end}'
    wait_until(lambda: "EnsuredLoadBalancer balanced" in stage("get", "events", "-o", shown))


def answer(url: str) -> tuple[int, object]:
    """The status and the JSON of what is answered; 0 while nothing is."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=PATIENCE) as found:
            return found.status, json.load(found)
    except HTTPError as error:
        return error.code, json.load(error)
    except OSError as error:
        return 0, error


def test_source_ranges_shut_the_balancer_to_others(stage: Stage):
    stage.until("near", ALL, "172.30.0.206", times=30)
    assert stage.who("far", "172.30.0.206") == {"nothing"}
    assert stage.who("host", "172.30.0.206") == {"nothing"}


def test_an_external_address_works_in_the_cluster_and_is_not_the_hosts(stage: Stage):
    for where in ("near", "far", f"node {stage.first}"):
        stage.until(where, NEAR, "192.0.2.7")
    assert stage.who("host", "192.0.2.7") == {"nothing"}


WITH_TOKEN = """
import ssl, urllib.request
place = "/var/run/secrets/kubernetes.io/serviceaccount/"
headers = {"Authorization": "Bearer " + open(place + "token").read()}
request = urllib.request.Request("https://kubernetes.default.svc/api", headers=headers)
trust = ssl.create_default_context(cafile=place + "ca.crt")
print(urllib.request.urlopen(request, context=trust).read().decode())
"""


def test_nobody_takes_the_servers_address_for_his_service(stage: Stage):
    assert stage.who("near", "172.30.0.1", 6443) == {"nothing"}, "the server speaks TLS, and waits for it"
    stage.until("near", {"refused"}, "10.96.0.1", 6443)
    assert "APIVersions" in stage("exec", "far", "--", "python3", "-c", WITH_TOKEN)


def test_a_client_keeps_its_endpoint_for_the_time_it_was_promised(stage: Stage):
    address = stage.address["svc sticky"]
    wait_until(lambda: stage.who("near", address) <= ALL)
    script = f"""
import sys, time; sys.path.insert(0, "/")
import probing
def asked():
    began = time.monotonic()
    return began, probing.ask("tcp", {address!r}, 80), time.monotonic()
soon, seen, before = 0, set(), asked()
while soon < 20:  # times that it came back well within its time, which is a second
    now = asked()
    if now[2] - before[0] < 0.9:
        assert now[1] == before[1], (before, now)
        soon += 1
    before = now
while len(seen) < 2:
    seen.add(asked()[1])
    time.sleep(1.3)
print(len(seen))
"""
    assert stage("exec", "near", "--", "python3", "-c", script).strip() == "2", "then it may change"


def test_a_udp_flow_moves_on_when_its_endpoint_goes(stage: Stage):
    """The same client port goes on sending: without the kernel's memory of it the next endpoint answers."""
    stage("run", "gone", "--image=probing", "--labels=flow=yes", "--", "serve")
    stage("wait", "--for=condition=Ready", "pod/gone", "--timeout=90s")
    stage("expose", "pod", "gone", "--name=flow", "--port=53", "--target-port=8080", "--protocol=UDP")
    address = stage.get("service", "flow", ".spec.clusterIP")
    stage.until("near", {"gone"}, address, 53, protocol="udp")
    script = f"""
import socket, time
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); link.settimeout(0.05); link.connect(({address!r}, 53))
end, names = time.monotonic() + {PATIENCE}, []
while time.monotonic() < end and names[-1:] != ["next"]:
    try:
        link.send(b"?"); name = link.recv(99).decode().split()[0]
    except OSError:
        time.sleep(0.01); continue
    if names[-1:] != [name]: names.append(name); print(name, flush=True)
"""
    process = subprocess.Popen(
        ["kubectl", "-n", SPACE, "exec", "near", "--", "python3", "-c", script], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "gone"
    stage("run", "next", "--image=probing", "--labels=flow=yes", "--", "serve")
    stage("wait", "--for=condition=Ready", "pod/next", "--timeout=90s")
    stage("delete", "pod", "gone", "--grace-period=1")
    said, _ = process.communicate(timeout=2 * PATIENCE)
    assert said.split() == ["next"]


ENDING = """
apiVersion: v1
kind: Pod
metadata: {name: ending, labels: {app: ending}}
spec:
  terminationGracePeriodSeconds: 600
  containers:
  - name: server
    image: probing
    args: [serve]
    lifecycle: {preStop: {exec: {command: [sh, -c, "while [ ! -e /tmp/go ]; do sleep 0.1; done"]}}}
---
apiVersion: v1
kind: Service
metadata: {name: ending}
spec: {selector: {app: ending}, ports: [{port: 80, targetPort: 8080}]}
"""


def test_the_last_endpoint_serves_while_it_ends(stage: Stage):
    stage("apply", "-f", "-", stdin=ENDING)
    stage("wait", "--for=condition=Ready", "pod/ending", "--timeout=90s")
    address = stage.get("service", "ending", ".spec.clusterIP")
    stage.until("near", {"ending"}, address)
    stage("delete", "pod", "ending", "--wait=false")
    conditions = "{.items[0].endpoints[0].conditions.terminating}"
    name = "kubernetes.io/service-name=ending"
    wait_for("true", lambda: stage("get", "endpointslices", "-l", name, "-o", f"jsonpath={conditions}"))
    stage.until("near", {"ending"}, address, times=10)
    stage.until("far", {"ending"}, address, times=10)
    stage("exec", "ending", "--", "touch", "/tmp/go")
    stage.until("near", {"refused"}, address)


def test_rules_that_somebody_flushed_come_back(stage: Stage):
    place = stage.cluster.node(stage.second).namespace
    subprocess.run(["ip", "netns", "exec", place, "nft", "flush", "ruleset"], check=True)
    stage.until("far", ALL, stage.address["svc plain"], times=30)


def test_an_address_for_two_is_refused_and_says_why(stage: Stage):
    address = stage.address["svc plain"]
    twin = f'{{"spec": {{"clusterIP": "{address}"}}}}'
    done = stage.kubectl.run(
        "-n", SPACE, "create", "service", "clusterip", "twin", "--tcp=80", f"--clusterip={address}"
    )
    assert f"failed to allocate IP {address}: provided IP is already allocated" in done.stderr, twin
    done = stage.kubectl.run("-n", SPACE, "create", "service", "nodeport", "twin", "--tcp=80", "--node-port=30071")
    assert "30071: provided port is already allocated" in done.stderr
    stage("expose", "pod", "near", "--name=late", "--port=80", "--type=LoadBalancer", "--load-balancer-ip=172.30.0.205")
    reason = "jsonpath={.items[?(@.involvedObject.name=='late')].message}"
    in_use = "requested address 172.30.0.205 is in use by another service"
    wait_until(lambda: in_use in stage("get", "events", "-o", reason))
    stage.until("near", NEAR, "172.30.0.205")
