"""Which addresses a node and the host answer for."""

import pytest

from knarr.kinds.types.core_v1 import ServicePort
from knarr.net.families import SIX
from knarr.net.ground import ground, is_routed
from knarr.net.plan import NetworkPlan

PLAN = NetworkPlan("knarr", 0, "192.0.2.0/28")
#: address: whether a node answers for it as one from outside, whether the host does, whether the host leads to it
ADDRESSES = {
    "of somebody far away": ("8.8.8.8", True, False, False),
    "of the range for balancers": ("192.0.2.3", True, True, False),
    "free in the nodes' network": ("172.30.0.77", True, True, True),
    "the host's on the bridge": ("172.30.0.1", False, False, True),
    "the API server's": ("10.96.0.1", False, False, False),
    "the DNS'": ("10.96.0.10", False, False, False),
    "another service's": ("10.96.5.5", False, False, False),
    "a pod's": ("10.244.1.7", False, False, True),
    "a simulated pod's": ("240.1.2.3", False, False, True),
    "loopback": ("127.0.0.1", False, False, False),
}


@pytest.mark.parametrize("ip, node, host, end", ADDRESSES.values(), ids=ADDRESSES)
def test_who_answers_for(ip, node, host, end):
    assert ground(PLAN, host=False).outer(ip) is node
    assert ground(PLAN, host=True).outer(ip) is host
    assert ground(PLAN, host=True).ends(ip) is end
    assert ground(PLAN, host=False).ends(ip)


@pytest.mark.parametrize("host", [False, True], ids=["a node", "the host"])
def test_a_nodes_agent_keeps_its_port(host):
    agents, own = ServicePort(port=10250, protocol="TCP"), ServicePort(port=443, protocol="TCP")
    here = ground(PLAN, host=host)
    answered = [here.answers(ip, port) for ip in ("172.30.0.2", "192.0.2.3") for port in (agents, own)]
    assert answered == [False, True, True, True]


def test_services_addresses_are_answered_but_for_those_that_others_have():
    answered = {ip: ground(PLAN, host=True).inner(ip) for ip in ("10.96.0.20", PLAN.api, PLAN.dns)}
    assert answered == {"10.96.0.20": True, PLAN.api: False, PLAN.dns: False}


def test_the_clusters_own_ranges_have_their_routes():
    routed = {ip: is_routed(PLAN, ip) for ip in ("192.0.2.3", "172.30.0.9", "198.51.100.1")}
    assert routed == {"192.0.2.3": True, "172.30.0.9": True, "198.51.100.1": False}


DUAL = NetworkPlan("knarr", 0, "192.0.2.0/28,fd00:9::/124", service_cidr="10.96.0.0/16,fd00:10:96::/112")
SIXES = {
    "of somebody far away": ("2001:db8::7", True, False, False),
    "free in the nodes' network": ("fd00:172:30::77", True, True, True),
    "of the range for balancers": ("fd00:9::3", True, True, False),
    "the DNS'": ("fd00:10:96::a", False, False, False),
    "the host's on the bridge": ("fd00:172:30::1", False, False, True),
    "a service's": ("fd00:10:96::5", False, False, False),
    "a pod's": ("fd00:10:244:1::7", False, False, True),
    "a simulated pod's": ("fd00:240:0:3::7", False, False, True),
    "loopback": ("::1", False, False, False),
}


@pytest.mark.parametrize("ip, node, host, end", SIXES.values(), ids=SIXES)
def test_who_answers_for_an_address_of_ipv6(ip, node, host, end):
    assert ground(DUAL, host=False, family=SIX).outer(ip) is node
    assert ground(DUAL, host=True, family=SIX).outer(ip) is host
    assert ground(DUAL, host=True, family=SIX).ends(ip) is end
    assert is_routed(DUAL, ip) is ip.startswith(("fd00:172:30::", "fd00:9::"))
