"""Which pods are in the sets of the policies' rules, and that a pod changes sets alone."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from knarr.kinds.networkpolicy import defaults
from knarr.kinds.types.core_v1 import Pod
from knarr.kinds.types.networking_v1 import NetworkPolicy
from knarr.meta.labels import EVERYTHING, of_labels
from knarr.net.families import SIX
from knarr.net.node_pods import pod_link
from knarr.net.plan import NetworkPlan
from knarr.net.policy_members import Facts, Members, facts, in_family
from knarr.net.policy_rules import Choice, frame
from knarr.net.policy_table import Table, difference

PLAN = NetworkPlan("knarr")
SPACES = {"shop": {"team": "a"}, "bank": {"team": "b"}}
WEB = Facts("shop", {"app": "web"}, "10.244.0.5", 0, frozenset({("tcp", "http", 8080)}), "podx")


def policy(name: str, **spec: Any) -> NetworkPolicy:
    tree = {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}
    defaults(tree)
    return msgspec.convert(tree, NetworkPolicy)


CLOSED = policy(
    "closed",
    podSelector={"matchLabels": {"app": "web"}},
    policyTypes=["Ingress", "Egress"],
    ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}], "ports": [{"port": "http"}]}],
)
SUBJECT = Choice(of_labels({"app": "web"}), "shop").set
PEER = Choice(EVERYTHING, "", of_labels({"team": "b"})).set


def table(members: Members, number: int = 0) -> Table:
    return members.table("t", number, PLAN.node(number).pods)


@pytest.fixture
def members() -> Members:
    return Members(frame([CLOSED]), SPACES)


def filled(found: Table) -> dict[str, set[str]]:
    return {name: set(elements) for name, elements in found.elements.items() if elements}


def test_a_pod_is_isolated_on_its_node_and_chosen_everywhere(members: Members):
    assert members.put("shop/web", WEB)
    everywhere = {SUBJECT: {"10.244.0.5"}, "port-tcp-http": {"10.244.0.5 . 8080"}}
    assert filled(table(members)) == everywhere | {
        "known": {"10.244.0.5"},
        "self": {"10.244.0.5 . 10.244.0.5"},
        "isolated-in": {"10.244.0.5 : jump to-shop"},
        "isolated-out": {"10.244.0.5 : jump from-shop"},
    }
    assert filled(table(members, 1)) == everywhere


def test_pods_of_a_chosen_namespace_are_peers(members: Members):
    members.put("bank/teller", Facts("bank", {}, "10.244.1.9", 1))
    assert filled(table(members))[PEER] == {"10.244.1.9"}
    assert "isolated-in" not in filled(table(members, 1))


def test_a_pod_that_comes_or_goes_changes_sets_alone(members: Members):
    before = table(members)
    members.put("shop/web", WEB)
    with_it = table(members)
    lines = difference(before, with_it).splitlines()
    assert lines
    assert all(line.startswith("add element ip t ") for line in lines)
    members.put("shop/web", None)
    lines = difference(with_it, table(members)).splitlines()
    assert lines
    assert all(line.startswith("delete element ip t ") for line in lines)
    assert difference(before, table(members)) == ""


def test_a_label_that_goes_takes_the_pod_out(members: Members):
    members.put("shop/web", WEB)
    assert members.put("shop/web", replace(WEB, labels={}))
    assert filled(table(members)) == {
        "known": {"10.244.0.5"},
        "self": {"10.244.0.5 . 10.244.0.5"},
        "port-tcp-http": {"10.244.0.5 . 8080"},
    }


def test_what_changes_nothing_is_no_change(members: Members):
    assert members.put("shop/web", WEB)
    assert not members.put("shop/web", replace(WEB))
    assert not members.put("shop/web", replace(WEB, labels={"app": "web", "other": "1"}))
    assert not members.put("shop/none", None)


def test_an_address_that_goes_from_one_pod_to_another_stays(members: Members):
    members.put("shop/web", WEB)
    members.put("shop/next", WEB)
    members.put("shop/web", None)
    assert filled(table(members))["known"] == {"10.244.0.5"}


def test_without_policies_there_is_no_table():
    assert table(Members(frame([]), SPACES)).chains == {}


def pod(phase: str = "Running", **spec: Any) -> Pod:
    ports = [
        {"containerPort": 80, "name": "http"},
        {"containerPort": 81},
        {"containerPort": 53, "name": "d", "protocol": "UDP"},
    ]
    tree = {
        "metadata": {"name": "x", "namespace": "shop", "labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "ports": ports}]} | spec,
        "status": {"phase": phase},
    }
    return msgspec.convert(tree, Pod)


def test_the_facts_of_a_pod():
    ports = frozenset({("tcp", "http", 80), ("udp", "d", 53)})
    assert facts(pod(), "10.244.3.7", PLAN) == Facts("shop", {"a": "b"}, "10.244.3.7", 3, ports, pod_link(""))


def test_a_pod_is_held_to_its_own_address(members: Members):
    members.put("shop/web", WEB)
    assert filled(members.guard("t", 0)) == {"places": {'"podx" . 10.244.0.5'}}
    assert filled(members.guard("t", 1)) == {}
    assert Members(frame([]), SPACES).guard("t", 0).chains == {}


NOWHERE = {
    "it has no address yet": (pod(), ""),
    "it is on its node's network": (pod(hostNetwork=True), "172.30.0.2"),
    "its node is simulated": (pod(), "240.0.0.7"),
    "it is over": (pod("Succeeded"), "10.244.0.7"),
}


@pytest.mark.parametrize(("given", "address"), NOWHERE.values(), ids=NOWHERE)
def test_a_pod_has_no_place_when(given: Pod, address: str):
    assert facts(given, address, PLAN) is None


DUAL = NetworkPlan("knarr", service_cidr="10.96.0.0/16,fd00:10:96::/112")


def test_a_pod_is_in_the_sets_of_ipv6_by_its_address_there(members: Members):
    six = Members(frame([CLOSED], family=SIX), SPACES)
    six.put("shop/web", in_family(WEB, SIX, DUAL))
    members.put("shop/web", WEB)
    made = six.table("t", 0, DUAL.node(0).pods6)
    assert made.title == "ip6 t"
    assert made.elements["known"] == {"fd00:10:244::5"}
    assert made.elements["isolated-in"] == {"fd00:10:244::5 : jump to-shop"}
    assert made.elements[SUBJECT] == {"fd00:10:244::5"}
    assert made.elements["port-tcp-http"] == {"fd00:10:244::5 . 8080"}
    assert not any("ip " in rule for chain in made.chains.values() for rule in chain.rules)
    assert filled(members.guard("t", 0, six)) == {
        "places": {'"podx" . 10.244.0.5'},
        "places6": {'"podx" . fd00:10:244::5'},
        "targets6": {'"podx" . 0xfd000010024400000000000000000005'},
    }
