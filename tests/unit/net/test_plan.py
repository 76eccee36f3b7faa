"""Addresses and names of a cluster's network, and how pods get theirs."""

from ipaddress import IPv4Network

import pytest

from knarr.net.families import FOUR, SIX
from knarr.net.node_pods import addresses_of, next_address, pod_link
from knarr.net.plan import SIMULATED_NODES, NetworkPlan, place_of
from knarr.net.podnetwork import left_over

PLAN = NetworkPlan("knarr", 0)
NODE = PLAN.node(0)


def test_the_first_cluster_has_the_usual_ranges():
    assert (PLAN.pods, PLAN.services, PLAN.nodes, PLAN.bridge) == (
        "10.244.0.0/16",
        "10.96.0.0/16",
        "172.30.0.0/24",
        "knarr0",
    )
    assert (PLAN.api, PLAN.dns, PLAN.host) == ("10.96.0.1", "10.96.0.10", "172.30.0.1")


def test_further_clusters_have_their_own():
    plan = NetworkPlan("other", 2)
    assert (plan.pods, plan.services, plan.nodes, plan.bridge) == (
        "10.242.0.0/16",
        "10.98.0.0/16",
        "172.30.2.0/24",
        "knarr2",
    )


def test_a_node_has_a_namespace_an_address_and_a_pod_range():
    node = PLAN.node(3)
    assert (node.name, node.namespace, node.address, node.pods, node.gateway) == (
        "knarr-3",
        "knarr-knarr-knarr-3",
        "172.30.0.5",
        "10.244.3.0/24",
        "10.244.3.1",
    )


NAMESPACES = {
    "its own node is known": ("knarr-knarr-knarr-12", 12),
    "a cluster whose name begins alike has others": ("knarr-knarr-2-knarr-2-0", None),
    "strangers are left alone": ("cni-1234", None),
}


@pytest.mark.parametrize(("name", "number"), NAMESPACES.values(), ids=NAMESPACES)
def test_namespaces(name, number):
    assert PLAN.number(name) == number


@pytest.mark.parametrize("index", [-1, 80], ids=["a negative one", "one too many"])
def test_an_index_outside_is_refused(index):
    with pytest.raises(ValueError, match="cluster index"):
        NetworkPlan("knarr", index)


ADDRESSES = {
    "the first pod comes after the gateway": (set(), "", "10.244.0.2"),
    "an address just given back is not the next one": (set(), "10.244.0.2", "10.244.0.3"),
    "taken ones are passed over": ({"10.244.0.3", "10.244.0.4"}, "10.244.0.2", "10.244.0.5"),
    "after the last comes the first": (set(), "10.244.0.254", "10.244.0.2"),
}


@pytest.mark.parametrize(("taken", "last", "expected"), ADDRESSES.values(), ids=ADDRESSES)
def test_next_address(taken, last, expected):
    assert next_address(NODE, taken, last) == expected


def test_a_full_node_says_so():
    with pytest.raises(OSError, match=r"no free address in 10\.244\.0\.0/24: 253 pods have one"):
        next_address(NODE, {f"10.244.0.{n}" for n in range(2, 255)}, "")


def test_link_names_fit_and_differ():
    links = {pod_link(f"uid-{n}") for n in range(100)}
    assert len(links) == 100
    assert all(len(link) < 16 for link in links)


def test_simulated_nodes_alone_have_the_usual_names_and_ranges():
    node = PLAN.simulated(3, alone=True)
    assert (node.name, node.address, node.pods) == ("knarr-3", "127.64.0.4", "10.244.3.0/24")


def test_simulated_nodes_beside_real_ones_have_others():
    node = PLAN.simulated(3, alone=False)
    assert (node.name, node.address, node.pods) == ("knarr-sim-3", "127.64.0.4", "240.0.3.0/24")


@pytest.mark.parametrize("index", [0, 1, 15], ids=["the first cluster", "the second", "the last"])
def test_thousands_of_simulated_nodes_share_nothing(index):
    plan = NetworkPlan("knarr", index)
    nodes = [plan.simulated(number, alone=True) for number in range(SIMULATED_NODES)]
    for each in ("name", "address", "pods"):
        assert len({getattr(node, each) for node in nodes}) == SIMULATED_NODES
    far = [IPv4Network(node.pods) for node in nodes[250::997]]
    assert all(network.subnet_of(IPv4Network(plan.simulated_pods)) for network in far)


def test_pods_of_simulated_nodes_of_two_clusters_do_not_meet():
    ranges = [IPv4Network(NetworkPlan("knarr", index).simulated_pods) for index in range(16)]
    assert not any(one.overlaps(other) for one in ranges for other in ranges if one is not other)


def test_a_simulated_node_beyond_the_last_is_refused():
    with pytest.raises(ValueError, match="simulated node number"):
        PLAN.simulated(SIMULATED_NODES, alone=True)


