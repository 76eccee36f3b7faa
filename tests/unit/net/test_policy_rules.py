"""What NetworkPolicies become: chains and the sets they ask."""

from typing import Any

import msgspec
import pytest

from knarr.kinds.networkpolicy import defaults
from knarr.kinds.types.networking_v1 import IPBlock, NetworkPolicy
from knarr.meta.labels import of_labels
from knarr.net.families import SIX
from knarr.net.policy_rules import Alias, Choice, block, frame, merged, selector

API = Alias("10.96.0.1", 443, "172.30.0.1", 6443)


def policy(name: str = "p", namespace: str = "shop", **spec: Any) -> NetworkPolicy:
    tree = {"metadata": {"name": name, "namespace": namespace}, "spec": {"podSelector": {}} | spec}
    defaults(tree)
    return msgspec.convert(tree, NetworkPolicy)


def of(namespace: str = "", spaces: dict[str, str] | None = None, **pods: str) -> str:
    """The set of some pods."""
    return f"@{Choice(of_labels(pods), namespace, of_labels(spaces or {})).set}"


WEB = {"podSelector": {"matchLabels": {"app": "web"}}}
TEAM = {"namespaceSelector": {"matchLabels": {"team": "a"}}}
BLOCK = {"ipBlock": {"cidr": "10.0.0.5/8", "except": ["10.1.0.0/16", "10.2.0.0/17", "10.2.128.0/17"]}}
IN = {
    "nobody is named: everybody": ([{}], ["accept"]),
    "no rule allows nothing": ([], []),
    "pods of the policy's namespace": ([{"from": [WEB]}], [f"ip saddr {of('shop', app='web')} accept"]),
    "all pods of some namespaces": ([{"from": [TEAM]}], [f"ip saddr {of(spaces={'team': 'a'})} accept"]),
    "pods of a label in namespaces of a label": (
        [{"from": [TEAM | WEB]}],
        [f"ip saddr {of(spaces={'team': 'a'}, app='web')} accept"],
    ),
    "a block without what is excepted": (
        [{"from": [BLOCK]}],
        ["ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16, 10.2.0.0/16 } accept"],
    ),
    "a block of IPv6 matches no pod's peer": ([{"from": [{"ipBlock": {"cidr": "fd00::/8"}}]}], []),
    "everybody by a block": ([{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}], ["accept"]),
    "ports by number and range, of one protocol together": (
        [{"ports": [{"port": 443}, {"port": 80}, {"port": 8000, "endPort": 8010}, {"port": 8005, "endPort": 8020}]}],
        ["tcp dport { 80, 443, 8000-8020 } accept"],
    ),
    "a port by name, as the pod that is reached has it": (
        [{"ports": [{"port": "dns", "protocol": "UDP"}]}],
        ["meta l4proto udp ip daddr . th dport @port-udp-dns accept"],
    ),
    "a protocol without a port": ([{"ports": [{"protocol": "SCTP"}]}], ["meta l4proto sctp accept"]),
    "each peer on each port": (
        [{"from": [WEB, TEAM], "ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}],
        [
            f"ip saddr {peer} {port} accept"
            for peer in (of("shop", app="web"), of(spaces={"team": "a"}))
            for port in ("tcp dport { 80 }", "udp dport { 53 }")
        ],
    ),
    "several rules add up": ([{"from": [WEB]}, {}], [f"ip saddr {of('shop', app='web')} accept", "accept"]),
}


@pytest.mark.parametrize(("rules", "expected"), IN.values(), ids=IN)
def test_ingress(rules: list[dict[str, Any]], expected: list[str]):
    chains = frame([policy(ingress=rules)], API).chains
    (own,) = (chain for name, chain in chains.items() if name.startswith("in-"))
    assert list(own.rules) == expected
    assert chains["to-shop"].rules[-1] == "drop"


SERVER = {"ipBlock": {"cidr": "172.30.0.0/24"}}
OUT = {
    "to pods": ([{"to": [WEB]}], [f"ip daddr {of('shop', app='web')} accept"]),
    "to the API server's place: to the service's address, too": (
        [{"to": [SERVER], "ports": [{"port": 6443}]}],
        ["ip daddr 172.30.0.0/24 tcp dport { 6443 } accept", "ip daddr 10.96.0.1 tcp dport 443 accept"],
    ),
    "to the API server's place, on any port": (
        [{"to": [SERVER]}],
        ["ip daddr 172.30.0.0/24 accept", "ip daddr 10.96.0.1 accept"],
    ),
    "to the API server's place, on another port": (
        [{"to": [SERVER], "ports": [{"port": 80}]}],
        ["ip daddr 172.30.0.0/24 tcp dport { 80 } accept"],
    ),
    "to anybody on the API server's port": (
        [{"ports": [{"port": 6000, "endPort": 7000}]}],
        ["tcp dport { 6000-7000 } accept", "ip daddr 10.96.0.1 tcp dport 443 accept"],
    ),
}


@pytest.mark.parametrize(("rules", "expected"), OUT.values(), ids=OUT)
def test_egress(rules: list[dict[str, Any]], expected: list[str]):
    chains = frame([policy(egress=rules, policyTypes=["Egress"])], API).chains
    (own,) = (chain for name, chain in chains.items() if name.startswith("out-"))
    assert list(own.rules) == expected
    assert set(chains) - {"from-shop"} == {name for name in chains if name.startswith("out-")}


TYPES = {
    "nothing said: ingress": ({}, {"to-shop"}),
    "rules for egress: both": ({"egress": [{}]}, {"to-shop", "from-shop"}),
    "only egress, if it says so": ({"policyTypes": ["Egress"]}, {"from-shop"}),
}


@pytest.mark.parametrize(("spec", "expected"), TYPES.values(), ids=TYPES)
def test_policy_types(spec: dict[str, Any], expected: set[str]):
    assert {name for name in frame([policy(**spec)]).chains if name.endswith("shop")} == expected


def test_the_chain_of_a_namespace_asks_each_policy_that_selects_the_pod():
    found = frame([policy("b", podSelector={"matchLabels": {"app": "web"}}), policy("a")])
    first, second, last = found.chains["to-shop"].rules
    assert first.startswith("jump in-shop-a-")
    assert second.startswith(f"ip daddr {of('shop', app='web')} jump in-shop-b-")
    assert last == "drop"


def test_names_that_are_long_and_alike_stay_apart():
    names = ["x" * 253, "x" * 252 + "y"]
    chains = frame([policy(name) for name in names]).chains
    assert len(chains) == 3
    assert max(map(len, chains)) < 128


def test_a_policy_with_an_impossible_port_allows_nothing_and_harms_no_other(caplog: pytest.LogCaptureFixture):
    good = policy("good", ingress=[{"ports": [{"port": 80}]}])
    found = frame([policy("bad", ingress=[{"ports": [{"port": 70000}]}]), good])
    rules = [chain.rules for name, chain in found.chains.items() if name.startswith("in-")]
    assert sorted(rules) == [(), ("tcp dport { 80 } accept",)]
    assert "ports 70000-70000: not within 1-65535" in caplog.text


def test_ranges_that_touch_become_one():
    assert merged([(5, 9), (1, 2), (3, 4), (20, 30), (22, 23)]) == [(1, 9), (20, 30)]


BLOCKS = {
    "a block is of its own family": ("fd00:1::/64", [], ["ip6 saddr fd00:1::/64"]),
    "and matches nothing in the other": ("10.0.0.0/8", [], []),
    "all but some": (
        "::/0",
        ["fd00:1::/64", "fd00:1:0:1::/64"],
        ["ip6 saddr != { fd00:1::/63 }"],
    ),
}


@pytest.mark.parametrize(("cidr", "holes", "expected"), BLOCKS.values(), ids=BLOCKS)
def test_blocks_of_ipv6(cidr: str, holes: list[str], expected: list[str]):
    given = msgspec.convert({"cidr": cidr, "except": holes}, IPBlock)
    assert list(block(given, "ip6 saddr", SIX)) == expected


def test_an_absent_selector_selects_all():
    assert selector(None).empty
    assert list(block(msgspec.convert({"cidr": "10.0.0.0/8"}, IPBlock), "ip saddr")) == ["ip saddr 10.0.0.0/8"]


def test_the_api_server_may_have_an_address_of_ipv6():
    api = Alias("fd00:10:96::1", 443, "fd00:172:30::1", 6443)
    to = {"to": [{"ipBlock": {"cidr": "fd00:172:30::/64"}}], "ports": [{"port": 6443}]}
    chains = frame([policy(egress=[to], policyTypes=["Egress"])], api, SIX).chains
    ((*_, last),) = [chain.rules for name, chain in chains.items() if name.startswith("out-")]
    assert last == "ip6 daddr fd00:10:96::1 tcp dport 443 accept"
