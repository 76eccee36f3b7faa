"""No packet for a service's address leaves the machine: not before the first rule, not while they change, not after.

The host of this test has a default route, to a network namespace that stands for the world and where everything that
arrives is seen.
"""

import asyncio
import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from knarr.net import namespace, node_pods, podnetwork
from knarr.net.backends import View
from knarr.net.base_rules import base
from knarr.net.families import FOUR, SIX, Family
from knarr.net.ground import ground
from knarr.net.netlink import BLACKHOLE, Netlink
from knarr.net.nft import apply, is_installed
from knarr.net.plan import NetworkPlan
from knarr.net.ruleset import part
from knarr.net.table import Part, Table
from tests.e2e.test_pod_network import a_service, a_slice

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not is_installed(), reason="services need nft")]
PLAN = NetworkPlan(
    "staytest", 8, "172.30.8.200-172.30.8.203,192.0.2.0/28", service_cidr="10.104.0.0/16,fd00:10:104::/112"
)
WORLD, POD = "staytest-world", "staytest-pod"
NODE = PLAN.node(0).namespace
OWN = (*PLAN.ranges.pods, *PLAN.service_ranges, PLAN.nodes, PLAN.nodes6, *PLAN.balancer_networks)
HERE = [ip_network(network) for network in OWN]
#: with endpoints, without, nobody's; of a pod that is not there; of balancers, one of them nobody's
GOALS = ["10.104.0.20", "10.104.0.21", "10.104.99.99", "10.236.0.77", "172.30.8.200", "192.0.2.3"]
GOALS += ["fd00:10:104::20", "fd00:10:104::21", "fd00:10:104::9999", "fd00:10:236::77", "fd00:10:236:99::5"]
ELSEWHERE = {"198.51.100.9", "2001:db8::9"}

EVERYTHING = 3  #: linux/if_ether.h: every protocol


class Seen:
    """What arrives in the world, by destination."""

    def __init__(self) -> None:
        self.goals: set[str] = set()
        with namespace.inside(WORLD):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERYTHING))
        self._socket.settimeout(0.05)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                data = self._socket.recv(2048)
                if data[0] >> 4 in (4, 6):
                    self.goals.add(str(ip_address(data[16:20] if data[0] >> 4 == 4 else data[24:40])))

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    @property
    def ours(self) -> set[str]:
        return {goal for goal in self.goals if any(ip_address(goal) in network for network in HERE)}


class Sender:
    """Sends to all goals from one place, over and over."""

    def __init__(self, place: str = "") -> None:
        self.place, self.rounds, self.begun = place, 0, threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def start(self) -> None:
        self._thread.start()

    def _send(self) -> None:
        with namespace.inside(self.place) if self.place else contextlib.nullcontext():
            while not self._ended.is_set():
                for goal in GOALS:
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        with contextlib.suppress(OSError), socket.socket(of(goal), kind) as made:
                            made.setblocking(False)
                            made.connect((goal, 80))
                            made.send(b"x")
                self.rounds += 1
                time.sleep(0.001)

    def end(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()


@pytest.fixture
def world(host: Path) -> Iterator[Seen]:
    """A way out of this host, and who looks at its end."""
    namespace.create(WORLD)

    def run(*command: str) -> None:
        subprocess.run(command, check=True)

    run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "out0", "netns", WORLD)
    run("ip", "address", "add", "203.0.113.2/24", "dev", "up0")
    run("ip", "address", "add", "2001:db8:1::2/64", "dev", "up0", "nodad")
    run("ip", "link", "set", "up0", "up")
    run("ip", "-n", WORLD, "address", "add", "203.0.113.1/24", "dev", "out0")
    run("ip", "-n", WORLD, "address", "add", "2001:db8:1::1/64", "dev", "out0", "nodad")
    run("ip", "-n", WORLD, "link", "set", "out0", "up")
    run("ip", "route", "add", "default", "via", "203.0.113.1")
    run("ip", "route", "add", "default", "via", "2001:db8:1::1")
    seen = Seen()
    try:
        yield seen
    finally:
        seen.end()
        run("ip", "link", "delete", "up0")
        namespace.delete(WORLD)


