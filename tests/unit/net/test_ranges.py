"""Which ranges of services and pods a cluster gets for what is wished."""

import re

import pytest

from knarr.net.plan import NetworkPlan
from knarr.net.ranges import Ranges, subnet, wished

DUAL = Ranges(("10.96.0.0/16", "fd00:10:96::/112"), ("10.244.0.0/16", "fd00:10:244::/56"))
WISHED = {
    "nothing": ("", "", Ranges(DUAL.services[:1], DUAL.pods[:1])),
    "both families of services": (",".join(DUAL.services), "", DUAL),
    "both families of pods": ("", "10.244.0.0/16, fd00:10:244::/56", DUAL),
    "IPv6 first": (
        "fd00:10:96::/112,10.96.0.0/16",
        "",
        Ranges(DUAL.services[::-1], DUAL.pods[::-1]),
    ),
    "IPv6 alone": ("fd00:1::/108", "", Ranges(("fd00:1::/108",), DUAL.pods[1:])),
    "all of one's own": (
        "192.168.8.0/24,fd00:1::/108",
        "10.0.0.0/12,fd00:2::/48",
        Ranges(("192.168.8.0/24", "fd00:1::/108"), ("10.0.0.0/12", "fd00:2::/48")),
    ),
}


@pytest.mark.parametrize("services, pods, ranges", WISHED.values(), ids=WISHED)
def test_wished(services, pods, ranges):
    assert wished(0, services, pods) == ranges


REFUSED = {
    "no range": ("here", "", "--service-cidr here: must be a range such as"),
    "an address with more than the network": ("10.96.0.1/16", "", "has host bits set"),
    "two of one family": (
        "10.96.0.0/16,10.97.0.0/16",
        "",
        "--service-cidr 10.96.0.0/16,10.97.0.0/16: must be one range, or one of IPv4 and one of IPv6",
    ),
    "three": ("10.96.0.0/16,fd00::/112,10.97.0.0/16", "", "must be one range"),
    "too wide": ("fd00::/48", "", "an IPv6 range must be from /64 to /123"),
    "too narrow for the DNS' address": ("10.96.0.0/28", "", "an IPv4 range must be from /12 to /27"),
    "too narrow for a node": (
        "",
        "10.244.0.0/25",
        "--cluster-cidr 10.244.0.0/25: an IPv4 range must be from /8 to /24",
    ),
    "addresses of everybody's own": ("127.0.0.0/16", "", "must be a range of ordinary addresses"),
    "links' own addresses": ("fe80::/112", "", "must be a range of ordinary addresses"),
    "different families": ("10.96.0.0/16", "fd00:2::/56", "must be of the same families in the same order"),
    "the same the other way round": (
        "10.96.0.0/16,fd00::/112",
        "fd00:2::/56,10.244.0.0/16",
        "must be of the same families in the same order",
    ),
    "services among pods": ("10.244.8.0/24", "", "--service-cidr 10.244.8.0/24 overlaps --cluster-cidr 10.244.0.0/16"),
}


@pytest.mark.parametrize("services, pods, message", REFUSED.values(), ids=REFUSED)
def test_refused(services, pods, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        wished(0, services, pods)


SUBNETS = {
    "of IPv4": ("10.244.0.0/16", 255, "10.244.255.0/24"),
    "of IPv6": ("fd00:10:244::/56", 255, "fd00:10:244:ff::/64"),
    "one too many": ("10.244.0.0/16", 256, ""),
    "the only one": ("fd00::/64", 0, "fd00::/64"),
}


@pytest.mark.parametrize("network, number, made", SUBNETS.values(), ids=SUBNETS)
def test_subnet(network, number, made):
    assert subnet(network, number) == made


def test_the_first_family_has_the_addresses_of_the_api_and_the_dns():
    plan = NetworkPlan("knarr", 0, service_cidr="fd00:1::/108,10.96.0.0/16")
    assert (plan.api, plan.dns) == ("fd00:1::1", "fd00:1::a")


def test_nodes_have_places_in_both_families():
    plan = NetworkPlan("knarr", 1, service_cidr="10.97.0.0/16,fd00:10:97::/112")
    node = plan.node(3)
    assert (node.address, node.pods, node.gateway) == ("172.30.1.5", "10.243.3.0/24", "10.243.3.1")
    assert (node.address6, node.pods6, node.gateway6) == (
        "fd00:172:30:1::5",
        "fd00:10:243:3::/64",
        "fd00:10:243:3::1",
    )
    near, far = plan.simulated(3, alone=True), plan.simulated(3, alone=False)
    assert (near.pods, near.more_pods) == ("10.243.3.0/24", "fd00:10:243:3::/64")
    assert (far.pods, far.more_pods) == ("240.128.3.0/24", "fd00:240:1:3::/64")
