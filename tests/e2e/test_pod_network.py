"""The wires between real network namespaces: who reaches whom, and that nothing is left of them."""

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from knarr.kinds.types.core_v1 import Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net import namespace, node_pods, podnetwork
from knarr.net.backends import View
from knarr.net.base_rules import base
from knarr.net.families import FOUR
from knarr.net.netlink import Netlink
from knarr.net.nft import apply
from knarr.net.plan import NetworkPlan
from knarr.net.ruleset import Ground, part
from knarr.net.table import Table

pytestmark = pytest.mark.e2e
PLAN = NetworkPlan("wiretest", 7)
POD = "wiretest-pod"
MANY = 20  #: pings, the first of which comes back: unless this process was kept waiting for longer than it waits


def state() -> tuple[list[str], str, list[str]]:
    """What a network may leave behind: links, routes, namespaces. Whether a route's link is up, the kernel's worker
    notes up to a second later."""
    asked = (["ip", family, "route", "show", "table", "all"] for family in ("-4", "-6"))
    routes = "".join(subprocess.run(each, capture_output=True, text=True, check=True).stdout for each in asked)
    with Netlink() as kernel:
        return (
            sorted(kernel.links()),
            routes.replace(" linkdown", ""),
            [name for name in namespace.recorded() if "wiretest" in name],
        )


@pytest.fixture
def wires(host: Path) -> Iterator[NetworkPlan]:
    """A cluster network with two nodes."""
    before = state()

    async def build() -> None:
        await podnetwork.create_cluster_network(PLAN)
        for number in (0, 1):
            await podnetwork.add_node(PLAN, number)

    try:
        asyncio.run(build())
        yield PLAN
    finally:
        namespace.delete(POD)
        namespace.delete(f"{POD}-2")
        asyncio.run(podnetwork.delete_cluster_network(PLAN))
    assert state() == before


def reaches(where: str | None, address: str, tries: int = 1) -> bool:
    """Whether a ping of busybox comes back; None is the host."""
    command = ["busybox", "ping", "-c", "1", "-W", "1", address]
    prefix = ["ip", "netns", "exec", where] if where else []
    done = (subprocess.run([*prefix, *command], capture_output=True, check=False) for _ in range(tries))
    return any(each.returncode == 0 for each in done)


def pod_on(number: int, name: str, ledger: Path) -> str:
    """A pod's namespace wired to a node; return its IPv4 address."""
    namespace.create(name)
    with namespace.inside(PLAN.node(number).namespace):
        network = node_pods.PodNetwork(PLAN, number, ledger)
        return asyncio.run(network.add_pod(name, namespace.path(name)))[0]


def unpod(number: int, name: str, ledger: Path) -> None:
    with namespace.inside(PLAN.node(number).namespace):
        asyncio.run(node_pods.PodNetwork(PLAN, number, ledger).remove_pod(name))


def test_everybody_reaches_everybody_and_nobody_the_world(wires: NetworkPlan, tmp_path: Path):
    first, second = (wires.node(number) for number in (0, 1))
    one, two = pod_on(0, POD, tmp_path / "0"), pod_on(1, f"{POD}-2", tmp_path / "1")
    assert (one, two) == ("10.237.0.2", "10.237.1.2")
    ways = {
        (None, first.address): True,
        (None, one): True,
        (first.namespace, second.address): True,
        (first.namespace, wires.host): True,
        (first.namespace, wires.dns): True,
        (POD, two): True,
        (POD, second.address): True,
        (POD, wires.dns): True,
        (POD, wires.api): True,
        (POD, "127.0.0.1"): True,
        (POD, "192.0.2.1"): False,
        (POD, "10.103.77.77"): False,
        (first.namespace, "192.0.2.1"): False,
        (first.namespace, "10.103.77.77"): False,
        (None, "10.237.200.1"): False,
    }
    assert {way: reaches(*way, tries=MANY if wanted else 1) for way, wanted in ways.items()} == ways


def test_pods_of_one_node_meet_at_their_node(wires: NetworkPlan, tmp_path: Path):
    pod_on(0, POD, tmp_path / "0")
    other = pod_on(0, f"{POD}-2", tmp_path / "0")
    assert other == "10.237.0.3"
    assert reaches(POD, other, tries=MANY)


