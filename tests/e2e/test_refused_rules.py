"""What the kernel's own nft refuses of one service or policy keeps no other from its rules."""

import subprocess

import pytest
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import ServicePort
from knarr.net import namespace, podnetwork
from knarr.net.backends import View
from knarr.net.nft import apply, is_installed
from knarr.net.place import Place, Wanted
from knarr.net.plan import NetworkPlan
from knarr.net.policy import NetworkPolicies, without_refused
from knarr.net.policy_table import Chain, Table, whole
from knarr.net.refusals import Refusals
from tests.e2e.test_pod_network import a_service, a_slice

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not is_installed(), reason="services need nft")]
PLAN = NetworkPlan("refusetest", 9)
SPACE = PLAN.node(0).namespace
FORWARD = "type filter hook forward priority filter; policy accept"


@pytest.fixture
def space(host, monkeypatch):
    async def nothing(*_, anew=False):
        return

    monkeypatch.setattr(podnetwork, "route_services", nothing)
    monkeypatch.setattr(podnetwork, "lead_from_loopback", nothing)
    namespace.create(SPACE)
    yield SPACE
    namespace.delete(SPACE)


def ruleset(space: str, table: str) -> str:
    asked = ["nsenter", f"--net={namespace.path(space)}", "nft", "list", "table", "ip", table]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout


async def test_of_many_services_the_one_that_is_refused_has_no_rules(space):
    place = Place(PLAN, View(PLAN.node(0).name), space, 0)
    services = [a_service(f"s{n}", f"10.105.0.{n}") for n in range(20, 60)]
    port = ServicePort(name="http", port=70000, protocol="TCP")  # as only a store from elsewhere has it
    services[17] = replace(services[17], spec=replace(services[17].spec, ports=[port]))

    async def bring(now: float) -> None:
        wanted, shared = Wanted(), Wanted()
        for service in services:
            name = service.metadata.name
            wanted.add(("default", name), service, [a_slice(name, "10.235.0.7")], place, shared)
        await place.bring(wanted, (), now)

    await bring(0.0)
    assert (place.is_loaded, [*place.refused]) == (True, [("default", "s37")])
    text = ruleset(space, PLAN.bridge)
    assert ("10.105.0.36 " in text, "10.105.0.38 " in text, "10.105.0.37 " in text) == (True, True, False)
    services[17] = a_service("s37", "10.105.0.37")
    await bring(1.0)
    assert (place.is_loaded, place.refused, "10.105.0.37 " in ruleset(space, PLAN.bridge)) == (True, {}, True)


async def test_a_policy_that_is_refused_allows_nothing_and_the_others_what_they_say(space):
    rules = {
        "check-in": Chain(("jump to-default",), FORWARD),
        "to-default": Chain(("jump in-default-bad-1", "jump in-default-good-1", "drop")),
        "in-default-bad-1": Chain(("ip saddr nobody's accept",)),
        "in-default-good-1": Chain(("ip saddr 192.0.2.1 accept",)),
    }
    table, refusals = Table(f"{PLAN.bridge}-policy", rules), Refusals()
    loaded = await without_refused(space, table, refusals)
    assert [name for name, chain in loaded.chains.items() if not chain.rules] == ["in-default-bad-1"]
    assert refusals.holds("in-default-bad-1", rules["in-default-bad-1"])
    assert await apply(whole(loaded), space)
    assert "192.0.2.1" in ruleset(space, table.name)


def flush(space: str, *what: str) -> None:
    subprocess.run(["nsenter", f"--net={namespace.path(space)}", "nft", "flush", *what], check=True)


class Nothing:
    """Stands for informers of a cluster without objects."""

    def of(self, kind):
        return self

    def on_change(self, listener):
        return None


FLUSHED = {"all rules": ["ruleset"], "those of the table": ["table", "ip", f"{PLAN.bridge}-policy"]}


@pytest.mark.parametrize("what", FLUSHED.values(), ids=FLUSHED)
async def test_policies_that_somebody_flushed_are_loaded_again(space, what, tmp_path):
    table = Table(f"{PLAN.bridge}-policy", {"check-in": Chain(("drop",), FORWARD)})
    bridge = Table(table.name, {"from-pods": Chain(("drop",), FORWARD)}, family="bridge")
    policies = NetworkPolicies(Nothing(), PLAN, 6443, lambda number: tmp_path)
    assert await apply(whole(table), space)
    assert await apply(whole(bridge), space)
    policies._loaded = {(0, "ip"): (1, table), (0, "bridge"): (1, bridge), (1, "ip"): (2, table)}
    policies._forget_flushed()
    assert [*policies._loaded] == [(0, "ip"), (0, "bridge")], "a node that is gone has none"
    flush(space, *what)
    policies._forget_flushed()
    assert [*policies._loaded] == ([] if what == ["ruleset"] else [(0, "bridge")])


async def test_rules_of_services_are_loaded_again_when_only_the_rules_were_flushed(space):
    place = Place(PLAN, View(PLAN.node(0).name), space, 0)
    await place.bring(Wanted(), (), 0.0)
    await place.check()
    assert place.is_loaded
    flush(space, "table", "ip", PLAN.bridge)
    await place.check()
    assert not place.is_loaded
