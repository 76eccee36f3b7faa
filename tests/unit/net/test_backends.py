"""Which endpoints a service's port leads to, from where."""

import pytest

from knarr.kinds.types.core_v1 import ServicePort
from knarr.kinds.types.discovery_v1 import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    ForNode,
    ForZone,
)
from knarr.net.backends import View, backends, choose

PORT = ServicePort(name="http", port=80, protocol="TCP")
HERE, THERE, HOST = View("a", "east"), View("b", "west"), View()


def at(ip: str, node: str = "a", state: str = "ready", **hints) -> Endpoint:
    """An endpoint: "ready", "ending" (it serves still), "gone" (it ends and serves no more), "unready" or "unknown"."""
    conditions = {
        "ready": EndpointConditions(ready=True, serving=True, terminating=False),
        "ending": EndpointConditions(ready=False, serving=True, terminating=True),
        "gone": EndpointConditions(ready=False, serving=False, terminating=True),
        "unready": EndpointConditions(ready=False, serving=False, terminating=False),
        "welcome": EndpointConditions(ready=True, serving=False, terminating=False),
        "unknown": None,
    }
    told = EndpointHints(
        forZones=[ForZone(name=name) for name in hints.get("zones", ())],
        forNodes=[ForNode(name=name) for name in hints.get("nodes", ())],
    )
    return Endpoint(addresses=[ip], nodeName=node, conditions=conditions[state], hints=told if hints else None)


def a_slice(*endpoints: Endpoint, name="http", family="IPv4", port=8080) -> EndpointSlice:
    ports = [EndpointPort(name=name, port=port, protocol="TCP")]
    return EndpointSlice(addressType=family, endpoints=list(endpoints), ports=ports)


BOTH = [a_slice(at("1"), at("2", "b"))]
CASES = {
    "ready ones of all nodes": (BOTH, HERE, "1 2", "1"),
    "in order, of all slices, once": ([a_slice(at("2", "b")), a_slice(at("1")), a_slice(at("1"))], HERE, "1 2", "1"),
    "one of another port is none": ([a_slice(at("1"), name="admin")], HERE, "", ""),
    "nor is one of another family": ([a_slice(at("1"), family="IPv6")], HERE, "", ""),
    "nor one without a port": ([a_slice(at("1"), port=None)], HERE, "", ""),
    "nor one whose port is none": ([a_slice(at("1"), port=70000), a_slice(at("2"), port=-1)], HERE, "", ""),
    "nor one that is not ready": ([a_slice(at("1", state="unready"))], HERE, "", ""),
    "what is unknown counts as ready": ([a_slice(at("1", state="unknown"))], HERE, "1", "1"),
    "one that is wanted unready is used": ([a_slice(at("1", state="welcome"))], HERE, "1", "1"),
    "one that ends is not used beside a ready one": ([a_slice(at("1", state="ending"), at("2"))], HERE, "2", "2"),
    "but it is when none is left": ([a_slice(at("1", state="ending"), at("2", "b", "ending"))], HERE, "1 2", "1"),
    "it serves on where it is the last of its node": (
        [a_slice(at("1", state="ending"), at("2", "b"))],
        HERE,
        "2",
        "1",
    ),
    "one that serves no more never": ([a_slice(at("1", state="gone"))], HERE, "", ""),
    "what is elsewhere is not local": ([a_slice(at("2", "b"))], HERE, "2", ""),
    "the host is as near to all": (BOTH, HOST, "1 2", "1 2"),
    "hints for zones are followed": ([a_slice(at("1", zones=["east"]), at("2", "b", zones=["west"]))], THERE, "2", "2"),
    "not where one has none": ([a_slice(at("1"), at("2", "b", zones=["west"]))], THERE, "1 2", "2"),
    "nor where none is for this zone": ([a_slice(at("1", zones=["east"]))], THERE, "1", ""),
    "hints for nodes come first": (
        [a_slice(at("1", nodes=["a"], zones=["west"]), at("2", "b", nodes=["b"], zones=["east"]))],
        HERE,
        "1",
        "1",
    ),
    "the host has no zone and no node": (
        [a_slice(at("1", zones=["east"]), at("2", zones=["west"]))],
        HOST,
        "1 2",
        "1 2",
    ),
}


@pytest.mark.parametrize("slices, view, cluster, local", CASES.values(), ids=CASES)
def test_choose(slices, view, cluster, local):
    choice = choose(backends(slices, PORT), view)
    assert " ".join(one.ip for one in choice.cluster) == cluster
    assert " ".join(one.ip for one in choice.local) == local
    assert choice.any is bool(cluster)
