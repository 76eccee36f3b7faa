"""For whom endpoints are: the nearest, or each zone's share."""

import pytest
from msgspec.structs import replace

from knarr.controllers import endpoint_slice
from knarr.controllers.topology_hints import Unshared, near, shared, shares
from knarr.kinds.types.core_v1 import NodeCondition
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointConditions
from knarr.loop.steps import Event
from knarr.testing.builders import a_node, a_pod, a_service

ZONE = "topology.kubernetes.io/zone"
AUTO = {"annotations": {"service.kubernetes.io/topology-mode": "Auto"}}


def an_endpoint(zone, *, ready=True, node="n"):
    return Endpoint(addresses=["10.0.0.1"], conditions=EndpointConditions(ready=ready), zone=zone, nodeName=node)


def hints(endpoint):
    found = endpoint.hints
    if found is None:
        return "-"
    return " ".join([*(each.name for each in found.forZones), *(f"node {each.name}" for each in found.forNodes)])


NEAR = {
    "the own zone": ("PreferClose", an_endpoint("a"), "a"),
    "the own zone by its newer name": ("PreferSameZone", an_endpoint("a"), "a"),
    "the own zone and node": ("PreferSameNode", an_endpoint("a"), "a node n"),
    "the own node where no zone is known": ("PreferSameNode", an_endpoint(""), "node n"),
    "nobody where no zone is known": ("PreferClose", an_endpoint(""), "-"),
    "nobody for one that is not ready": ("PreferClose", an_endpoint("a", ready=False), "-"),
    "nobody where nothing is asked for": ("", an_endpoint("a"), "-"),
}


@pytest.mark.parametrize("distribution, endpoint, expected", NEAR.values(), ids=NEAR)
def test_an_endpoint_is_for(distribution, endpoint, expected):
    assert [hints(one) for one in near([endpoint], distribution)] == [expected]


def zoned(name, zone, cpu="4", *, ready=True, **labels):
    node = a_node(name, labels={ZONE: zone} if zone else {} | labels)
    conditions = [NodeCondition(type="Ready", status=str(ready))]
    return replace(node, status=replace(node.status, allocatable={"cpu": cpu}, conditions=conditions))


SHARES = {
    "by the CPU of its nodes": (
        [zoned("1", "a", "1"), zoned("2", "a", "500m"), zoned("3", "b", "4500m")],
        {"a": 0.25, "b": 0.75},
    ),
    "nodes that are not ready have none": (
        [zoned("1", "a"), zoned("2", "b"), zoned("3", "b", ready=False)],
        {"a": 0.5, "b": 0.5},
    ),
    "nobody's where a node has no zone": ([zoned("1", "a"), zoned("2", "b"), zoned("3", "")], {}),
    "nobody's where there is one zone": ([zoned("1", "a")], {}),
    "nobody's where a node tells no CPU": ([zoned("1", "a"), zoned("2", "b", "0")], {}),
}


@pytest.mark.parametrize("nodes, expected", SHARES.values(), ids=SHARES)
def test_a_zones_share_is(nodes, expected):
    assert shares(nodes) == expected


EVEN, UNEVEN = {"a": 0.5, "b": 0.5}, {"a": 0.25, "b": 0.75}
SHARED = {
    "its own zone where that fits": ("aabb", EVEN, "a a b b"),
    "another zone that lacks some": ("aaab", EVEN, "b a a b"),
    "the larger zone": ("aabb", UNEVEN, "b a b b"),
    "more zones than one": ("aaaaaa", {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, "b c b c a a"),
}


@pytest.mark.parametrize("zones, by, expected", SHARED.values(), ids=SHARED)
def test_an_endpoint_that_is_shared_is_for(zones, by, expected):
    ((*found,),) = shared([[an_endpoint(zone) for zone in zones]], [False], by)
    assert " ".join(map(hints, found)) == expected


UNSHARED = {
    "without shares": ("ab", {}, "Insufficient Node information"),
    "with fewer endpoints than zones": ("a", EVEN, r"Insufficient number of endpoints \(1 endpoints, 2 zones\)"),
    "where a share would be overloaded": ("aab", EVEN, "Unable to allocate"),
    "without a zone": (["a", "", "b", "b"], EVEN, "do not have a zone"),
}


@pytest.mark.parametrize("zones, by, why", UNSHARED.values(), ids=UNSHARED)
def test_endpoints_cannot_be_shared(zones, by, why):
    with pytest.raises(Unshared, match=why):
        shared([[an_endpoint(zone) for zone in zones]], [False], by)


def test_hints_that_are_within_the_bounds_stay():
    before = shared([[an_endpoint(zone) for zone in "aaabbb"]], [False], EVEN)
    assert shared(before, [True], {"a": 0.45, "b": 0.55}) == before
    assert shared(before, [True], {"a": 1 / 3, "b": 2 / 3}) != before


def test_a_service_that_asks_for_it_has_its_endpoints_shared_and_is_told():
    nodes = {"n-a": zoned("n-a", "a"), "n-b": zoned("n-b", "b")}
    pods = [a_pod(number, ip=f"10.0.0.{number + 1}", node="n-a") for number in range(4)]
    service = a_service(meta=AUTO)
    told, made = endpoint_slice.plan(service, pods, nodes, [])
    assert str(told).endswith("TopologyAwareHintsEnabled: Topology Aware Hints has been enabled, addressType: IPv4")
    assert [hints(one) for one in made.obj.endpoints] == ["b", "b", "a", "a"]
    slice_ = replace(made.obj, metadata=replace(made.obj.metadata, name="db-1"))
    assert endpoint_slice.plan(service, pods, nodes, [slice_]) == []
    told, changed = endpoint_slice.plan(service, pods, {"n-a": nodes["n-a"]}, [slice_])
    assert isinstance(told, Event)
    assert told.reason == "TopologyAwareHintsDisabled"
    assert {hints(one) for one in changed.obj.endpoints} == {"-"}