def test_what_is_for_services_stays_here(world: Seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    outer = Sender()
    monkeypatch.setattr(podnetwork, "Netlink", watched(outer))
    senders = [outer]
    try:
        asyncio.run(podnetwork.create_cluster_network(PLAN))
        asyncio.run(podnetwork.add_node(PLAN, 0))
        namespace.create(POD)
        with namespace.inside(NODE):
            network = node_pods.PodNetwork(PLAN, 0, tmp_path / "ledger")
            addresses = asyncio.run(network.add_pod(POD, namespace.path(POD)))
        senders += [Sender(NODE), Sender(POD)]
        for sender in senders[1:]:
            sender.start()
        wait_rounds(senders)  # without any rule
        change_rules(addresses)
        wait_rounds(senders)
        for sender in senders[1:]:
            sender.end()
        namespace.delete(POD)
    finally:
        asyncio.run(podnetwork.delete_cluster_network(PLAN))
        for sender in senders:
            sender.end()
        namespace.delete(POD)
    assert outer.begun.is_set()
    assert world.ours == set()
    probe()
    deadline = time.monotonic() + 60  # noqa: TID251
    while not world.goals >= ELSEWHERE and time.monotonic() < deadline:  # noqa: TID251
        probe()
        time.sleep(0.01)
    assert world.goals >= ELSEWHERE, "what does leave is seen"


def watched(outer: Sender) -> type[Netlink]:
    """The kernel's routes, with a sender on the host from the first blackhole on until the last goes."""
    held: set[str] = set()

    class Watched(Netlink):
        def set_route(self, destination: str, *, kind: int = 1, **rest: object) -> None:
            super().set_route(destination, kind=kind, **rest)  # type: ignore[arg-type]
            held.add(destination)
            if {*PLAN.service_ranges, *PLAN.ranges.pods, *PLAN.balancer_networks} <= held and not outer.begun.is_set():
                outer.begun.set()
                outer.start()

        def delete_route(self, destination: str, *, kind: int = 1, **rest: object) -> None:
            if kind == BLACKHOLE:
                outer.end()
            super().delete_route(destination, kind=kind, **rest)  # type: ignore[arg-type]

    return Watched


def change_rules(addresses: tuple[str, ...]) -> None:
    """Load the rules of both families in both places, with and without an endpoint, and take them away."""
    for family, address, goals in zip((FOUR, SIX), addresses, (GOALS[:2], GOALS[-5:-3]), strict=True):
        change_rules_of(family, address, *goals)


def change_rules_of(family: Family, address: str, first: str, second: str) -> None:
    web, none = a_service("web", first), a_service("none", second)
    services, kept = (PLAN.services6, ()) if family is SIX else (PLAN.services, (PLAN.api, PLAN.dns))
    for place, view in (("", View(family=family)), (NODE, View("staytest-0", family=family))):
        table, area = Table(PLAN.bridge, family.nft), ground(PLAN, host=not place, family=family)
        full = {("default", "web"): part(web, [a_slice("web", address)], view, area)}
        empty = {("default", "web"): part(web, [], view, area), ("default", "none"): part(none, [], view, area)}
        table.fill(full)
        assert asyncio.run(apply(table.whole(base(services, kept, family)), place))
        for parts in (empty, full, dict.fromkeys(empty, Part())):
            changes = "".join(each.text() for each in table.changes(parts, 0.0))
            assert asyncio.run(apply(changes, place))


def wait_rounds(senders: list[Sender]) -> None:
    counts = [sender.rounds for sender in senders]
    while any(sender.rounds < count + 20 for sender, count in zip(senders, counts, strict=True)):
        time.sleep(0.005)


def probe() -> None:
    for goal in ELSEWHERE:
        with socket.socket(of(goal), socket.SOCK_DGRAM) as made:
            made.sendto(b"x", (goal, 9))


def of(goal: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in goal else socket.AF_INET
