"""Which ports of a node lead to which pods."""

import pytest

from knarr.kinds.types.core_v1 import Container, ContainerPort, Pod, PodIP, PodSpec, PodStatus
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net.backends import View
from knarr.net.base_rules import base
from knarr.net.families import FOUR, SIX
from knarr.net.host_ports import changed, goals, part

NODE, OTHER, HOST = View("a"), View("b"), View()
SIXTH = View("a", family=SIX)
BOTH = ("10.244.0.9", "fd00:10:244::9")


def a_pod(*ports: ContainerPort, ips=BOTH, sidecar=False, phase="Running", **spec) -> Pod:
    container = Container(name="c", image="i", ports=list(ports), restartPolicy="Always" if sidecar else "")
    held = {"initContainers" if sidecar else "containers": [container]}
    status = PodStatus(phase=phase, podIPs=[PodIP(ip=ip) for ip in ips])
    return Pod(
        metadata=ObjectMeta(name="web", namespace="default"), spec=PodSpec(nodeName="a", **held, **spec), status=status
    )


def port(number: int, ip: str = "", protocol: str = "TCP") -> ContainerPort:
    return ContainerPort(containerPort=80, hostPort=number, hostIP=ip, protocol=protocol)


ANY = {"host-ports 6 . 8000": "10.244.0.9 . 80"}
ANY6 = {"host-ports 6 . 8000": "fd00:10:244::9 . 80"}
NOTHING: dict[str, str] = {}
CASES = {
    "of no address it is one of all addresses": (a_pod(port(8000)), NODE, ANY),
    "of both families": (a_pod(port(8000)), SIXTH, ANY6),
    "0.0.0.0 is all of IPv4": (a_pod(port(8000, "0.0.0.0")), NODE, ANY),
    "and none of IPv6": (a_pod(port(8000, "0.0.0.0")), SIXTH, NOTHING),
    ":: is all of IPv6": (a_pod(port(8000, "::")), SIXTH, ANY6),
    "and none of IPv4": (a_pod(port(8000, "::")), NODE, NOTHING),
    "an address is that one": (
        a_pod(port(8000, "172.30.0.2")),
        NODE,
        {"host-ports-at 172.30.0.2 . 6 . 8000": "10.244.0.9 . 80"},
    ),
    "in its one form": (
        a_pod(port(8000, "FD00:172:30::0:2")),
        SIXTH,
        {"host-ports-at fd00:172:30::2 . 6 . 8000": "fd00:10:244::9 . 80"},
    ),
    "every protocol": (
        a_pod(port(53, protocol="UDP"), port(54, protocol="SCTP"), port(55, protocol="")),
        NODE,
        {
            "host-ports 17 . 53": "10.244.0.9 . 80",
            "host-ports 132 . 54": "10.244.0.9 . 80",
            "host-ports 6 . 55": "10.244.0.9 . 80",
        },
    ),
    "a sidecar's as well": (a_pod(port(8000), sidecar=True), NODE, ANY),
    "of a pod without an address of the family there is none": (a_pod(port(8000), ips=BOTH[:1]), SIXTH, NOTHING),
    "nor of one that is over": (a_pod(port(8000), phase="Failed"), NODE, NOTHING),
    "nor of one on the node's own network": (a_pod(port(8000), hostNetwork=True), NODE, NOTHING),
    "nor on another node": (a_pod(port(8000)), OTHER, NOTHING),
    "nor on the host": (a_pod(port(8000)), HOST, NOTHING),
    "nor the port of the node's agent": (a_pod(port(10250)), NODE, NOTHING),
    "which is one of TCP": (a_pod(port(10250, protocol="UDP")), NODE, {"host-ports 17 . 10250": "10.244.0.9 . 80"}),
    "nor what is no address": (a_pod(port(8000, "node-a")), NODE, NOTHING),
}


@pytest.mark.parametrize("pod, view, expected", CASES.values(), ids=CASES)
def test_what_leads_to_a_pod(pod, view, expected):
    made = part(pod, view)
    assert {f"{into} {key}": goal for (into, key), goal in made.elements.items() if into != "hairpin"} == expected
    assert bool(expected) == any(into == "hairpin" for into, _ in made.elements), "it reaches itself, too"


def test_flows_are_those_of_udp_to_every_address_of_the_node_or_the_one_that_is_named():
    to = frozenset({("10.244.0.9", 80)})
    here = ("172.30.0.2", "127.0.0.1")
    pod = a_pod(port(53, protocol="UDP"), port(54, "172.30.0.2", "UDP"), port(55))
    assert goals(pod, NODE, here) == {("172.30.0.2", 53): to, ("127.0.0.1", 53): to, ("172.30.0.2", 54): to}
    assert goals(pod, OTHER, here) == {}


def test_only_what_changes_the_ports_is_a_change():
    both = (FOUR, SIX)
    assert not changed(None, a_pod(), both)
    assert changed(None, a_pod(port(8000)), both)
    assert not changed(a_pod(port(8000)), a_pod(port(8000), phase="Pending"), both)
    assert changed(a_pod(port(8000)), a_pod(port(8000), phase="Failed"), both)
    assert changed(a_pod(port(8000)), None, both)


def test_only_a_nodes_table_has_host_ports_and_only_that_of_ipv4_a_loopback():
    node, six, host = (base("10.96.0.0/16", (), FOUR), base("fd00::/112", (), SIX), base("10.96.0.0/16", (), host=True))
    local = "fib daddr type local jump host-ports"
    assert (local in node, local in six, local in host) == (True, True, False)
    closed = 'iifname != "lo" ip daddr 127.0.0.0/8 drop'
    assert (closed in node, "iifname" in six, "iifname" in host) == (True, False, False)
