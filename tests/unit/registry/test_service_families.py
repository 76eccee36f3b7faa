"""Which families and addresses a Service has: on clusters of one family, of two, and of two the other way round."""

import ipaddress
import re

import pytest

from knarr.kinds.table import BUILTIN
from knarr.meta.errors import Invalid
from knarr.registry.registry import Registry
from tests.unit.registry.conftest import K, a_service

RANGES = {"IPv4": "10.96.0.0/16", "IPv6": "fd00:10:96::/112"}
CLUSTERS = {"4": ["IPv4"], "6": ["IPv6"], "46": ["IPv4", "IPv6"], "64": ["IPv6", "IPv4"]}
SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
FOUR, SIX = "10.96.0.10", "fd00:10:96::a"


@pytest.fixture
async def cluster(store):
    """Start a registry of a cluster of these families, over the same store each time."""
    started = []

    async def start(families):
        for one in started:
            await one.stop()
        made = Registry(store, BUILTIN, service_ranges=[RANGES[each] for each in CLUSTERS[families]])
        await made.start()
        started[:] = [made]
        return made

    yield start
    for one in started:
        await one.stop()


async def spec(registry, name="x"):
    return (await registry.get(K.Service, "ns", name)).tree()["spec"]


def families_of(found):
    """The digits of its families, and of its addresses; "-" for one without."""
    addresses = found.get("clusterIPs") or []
    written = "".join(each[-1] for each in found.get("ipFamilies") or ())
    held = "-" if addresses == ["None"] else "".join(str(ipaddress.ip_address(each).version) for each in addresses)
    return written, held, found.get("ipFamilyPolicy")


HEADLESS = {"clusterIP": "None"}
SELECTORLESS = {"clusterIP": "None", "selector": None}
GIVEN = {
    "nothing said, one family": ("4", {}, ("4", "4", SINGLE)),
    "nothing said, only IPv6": ("6", {}, ("6", "6", SINGLE)),
    "nothing said, two families": ("46", {}, ("4", "4", SINGLE)),
    "nothing said, IPv6 first": ("64", {}, ("6", "6", SINGLE)),
    "prefers two, there is one": ("4", {"ipFamilyPolicy": PREFER}, ("4", "4", PREFER)),
    "prefers two, there are two": ("46", {"ipFamilyPolicy": PREFER}, ("46", "46", PREFER)),
    "prefers two, IPv6 first": ("64", {"ipFamilyPolicy": PREFER}, ("64", "64", PREFER)),
    "requires two": ("46", {"ipFamilyPolicy": REQUIRE}, ("46", "46", REQUIRE)),
    "the other family alone": ("46", {"ipFamilies": ["IPv6"]}, ("6", "6", SINGLE)),
    "the other family first": ("46", {"ipFamilies": ["IPv6"], "ipFamilyPolicy": REQUIRE}, ("64", "64", REQUIRE)),
    "both families in its own order": (
        "46",
        {"ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": PREFER},
        ("64", "64", PREFER),
    ),
    "an address of the other family": ("46", {"clusterIP": SIX}, ("6", "6", SINGLE)),
    "an address, and two are required": ("46", {"clusterIP": SIX, "ipFamilyPolicy": REQUIRE}, ("64", "64", REQUIRE)),
    "two addresses": (
        "46",
        {"clusterIP": SIX, "clusterIPs": [SIX, FOUR], "ipFamilyPolicy": PREFER},
        ("64", "64", PREFER),
    ),
    "headless": ("46", HEADLESS, ("4", "-", SINGLE)),
    "headless, requires two": ("46", {**HEADLESS, "ipFamilyPolicy": REQUIRE}, ("46", "-", REQUIRE)),
    "headless, prefers two of one": ("4", {**HEADLESS, "ipFamilyPolicy": PREFER}, ("4", "-", PREFER)),
    "headless without a selector": ("4", SELECTORLESS, ("46", "-", REQUIRE)),
    "headless without a selector, only IPv6": ("6", SELECTORLESS, ("64", "-", REQUIRE)),
    "headless without a selector, of one": ("46", {**SELECTORLESS, "ipFamilyPolicy": SINGLE}, ("4", "-", SINGLE)),
    "headless without a selector, prefers": ("4", {**SELECTORLESS, "ipFamilyPolicy": PREFER}, ("46", "-", PREFER)),
    "headless without a selector, of the other": (
        "4",
        {**SELECTORLESS, "ipFamilies": ["IPv6"], "ipFamilyPolicy": SINGLE},
        ("6", "-", SINGLE),
    ),
    "another name": ("46", {"type": "ExternalName", "externalName": "a.b"}, ("", "", None)),
}


@pytest.mark.parametrize("families, wish, given", GIVEN.values(), ids=GIVEN)
async def test_given(cluster, families, wish, given):
    registry = await cluster(families)
    await registry.create(K.Service, "ns", a_service(**wish))
    found = await spec(registry)
    assert families_of(found) == given
    assert found.get("clusterIP") == next(iter(found.get("clusterIPs") or ()), None)
    for address in found.get("clusterIPs") or ():
        assert address == "None" or any(
            ipaddress.ip_address(address) in ipaddress.ip_network(one) for one in RANGES.values()
        )


