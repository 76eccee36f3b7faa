"""The ranges of load balancers' addresses: checked before anything begins."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from knarr.app import balancers
from knarr.app.config import Cluster, ConfigError

FOUR = Cluster(name="c", data_dir=Path("/data/c"), runtime="sandbox", nodes=2)
READ = balancers.host_addresses6
DUAL = replace(FOUR, service_cidr="10.96.0.0/16,fd00:10:96::/112")


@pytest.fixture(autouse=True)
def host(monkeypatch):
    monkeypatch.setattr(balancers, "host_addresses", dict)
    monkeypatch.setattr(balancers, "host_addresses6", lambda file=None: {ip_address("2001:db8::7"): "wan0"})


@pytest.mark.parametrize(
    "text", ["", "172.30.0.200-172.30.0.220", "fd00:172:30::200-fd00:172:30::220", "192.0.2.0/28,fd00:9::/120"]
)
def test_what_can_be(text):
    balancers.check(replace(DUAL, load_balancer_addresses=text))


REFUSED = {
    "no range": ("172.30.0.200-x", "'172.30.0.200-x' is no range of addresses"),
    "too many": ("fd00:9::/64", "at most 4096 addresses"),
    "of the pods": ("fd00:10:244:7::/120", "overlaps the pods' range of IPv6 fd00:10:244::/56"),
    "of the services": ("fd00:10:96::50", "overlaps the services' range of IPv6"),
    "of the host": ("fd00:172:30::1", "overlaps the host's IPv6 address on the bridge"),
    "of a node": ("fd00:172:30::2-fd00:172:30::9", "overlaps the IPv6 address of node c-0"),
    "of a link": ("fe80::1", "overlaps the link-local range of IPv6"),
    "of IPv4 in another form": ("::ffff:192.0.2.1", "overlaps the range of addresses for special use"),
    "this host's": ("2001:db8::7", "2001:db8::7 is an address of this host, on wan0"),
}


@pytest.mark.parametrize("text, why", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(text, why):
    with pytest.raises(ConfigError, match="--load-balancer-addresses") as error:
        balancers.check(replace(DUAL, load_balancer_addresses=text))
    assert why in str(error.value)


def test_a_cluster_of_ipv4_has_none_of_ipv6():
    with pytest.raises(ConfigError, match="the cluster has no IPv6"):
        balancers.check(replace(FOUR, load_balancer_addresses="fd00:9::/120"))


def test_a_cluster_of_ipv6_has_none_of_ipv4():
    with pytest.raises(ConfigError, match="the cluster has no IPv4"):
        balancers.check(replace(FOUR, service_cidr="fd00:10:96::/112", load_balancer_addresses="192.0.2.0/28"))


def test_the_hosts_addresses_are_read_from_the_kernels_list(tmp_path):
    file = tmp_path / "if_inet6"
    file.write_text("20010db8000000000000000000000007 02 40 00 80     wan0\n" + "0" * 31 + "1 01 80 10 80       lo\n")
    assert READ(file) == {ip_address("2001:db8::7"): "wan0", ip_address("::1"): "lo"}
    assert READ(tmp_path / "none") == {}
