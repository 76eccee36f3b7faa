"""Where a service's address leads, as rules."""

import pytest

from knarr.kinds.types.core_v1 import Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net.ruleset import endpoints, ruleset, spread


def a_service(name="web", ip="10.96.0.20", **spec) -> Service:
    given = {"clusterIP": ip, "ports": [ServicePort(name="http", port=80, protocol="TCP")], **spec}
    return Service(metadata=ObjectMeta(name=name, namespace="default"), spec=ServiceSpec(**given))


def a_slice(*ips: str, ready: bool | None = True, service="web", port=8080, name="http") -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name="x", namespace="default", labels={"kubernetes.io/service-name": service}),
        addressType="IPv4",
        endpoints=[Endpoint(addresses=[ip], conditions=EndpointConditions(ready=ready)) for ip in ips],
        ports=[EndpointPort(name=name, port=port, protocol="TCP")],
    )


PORT = ServicePort(name="http", port=80, protocol="TCP")
ENDPOINTS = {
    "ready ones, in order": ([a_slice("10.0.0.3", "10.0.0.2")], [("10.0.0.2", 8080), ("10.0.0.3", 8080)]),
    "of all slices, once": ([a_slice("10.0.0.2"), a_slice("10.0.0.2")], [("10.0.0.2", 8080)]),
    "not those that are not ready": ([a_slice("10.0.0.2", ready=False)], []),
    "nor those of another port": ([a_slice("10.0.0.2", name="admin")], []),
}


@pytest.mark.parametrize(("slices", "expected"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_endpoints(slices, expected):
    assert endpoints(slices, PORT) == expected


TWO = [("10.0.0.2", 8080), ("10.0.0.3", 8080)]
SPREADS = {
    "one place": (TWO[:1], False, "meta l4proto tcp dnat to 10.0.0.2:8080"),
    "by chance": (
        TWO,
        False,
        "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.0.0.2 . 8080, 1 : 10.0.0.3 . 8080 }",
    ),
    "by client": (
        TWO,
        True,
        "meta l4proto tcp dnat ip to jhash ip saddr mod 2 map { 0 : 10.0.0.2 . 8080, 1 : 10.0.0.3 . 8080 }",
    ),
}


@pytest.mark.parametrize(("places", "sticky", "expected"), SPREADS.values(), ids=SPREADS)
def test_spread(places, sticky, expected):
    assert spread(places, "tcp", sticky=sticky) == expected


LEADS = "10.96.0.20 . tcp . 80 : goto to-default-web-tcp-80"
REFUSED = "elements = { 10.96.0.20 . tcp . 80 }"
NODE_PORT = "tcp . 30080 : goto to-default-web-tcp-80"
WITH_NODE_PORT = a_service(ports=[ServicePort(name="http", port=80, protocol="TCP", nodePort=30080)])
TEXTS = {
    "an address with endpoints leads to them": ((a_service(), a_slice("10.0.0.2")), {}, LEADS, True),
    "one without is refused": ((a_service(), a_slice()), {}, REFUSED, True),
    "the machine's own are left alone": ((a_service(), a_slice()), {"local": ["10.96.0.20"]}, "10.96.0.20", False),
    "with endpoints too": ((a_service(), a_slice("10.0.0.2")), {"local": ["10.96.0.20"]}, "to-default-web", False),
    "a headless service has no rule": ((a_service(ip="None"), a_slice("10.0.0.2")), {}, "to-default-web", False),
    "nor has an external name": ((a_service(ip="", type="ExternalName"), a_slice()), {}, "to-default-web", False),
    "a node port leads to the same place": ((WITH_NODE_PORT, a_slice("10.0.0.2")), {}, NODE_PORT, True),
    "but not on the host": ((WITH_NODE_PORT, a_slice("10.0.0.2")), {"node_ports": False}, "30080", False),
    "a pod that reaches itself is disguised": ((a_service(), a_slice("10.0.0.2")), {}, "10.0.0.2 . 10.0.0.2", True),
}


@pytest.mark.parametrize(("objects", "options", "piece", "there"), TEXTS.values(), ids=TEXTS)
def test_ruleset(objects, options, piece, there):
    service, slice_ = objects
    assert (piece in ruleset([service], [slice_], **options)) is there


def test_the_table_is_replaced_as_a_whole():
    assert ruleset([], [], table="knarr3").startswith("table ip knarr3 {}\ndelete table ip knarr3\ntable ip knarr3 {\n")