UNCONFIGURED = "this cluster is not configured for dual-stack services"
REFUSED = {
    "two required of one": (
        "4",
        {"ipFamilyPolicy": REQUIRE},
        f'spec.ipFamilyPolicy: Invalid value: "{REQUIRE}": {UNCONFIGURED}',
    ),
    "two required of only IPv6": ("6", {"ipFamilyPolicy": REQUIRE}, UNCONFIGURED),
    "headless, two required of one": ("4", {**HEADLESS, "ipFamilyPolicy": REQUIRE}, UNCONFIGURED),
    "IPv4 where there is none": (
        "6",
        {"ipFamilies": ["IPv4"]},
        'spec.ipFamilies[0]: Invalid value: "IPv4": not configured on this cluster',
    ),
    "an IPv4 address where there is none": ("6", {"clusterIP": FOUR}, "IPv4 is not configured on this cluster"),
    "two families without a word of it": (
        "46",
        {"ipFamilies": ["IPv4", "IPv6"]},
        f'spec.ipFamilyPolicy: Invalid value: "{SINGLE}": must be \'RequireDualStack\' or \'PreferDualStack\' when '
        "multiple IP families are specified",
    ),
    "two addresses without a word of it": (
        "46",
        {"clusterIP": FOUR, "clusterIPs": [FOUR, SIX]},
        "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified",
    ),
    "two addresses of one family": (
        "46",
        {"clusterIP": FOUR, "clusterIPs": [FOUR, "10.96.0.11"], "ipFamilyPolicy": REQUIRE},
        "may specify no more than one IP for each IP family",
    ),
    "an address that is not of its family": (
        "46",
        {"clusterIP": SIX, "ipFamilies": ["IPv4"]},
        f'spec.clusterIPs[0]: Invalid value: "{SIX}": expected an IPv4 value as indicated by `ipFamilies[0]`',
    ),
    "a family twice": ("46", {"ipFamilies": ["IPv4", "IPv4"], "ipFamilyPolicy": REQUIRE}, "Duplicate value"),
    "an address outside of its range": (
        "46",
        {"clusterIP": "fd00::1"},
        'spec.clusterIPs: Invalid value: ["fd00::1"]: failed to allocate IP fd00::1: the provided network does '
        "not match the current range",
    ),
    "the range's own address": ("46", {"clusterIP": "fd00:10:96::"}, "does not match the current range"),
    "an address that is taken, written otherwise": ("46", {"clusterIP": "fd00:10:96:0::FF"}, "already allocated"),
    "addresses without the first alone": (
        "46",
        {"clusterIPs": [FOUR]},
        "must be empty when `clusterIP` is not specified",
    ),
    "a family for another name": (
        "46",
        {"type": "ExternalName", "externalName": "a.b", "ipFamilyPolicy": SINGLE},
        "spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services",
    ),
}  # fmt: skip


@pytest.mark.parametrize("families, wish, message", REFUSED.values(), ids=REFUSED)
async def test_refused(cluster, families, wish, message):
    registry = await cluster(families)
    if families == "46":
        await registry.create(K.Service, "ns", a_service("taken", clusterIP="fd00:10:96::ff"))
    with pytest.raises(Invalid, match=re.escape(message)):
        await registry.create(K.Service, "ns", a_service(**wish))
    assert not registry.services._promised


CHANGED = {
    "two are required": ({}, {"ipFamilyPolicy": REQUIRE}, ("46", "46", REQUIRE)),
    "two are preferred": ({}, {"ipFamilyPolicy": PREFER}, ("46", "46", PREFER)),
    "two families are named": (
        {},
        {"ipFamilyPolicy": REQUIRE, "ipFamilies": ["IPv4", "IPv6"]},
        ("46", "46", REQUIRE),
    ),
    "a second address is named": (
        {"clusterIP": FOUR},
        {"ipFamilyPolicy": PREFER, "clusterIPs": [FOUR, SIX]},
        ("46", "46", PREFER),
    ),
    "one is enough": ({"ipFamilyPolicy": REQUIRE}, {"ipFamilyPolicy": SINGLE}, ("4", "4", SINGLE)),
    "one is enough, of IPv6 first": (
        {"ipFamilyPolicy": REQUIRE, "ipFamilies": ["IPv6"]},
        {"ipFamilyPolicy": SINGLE},
        ("6", "6", SINGLE),
    ),
    "one is enough, and says which": (
        {"ipFamilyPolicy": REQUIRE},
        {"ipFamilyPolicy": SINGLE, "ipFamilies": ["IPv4"]},
        ("4", "4", SINGLE),
    ),
    "something else changes": ({"ipFamilyPolicy": REQUIRE}, {"sessionAffinity": "ClientIP"}, ("46", "46", REQUIRE)),
    "a headless one is to have two": (HEADLESS, {"ipFamilyPolicy": PREFER}, ("46", "-", PREFER)),
    "a headless one is to have one": (
        {**HEADLESS, "ipFamilyPolicy": REQUIRE},
        {"ipFamilyPolicy": SINGLE},
        ("4", "-", SINGLE),
    ),
    "it becomes another name": (
        {"ipFamilyPolicy": REQUIRE},
        {"type": "ExternalName", "externalName": "a.b"},
        ("", "", None),
    ),
    "another name gets two addresses": (
        {"type": "ExternalName", "externalName": "a.b"},
        {"type": "ClusterIP", "ipFamilyPolicy": REQUIRE},
        ("46", "46", REQUIRE),
    ),
}