def test_a_node_speaks_to_its_pods_by_its_own_address(wires: NetworkPlan, tmp_path: Path):
    address = pod_on(0, POD, tmp_path / "0")
    node = wires.node(0)
    with namespace.inside(node.namespace):
        server = udp("0.0.0.0", 53)
    with namespace.inside(POD):
        client = udp(address, 0)
    with server, client:
        client.connect((node.address, 53))
        client.send(b"?")
        server.sendto(b"!", server.recvfrom(9)[1])
        assert client.recv(9) == b"!"


def udp(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(30)
    made.bind((address, port))
    return made


def test_a_bridge_is_known_by_one_hardware_address_whatever_ports_come_and_go(wires: NetworkPlan):
    node = wires.node(0)
    for prefix, bridge, address in (
        (["ip", "netns", "exec", node.namespace], podnetwork.POD_BRIDGE, node.gateway),
        ([], wires.bridge, wires.host),
    ):
        said = subprocess.run([*prefix, "ip", "-o", "link", "show", bridge], capture_output=True, text=True, check=True)
        assert podnetwork.hardware(address).hex(":") in said.stdout


def test_a_cut_node_is_unreachable_until_it_is_healed(wires: NetworkPlan):
    address = wires.node(1).address
    asyncio.run(podnetwork.cut_node(wires, 1))
    assert not reaches(None, address)
    asyncio.run(podnetwork.heal_node(wires, 1))
    assert reaches(None, address, tries=MANY)  # the kernel tells the node within a second


def test_a_pod_is_wired_when_its_bridge_sends_on_what_it_sends(wires: NetworkPlan, tmp_path: Path):
    pod_on(0, POD, tmp_path / "0")
    with namespace.inside(wires.node(0).namespace), Netlink() as kernel:
        assert kernel.forwards(node_pods.pod_link(POD))
        assert not kernel.forwards("lo")
        kernel.set_link(node_pods.pod_link(POD), up=False)
        assert not kernel.forwards(node_pods.pod_link(POD))
    with Netlink() as kernel:
        assert kernel.forwards(wires.node(1).link)


def test_a_removed_node_takes_its_routes_along(wires: NetworkPlan):
    asyncio.run(podnetwork.remove_node(wires, 1))
    assert wires.node(1).namespace not in namespace.names()
    assert podnetwork.node_numbers(wires) == [0]
    shown = subprocess.run(
        ["ip", "netns", "exec", wires.node(0).namespace, "ip", "route"], capture_output=True, text=True, check=True
    )
    assert wires.node(1).pods not in shown.stdout


def test_all_of_it_can_be_done_twice(wires: NetworkPlan, tmp_path: Path):
    before = state()
    asyncio.run(podnetwork.create_cluster_network(wires))
    assert asyncio.run(podnetwork.add_node(wires, 1)) == wires.node(1)
    assert pod_on(0, POD, tmp_path / "0") == pod_on(0, POD, tmp_path / "0")
    for _ in range(2):
        unpod(0, POD, tmp_path / "0")
    namespace.delete(POD)
    assert state() == before


def test_an_address_given_back_is_not_given_out_next(wires: NetworkPlan, tmp_path: Path):
    first = pod_on(0, POD, tmp_path / "0")
    unpod(0, POD, tmp_path / "0")
    namespace.delete(POD)
    second = pod_on(0, POD, tmp_path / "0")
    assert (first, second) == ("10.237.0.2", "10.237.0.3")


def test_a_pod_is_wired_and_unwired_within_50_ms(wires: NetworkPlan, tmp_path: Path):
    """Once, at least: others of this machine may have the processor most of the time."""
    rounds, end = [60.0], time.perf_counter() + 60
    while min(rounds) >= 0.05 and time.perf_counter() < end:
        namespace.create(POD)
        began = time.perf_counter()
        with namespace.inside(PLAN.node(0).namespace):
            network = node_pods.PodNetwork(PLAN, 0, tmp_path / "0")
            asyncio.run(network.add_pod(POD, namespace.path(POD)))
            asyncio.run(network.remove_pod(POD))
        rounds.append(time.perf_counter() - began)
        namespace.delete(POD)
    assert min(rounds) < 0.05, rounds


def test_what_a_crash_left_is_deleted_by_name(wires: NetworkPlan):
    namespace.path(wires.node(5).namespace).touch()
    asyncio.run(podnetwork.delete_cluster_network(wires))
    assert not namespace.path(wires.node(5).namespace).exists()


SERVER = "import http.server as h, sys; h.HTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()"


def a_service(name: str, ip: str, node_port: int | None = None) -> Service:
    port = ServicePort(name="http", port=80, protocol="TCP", nodePort=node_port)
    return Service(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=ServiceSpec(clusterIP=ip, clusterIPs=[ip], ports=[port]),
    )


def a_slice(service: str, *ips: str) -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name=service, namespace="default", labels={"kubernetes.io/service-name": service}),
        addressType="IPv6" if any(":" in ip for ip in ips) else "IPv4",
        endpoints=[Endpoint(addresses=[ip]) for ip in ips],
        ports=[EndpointPort(name="http", port=8080, protocol="TCP")],
    )


