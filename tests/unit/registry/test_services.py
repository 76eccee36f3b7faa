"""What a Service is given: addresses, families, node ports."""

import asyncio
import ipaddress
import re

import pytest

from knarr.kinds.table import BUILTIN
from knarr.meta.errors import Invalid, NotFound
from knarr.registry.delete import DeleteOptions
from knarr.registry.entry import encode
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
    "two families if they can be had": (
        {"ipFamilyPolicy": "PreferDualStack"},
        {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4"]},
    ),
    "headless without a selector, of the other family": (
        {"clusterIP": "None", "selector": None, "ipFamilies": ["IPv6"], "ipFamilyPolicy": "SingleStack"},
        {"ipFamilies": ["IPv6"], "ipFamilyPolicy": "SingleStack"},
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
    "the range's own address": (
        {"clusterIP": "10.96.0.0"},
        'spec.clusterIPs: Invalid value: ["10.96.0.0"]: failed to allocate IP 10.96.0.0: the provided network '
        "does not match the current range",
    ),
    "an address of a mere alias": (
        {"type": "ExternalName", "externalName": "a.b", "clusterIP": "10.96.0.77"},
        "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
    ),
    "an address outside the range": (
        {"clusterIP": "10.1.0.1"},
        'spec.clusterIPs: Invalid value: ["10.1.0.1"]: failed to allocate IP 10.1.0.1: the provided network '
        "does not match the current range",
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


NODE_PORT = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}
BALANCER = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
REFUSED |= {
    "a node port that another has for another protocol": (
        {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080, "protocol": "UDP"}]},
        "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated",
    ),
    "a health check port that is taken": (
        {**BALANCER, "healthCheckNodePort": 30080},
        "spec.healthCheckNodePort: Invalid value: 30080: failed to allocate requested HealthCheck NodePort 30080: "
        "provided port is already allocated",
    ),
    "a health check port that is its own node port": (
        {**BALANCER, "healthCheckNodePort": 30090, "ports": [{"port": 80, "nodePort": 30090}]},
        "spec.healthCheckNodePort: Invalid value: 30090: failed to allocate requested HealthCheck NodePort 30090: "
        "provided port is already allocated",
    ),
    "two families that must be": (
        {"ipFamilyPolicy": "RequireDualStack"},
        'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack '
        "services",
    ),
    "a family that the cluster has not": (
        {"ipFamilies": ["IPv6"]},
        'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    ),
    "an address of such a family": (
        {"clusterIP": "fd00::1"},
        'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster',
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


async def test_a_port_without_a_node_port_takes_that_of_its_other_protocol(registry):
    ports = [{"name": "a", "port": 53}, {"name": "b", "port": 53, "protocol": "UDP", "nodePort": 30053}]
    await registry.create(K.Service, "ns", a_service(type="NodePort", ports=ports))
    assert [port["nodePort"] for port in (await spec(registry))["ports"]] == [30053, 30053]


async def test_node_ports_come_from_above_the_band_for_chosen_ones(registry):
    for n in range(40):
        await registry.create(K.Service, "ns", a_service(f"x{n}", type="NodePort"))
        assert (await spec(registry, f"x{n}"))["ports"][0]["nodePort"] >= 30086


async def test_a_health_check_port_is_given_kept_and_freed(registry):
    await registry.create(K.Service, "ns", a_service(**BALANCER))
    number = (await spec(registry))["healthCheckNodePort"]
    assert number in range(30000, 32768)
    await registry.patch(K.Service, "ns", "x", "merge", {"metadata": {"labels": {"a": "b"}}})
    assert (await spec(registry))["healthCheckNodePort"] == number
    await registry.patch(K.Service, "ns", "x", "merge", {"spec": {"externalTrafficPolicy": "Cluster"}})
    assert "healthCheckNodePort" not in await spec(registry)
    await registry.create(K.Service, "ns", a_service("y", type="NodePort", ports=[{"port": 80, "nodePort": number}]))


async def test_what_a_store_gave_twice_is_free_when_both_are_gone(registry):
    await registry.create(K.Service, "ns", a_service(clusterIP="10.96.0.9"))
    twin = (await registry.get(K.Service, "ns", "x")).tree() | {"metadata": {"name": "y", "namespace": "ns"}}
    key = registry.resource(K.Service).key("ns", "y")
    await registry.put(K.Service, key, encode(twin), 0)
    await registry.delete(K.Service, "ns", "x")
    with pytest.raises(Invalid, match="already allocated"):
        await registry.create(K.Service, "ns", a_service("z", clusterIP="10.96.0.9"))
    await registry.delete(K.Service, "ns", "y")
    await registry.create(K.Service, "ns", a_service("z", clusterIP="10.96.0.9"))


async def test_nothing_leaks_over_many_services(registry):
    for n in range(300):
        await registry.create(K.Service, "ns", a_service(f"x{n}", **BALANCER))
    for n in range(300):
        await registry.delete(K.Service, "ns", f"x{n}")
    assert not registry.services._taken
    assert not registry.services._promised


def endpoints(name="x"):
    metadata = {"name": name, "namespace": "ns"}
    return {"metadata": metadata, "subsets": [{"addresses": [{"ip": "10.9.9.9"}], "ports": [{"port": 80}]}]}


@pytest.mark.parametrize("finalizers", [[], ["a.example.com/b"]], ids=["at once", "after a finalizer"])
async def test_a_service_takes_its_endpoints_with_it(registry, finalizers):
    service = a_service()
    service["metadata"]["finalizers"] = finalizers
    await registry.create(K.Service, "ns", service)
    for name in ("x", "y"):
        await registry.create(K.Endpoints, "ns", endpoints(name))
    await registry.delete(K.Service, "ns", "x", DeleteOptions(dry_run=True))
    await registry.delete(K.Service, "ns", "x")
    if finalizers:
        assert await registry.get(K.Endpoints, "ns", "x")
        tree = (await registry.get(K.Service, "ns", "x")).tree()
        del tree["metadata"]["finalizers"]
        await registry.update(K.Service, "ns", "x", tree)
    with pytest.raises(NotFound):
        await registry.get(K.Endpoints, "ns", "x")
    assert await registry.get(K.Endpoints, "ns", "y")