@pytest.mark.parametrize("wish, patch, given", CHANGED.values(), ids=CHANGED)
async def test_changed(cluster, wish, patch, given):
    registry = await cluster("46")
    await registry.create(K.Service, "ns", a_service(**wish))
    before = await spec(registry)
    await registry.patch(K.Service, "ns", "x", "merge", {"spec": patch})
    after = await spec(registry)
    assert families_of(after) == given
    kept = [each for each in before.get("clusterIPs") or () if each in (after.get("clusterIPs") or ())]
    assert kept or not before.get("clusterIPs") or after["type"] == "ExternalName"


UNCHANGEABLE = {
    "fewer addresses without the policy": (
        {"ipFamilyPolicy": REQUIRE, "clusterIP": FOUR, "clusterIPs": [FOUR, SIX]},
        {"clusterIPs": [FOUR]},
        "must be 'SingleStack' to release the secondary cluster IP",
    ),
    "fewer families without the policy": (
        {"ipFamilyPolicy": REQUIRE},
        {"ipFamilies": ["IPv4"]},
        "must be 'SingleStack' to release the secondary IP family",
    ),
    "the families the other way round": (
        {"ipFamilyPolicy": REQUIRE},
        {"ipFamilies": ["IPv6", "IPv4"]},
        "expected an IPv6 value as indicated by `ipFamilies[0]`",
    ),
    "another first address": ({"clusterIP": FOUR}, {"clusterIP": "10.96.0.11"}, "may not change once set"),
    "another second address": (
        {"ipFamilyPolicy": REQUIRE, "clusterIP": FOUR, "clusterIPs": [FOUR, SIX]},
        {"clusterIPs": [FOUR, "fd00:10:96::b"]},
        "may not change once set",
    ),
}


@pytest.mark.parametrize("wish, patch, message", UNCHANGEABLE.values(), ids=UNCHANGEABLE)
async def test_unchangeable(cluster, wish, patch, message):
    registry = await cluster("46")
    await registry.create(K.Service, "ns", a_service(**wish))
    before = await spec(registry)
    with pytest.raises(Invalid, match=re.escape(message)):
        await registry.patch(K.Service, "ns", "x", "merge", {"spec": patch})
    assert await spec(registry) == before


async def test_a_second_address_that_was_released_is_free_again(cluster):
    registry = await cluster("46")
    await registry.create(K.Service, "ns", a_service(ipFamilyPolicy=REQUIRE))
    address = (await spec(registry))["clusterIPs"][1]
    with pytest.raises(Invalid, match="already allocated"):
        await registry.create(K.Service, "ns", a_service("y", clusterIP=address))
    await registry.patch(K.Service, "ns", "x", "merge", {"spec": {"ipFamilyPolicy": SINGLE}})
    await registry.create(K.Service, "ns", a_service("y", clusterIP=address))


async def test_one_that_prefers_two_stays_as_it_is_when_the_cluster_gets_another_family(cluster):
    """Until something of it changes that says so."""
    registry = await cluster("4")
    await registry.create(K.Service, "ns", a_service(ipFamilyPolicy=PREFER))
    registry = await cluster("46")
    await registry.patch(K.Service, "ns", "x", "merge", {"metadata": {"labels": {"a": "b"}}})
    assert families_of(await spec(registry)) == ("4", "4", PREFER)
    await registry.patch(K.Service, "ns", "x", "merge", {"spec": {"ipFamilyPolicy": REQUIRE}})
    assert families_of(await spec(registry)) == ("46", "46", REQUIRE)


async def test_a_replacement_that_leaves_out_the_families_keeps_both(cluster):
    registry = await cluster("46")
    await registry.create(K.Service, "ns", a_service(ipFamilyPolicy=REQUIRE))
    before = await spec(registry)
    await registry.update(K.Service, "ns", "x", a_service())
    assert await spec(registry) == before


async def test_nothing_leaks_of_two_families(cluster):
    registry = await cluster("46")
    for n in range(50):
        await registry.create(K.Service, "ns", a_service(f"x{n}", ipFamilyPolicy=REQUIRE))
        await registry.delete(K.Service, "ns", f"x{n}")
    assert not registry.services._taken
    assert not registry.services._promised