def fetches(where: str | None, place: str) -> str:
    """What a request comes to: "200", "refused", or "nothing" within half a minute."""
    script = (
        "import sys, http.client as h\n"
        "try:\n c = h.HTTPConnection(sys.argv[1], timeout=30); c.request('GET', '/'); print(c.getresponse().status)\n"
        "except ConnectionRefusedError: print('refused')\n"
        "except OSError: print('nothing')"
    )
    prefix = ["ip", "netns", "exec", where] if where else []
    done = subprocess.run([*prefix, sys.executable, "-c", script, place], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.skipif(shutil.which("nft") is None, reason="services need nft")
def test_a_services_address_leads_to_its_pods_from_everywhere(wires: NetworkPlan, tmp_path: Path):
    one, two = pod_on(0, POD, tmp_path / "0"), pod_on(0, f"{POD}-2", tmp_path / "0")
    services = [
        a_service("web", "10.103.0.20", 30080),
        a_service("self", "10.103.0.21"),
        a_service("none", "10.103.0.22"),
    ]
    slices = [a_slice("web", two), a_slice("self", one), a_slice("none")]
    views = {"": View(), **{wires.node(number).namespace: View(f"node-{number}") for number in (0, 1)}}
    for place, view in views.items():
        table = Table(wires.bridge)
        pairs = zip(services, slices, strict=True)
        table.fill({("default", service.metadata.name): part(service, [ep], view, Ground()) for service, ep in pairs})
        assert asyncio.run(apply(table.whole(base(PLAN.services, (PLAN.api, PLAN.dns))), place))
    servers = [
        subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, "-c", SERVER], stderr=subprocess.DEVNULL, cwd=tmp_path
        )
        for name in (POD, f"{POD}-2")
    ]
    try:
        for address in (one, two):
            began = time.perf_counter()
            while fetches(None, f"{address}:8080") != "200" and time.perf_counter() - began < 60:
                time.sleep(0.02)
        ways = {
            (None, "10.103.0.20"): "200",
            (wires.node(0).namespace, "10.103.0.20"): "200",
            (wires.node(1).namespace, "10.103.0.20"): "200",
            (POD, "10.103.0.20"): "200",
            (POD, "10.103.0.21"): "200",
            (POD, "10.103.0.22"): "refused",
            (None, "10.103.0.22"): "refused",
            (None, f"{wires.node(0).address}:30080"): "200",
            (None, f"{wires.node(1).address}:30080"): "200",
        }
        assert {way: fetches(*way) for way in ways} == ways
    finally:
        for server in servers:
            server.kill()
            server.wait()


def routed(plan: NetworkPlan) -> list[str]:
    with namespace.inside(plan.node(0).namespace), Netlink() as kernel:
        return sorted(kernel.routes(podnetwork.SERVICE_LINK))


def test_routes_of_external_addresses_that_an_earlier_server_left_go_and_no_others(wires: NetworkPlan):
    own = routed(wires)
    asyncio.run(podnetwork.route_services(wires, 0, FOUR, ["192.0.2.7", "192.0.2.8"], []))
    assert routed(wires) == sorted([*own, "192.0.2.7/32", "192.0.2.8/32"])
    by_hand = ["ip", "-n", wires.node(0).namespace, "route", "add", "192.0.2.9", "dev", podnetwork.SERVICE_LINK]
    subprocess.run(by_hand, check=True)
    asyncio.run(podnetwork.route_services(wires, 0, FOUR, ["192.0.2.8"], [], anew=True))
    assert routed(wires) == sorted([*own, "192.0.2.8/32", "192.0.2.9/32"]), "not what somebody made by hand"
    subprocess.run([each.replace("add", "delete") for each in by_hand], check=True)
    asyncio.run(podnetwork.route_services(wires, 0, FOUR, [], ["192.0.2.8"]))
    assert routed(wires) == own == [wires.services]
