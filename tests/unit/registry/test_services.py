"""What a Service is given: addresses, families, node ports."""

import asyncio
import ipaddress
import re

import pytest

from knarr.kinds.table import BUILTIN
from knarr.meta.errors import Invalid
from knarr.registry.registry import Options, Registry
from tests.unit.registry.conftest import K, a_service

RANGE = ipaddress.ip_network("10.96.0.0/16")


async def spec(registry, name="x"):
    return (await registry.get(K.Service, "ns", name)).tree()["spec"]


GIVEN = {
    "headless": (
        {"clusterIP": "None"},
        {"clusterIP": "None", "clusterIPs": ["None"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"},
    ),
    "headless without a selector": (
        {"clusterIP": "None", "selector": None},
        {"clusterIPs": ["None"], "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"},
    ),
    "a chosen address": (
        {"clusterIP": "10.96.0.10"},
        {"clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10"], "ipFamilies": ["IPv4"]},
    ),
    "another name": (
        {"type": "ExternalName", "externalName": "a.example.com"},
        {"clusterIP": None, "clusterIPs": None, "ipFamilies": None, "ipFamilyPolicy": None},
    ),
}


@pytest.mark.parametrize("wish, given", GIVEN.values(), ids=GIVEN)
async def test_given(registry, wish, given):
    await registry.create(K.Service, "ns", a_service(**wish))
    found = await spec(registry)
    assert {key: found.get(key) for key in given} == given


async def test_an_address_from_the_range_above_the_band_for_chosen_ones(registry):
    addresses = set()
    for n in range(50):
        await registry.create(K.Service, "ns", a_service(f"x{n}"))
        addresses.add(ipaddress.ip_address((await spec(registry, f"x{n}"))["clusterIP"]))
    assert len(addresses) == 50
    assert all(RANGE[256] <= address < RANGE[-1] for address in addresses)


REFUSED = {
    "an address outside the range": (
        {"clusterIP": "10.1.0.1"},
        'spec.clusterIPs: Invalid value: ["10.1.0.1"]: failed to allocate IP 10.1.0.1: the provided IP (10.1.0.1) is '
        "not in the valid range. The range of valid IPs is 10.96.0.0/16",
    ),
    "an address that is taken": (
        {"clusterIP": "10.96.0.10"},
        'spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is already '
        "allocated",
    ),
    "a node port outside the range": (
        {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
        "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports "
        "is 30000-32767",
    ),
    "a node port that is taken": (
        {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
        "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated",
    ),
}


@pytest.mark.parametrize("wish, message", REFUSED.values(), ids=REFUSED)
async def test_refused(registry, wish, message):
    taken = a_service("taken", clusterIP="10.96.0.10", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
    await registry.create(K.Service, "ns", taken)
    with pytest.raises(Invalid, match=re.escape(message)):
        await registry.create(K.Service, "ns", a_service(**wish))


async def test_one_address_for_two_at_the_same_time_goes_to_one(registry):
    wishes = (registry.create(K.Service, "ns", a_service(f"x{n}", clusterIP="10.96.0.9")) for n in range(3))
    answers = await asyncio.gather(*wishes, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Entry", "Invalid", "Invalid"]


async def test_what_a_deleted_service_had_is_free_again(registry):
    await registry.create(K.Service, "ns", a_service(clusterIP="10.96.0.9"))
    await registry.delete(K.Service, "ns", "x")
    again = await registry.create(K.Service, "ns", a_service(clusterIP="10.96.0.9"))
    assert again.object().spec.clusterIPs == ["10.96.0.9"]


async def test_a_dry_run_and_a_failed_create_keep_nothing(registry):
    wish = {"clusterIP": "10.96.0.9"}
    await registry.create(K.Service, "ns", a_service(**wish), Options(dry_run=True))
    with pytest.raises(Invalid):
        await registry.create(K.Service, "ns", a_service(**wish, type="NodePort", ports=[{"port": 80, "nodePort": 1}]))
    await registry.create(K.Service, "ns", a_service(**wish))


async def test_what_is_taken_is_known_after_a_restart(registry, store):
    await registry.create(K.Service, "ns", a_service(clusterIP="10.96.0.9"))
    again = Registry(store, BUILTIN)
    await again.start()
    with pytest.raises(Invalid, match="already allocated"):
        await again.create(K.Service, "ns", a_service("y", clusterIP="10.96.0.9"))
    await again.stop()


async def test_an_update_that_leaves_the_address_and_the_ports_out_keeps_them(registry):
    await registry.create(K.Service, "ns", a_service(type="NodePort"))
    before = await spec(registry)
    assert before["ports"][0]["nodePort"] in range(30000, 32768)
    await registry.update(K.Service, "ns", "x", a_service(type="NodePort", sessionAffinity="ClientIP"))
    after = await spec(registry)
    assert (after["clusterIP"], after["clusterIPs"]) == (before["clusterIP"], before["clusterIPs"])
    assert after["ports"] == before["ports"]


async def test_a_service_changes_its_type(registry):
    await registry.create(K.Service, "ns", a_service(type="NodePort"))
    address = (await spec(registry))["clusterIP"]
    await registry.patch(K.Service, "ns", "x", "merge", {"spec": {"type": "ClusterIP"}})
    found = await spec(registry)
    assert ("nodePort" in found["ports"][0], found["clusterIP"]) == (False, address)
    await registry.patch(K.Service, "ns", "x", "merge", {"spec": {"type": "ExternalName", "externalName": "a.b"}})
    assert "clusterIP" not in await spec(registry)
    await registry.create(K.Service, "ns", a_service("y", clusterIP=address))


async def test_one_node_port_serves_a_port_of_two_protocols(registry):
    ports = [{"name": p.lower(), "port": 53, "protocol": p} for p in ("TCP", "UDP")]
    await registry.create(K.Service, "ns", a_service(type="NodePort", ports=ports))
    numbers = {port["nodePort"] for port in (await spec(registry))["ports"]}
    assert len(numbers) == 1