RANGES = {
    "one address": ("192.0.2.7", ["192.0.2.7/32"]),
    "a network": ("192.0.2.0/28", ["192.0.2.0/28"]),
    "from one to another": ("192.0.2.6-192.0.2.8", ["192.0.2.6/31", "192.0.2.8/32"]),
    "of IPv6": ("fd00:9::/124", ["fd00:9::/124"]),
    "from one to another of IPv6": ("fd00:9::6-fd00:9::8", ["fd00:9::6/127", "fd00:9::8/128"]),
    "several": ("192.0.2.7,192.0.2.9", ["192.0.2.7/32", "192.0.2.9/32"]),
    "none": ("", []),
}


@pytest.mark.parametrize("text, networks", RANGES.values(), ids=RANGES)
def test_a_range_for_balancers_is_networks(text, networks):
    assert [*NetworkPlan("knarr", 0, text).balancer_networks] == networks


@pytest.mark.parametrize("text", ["x", "192.0.2.1/24", "192.0.2.9-192.0.2.1", "fd00::1-192.0.2.1", "192.0.2.1-"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError, match="is no range of addresses"):
        NetworkPlan("knarr", 0, text).balancer_networks  # noqa: B018


def test_a_cluster_of_two_families_answers_names_at_an_address_of_each():
    dual = NetworkPlan("knarr", 0, service_cidr="10.96.0.0/16,fd00:10:96::/112")
    assert (dual.dns, dual.dns_addresses) == ("10.96.0.10", ("10.96.0.10", "fd00:10:96::a"))
    assert (dual.answered(FOUR), dual.answered(SIX)) == (("10.96.0.1", "10.96.0.10"), ("fd00:10:96::a",))
    assert PLAN.dns_addresses == ("10.96.0.10",)


def test_what_has_two_addresses_has_that_of_the_first_family_first():
    ways = (("10.96.0.0/16,fd00:10:96::/112", False), ("fd00:10:96::/112,10.96.0.0/16", True))
    for text, six_first in ways:
        plan = NetworkPlan("knarr", 0, service_cidr=text)
        node = plan.node(0)
        assert [":" in each for each in node.addresses] == [six_first, not six_first]
        assert [":" in each for each in node.pod_ranges] == [six_first, not six_first]
        assert [":" in each for each in (plan.api, plan.dns)] == [six_first] * 2
        assert plan.hosts == ("172.30.0.1", "fd00:172:30::1")
    alone = NetworkPlan("knarr", 0, service_cidr="fd00:10:96::/112")
    node = alone.node(1)
    assert (node.addresses, node.pod_ranges) == (("fd00:172:30::3",), ("fd00:10:244:1::/64",))
    assert (alone.families, alone.services, alone.pods) == ((SIX,), "", "")
    assert (PLAN.node(0).addresses, PLAN.hosts) == (("172.30.0.2",), ("172.30.0.1",))


@pytest.mark.parametrize("index", [0, 9, 15])
def test_an_address_of_a_node_says_which_node_it_is(index):
    plan = NetworkPlan("knarr", index, service_cidr=f"10.{96 + index}.0.0/16,fd00:10:{96 + index}::/112")
    for number in (0, 7, 249):
        assert {place_of(address) for address in plan.node(number).addresses} == {(index, number)}


def test_in_a_cluster_of_ipv6_alone_pods_are_numbered_all_the_same():
    node = NetworkPlan("knarr", 2, service_cidr="fd00:10:98::/112").node(3)
    assert (node.pods, node.gateway, node.numbers) == ("", "", "10.242.3.0/24")
    assert next_address(node, set(), "") == "10.242.3.2"
    assert next_address(node, {"10.242.3.2"}, "10.242.3.254") == "10.242.3.3"
    assert addresses_of(node, "10.242.3.17") == ("fd00:10:242:3::11",)


def test_the_bridge_says_whose_it_is():
    assert NetworkPlan("knarr", 0, mark="1a2b").alias == "knarr cluster knarr 1a2b"


LEFT = {
    "an address of a service from outside": ("192.0.2.7/32", True),
    "the services' range": ("10.96.0.0/16", False),
    "a range of balancers": ("192.0.2.16/28", False),
    "the only address of balancers": ("192.0.2.5/32", False),
}


@pytest.mark.parametrize(("network", "goes"), LEFT.values(), ids=LEFT)
def test_what_is_left_over_on_a_node(network, goes):
    plan = NetworkPlan("knarr", 0, "192.0.2.16/28,192.0.2.5")
    assert (network in left_over(plan, [network])) is goes


def test_a_pod_has_the_same_number_in_both_ranges():
    dual = NetworkPlan("knarr", 0, service_cidr="10.96.0.0/16,fd00:10:96::/112")
    assert addresses_of(PLAN.node(1), "10.244.1.77") == ("10.244.1.77",)
    assert addresses_of(dual.node(1), "10.244.1.77") == ("10.244.1.77", "fd00:10:244:1::4d")
