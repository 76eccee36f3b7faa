"""The ranges of a cluster: checked before anything begins, and never others afterwards."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from knarr.app import address_ranges
from knarr.app.config import Cluster, ConfigError

DUAL = "10.96.0.0/16,fd00:10:96::/112"
HERE = Cluster(name="c", data_dir=Path("/data/c"), runtime="simulated")
REAL = replace(HERE, runtime="sandbox")

REFUSED = {
    "what is no range": (replace(HERE, service_cidr="x"), None, "--service-cidr x: must be a range"),
    "another range for what is there": (
        replace(HERE, service_cidr=DUAL),
        HERE,
        "cluster 'c' has --service-cidr 10.96.0.0/16 and --cluster-cidr 10.244.0.0/16; they are of a new cluster alone",
    ),
    "another IPv4 range with real nodes": (
        replace(REAL, service_cidr="10.50.0.0/16"),
        None,
        "--service-cidr 10.50.0.0/16: on nodes of runtime sandbox the range of IPv4 must be",
    ),
}

DUALS = replace(REAL, service_cidr=DUAL)
REFUSED |= {
    "addresses of the world": (
        replace(REAL, service_cidr="10.96.0.0/16,2001:db8::/112"),
        None,
        "--service-cidr 2001:db8::/112: must be of fc00::/7",
    ),
    "another cluster's": (
        replace(REAL, service_cidr="10.96.0.0/16,fd00:10:97::/112"),
        None,
        "overlaps fd00:10:97::/112, the services' range of cluster number 1 of this host",
    ),
    "what the host has a route for": (
        replace(REAL, cluster_cidr="10.244.0.0/16,fd77::/56"),
        None,
        "--cluster-cidr fd77::/56: overlaps fd77::/48, which this host has a route for, on vpn0",
    ),
    "too little room": (
        replace(REAL, nodes=3, cluster_cidr="10.244.0.0/16,fd00:9::/63"),
        None,
        "has room for 2 nodes, not for 3",
    ),
}


@pytest.fixture(autouse=True)
def kernel(monkeypatch):
    """A host with IPv6 and with one route of its own."""
    monkeypatch.setattr(address_ranges, "missing", lambda: "")
    monkeypatch.setattr(address_ranges, "refused_rules", lambda plan: "")
    monkeypatch.setattr(address_ranges, "routed", lambda plan: {"fd77::/48": "vpn0"})


def test_a_host_without_ipv6_is_told(monkeypatch):
    monkeypatch.setattr(address_ranges, "missing", lambda: "net.ipv6.conf.all.disable_ipv6 is not 0")
    with pytest.raises(ConfigError, match=re.escape("this host has no IPv6: net.ipv6.conf.all.disable_ipv6 is not 0")):
        address_ranges.check(DUALS, None)


@pytest.mark.parametrize("cluster, before, message", REFUSED.values(), ids=REFUSED)
def test_refused(cluster, before, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        address_ranges.check(cluster, before)


TAKEN = {
    "any range with simulated nodes": (replace(HERE, service_cidr="10.50.0.0/16,fd00::/112"), None),
    "the same range said in full": (replace(HERE, service_cidr="10.96.0.0/16"), HERE),
    "the usual one with real nodes": (REAL, None),
    "both families with real nodes": (DUALS, None),
    "both families again": (DUALS, DUALS),
    "IPv6 alone with real nodes": (replace(REAL, service_cidr="fd00:10:96::/112"), None),
    "IPv6 first with real nodes": (replace(REAL, service_cidr="fd00:10:96::/112,10.96.0.0/16"), None),
}


@pytest.mark.parametrize("cluster, before", TAKEN.values(), ids=TAKEN)
def test_taken(cluster, before):
    address_ranges.check(cluster, before)
