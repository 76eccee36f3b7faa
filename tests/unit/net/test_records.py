"""Which names a service gives the cluster."""

import pytest

from knarr.kinds.types.core_v1 import Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net.records import Record, records, reverse, slice_names, unreversed

BASE = "kubia.default.svc.cluster.local"


def a_service(name: str = "kubia", ip: str = "None", **spec) -> Service:
    ports = [ServicePort(name="http", port=80, protocol="TCP")]
    return Service(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=ServiceSpec(**{"clusterIP": ip, "ports": ports, **spec}),
    )


def a_slice(*endpoints: Endpoint, service: str = "kubia", ports=None, kind: str = "IPv4") -> EndpointSlice:
    labels = {"kubernetes.io/service-name": service}
    return EndpointSlice(
        metadata=ObjectMeta(name=f"{service}-x", namespace="default", labels=labels),
        addressType=kind,
        endpoints=list(endpoints),
        ports=[EndpointPort(name="http", port=8080, protocol="TCP")] if ports is None else ports,
    )


def an_endpoint(ip: str, host: str | None = None, ready: bool | None = True) -> Endpoint:
    return Endpoint(addresses=[ip], hostname=host, conditions=EndpointConditions(ready=ready))


HEADLESS = [a_service()], [a_slice(an_endpoint("10.244.0.2", "kubia-0"), an_endpoint("10.244.1.3", "kubia-1"))]
CLUSTERED = [a_service(ip="10.96.0.20")], [a_slice(an_endpoint("10.244.0.2"))]
DUAL = [a_service(ip="10.96.0.20", clusterIPs=["10.96.0.20", "fd00::20"])], []
DUAL_HEADLESS = [a_service()], [a_slice(an_endpoint("fd00::2"), kind="IPv6")]

CASES = {
    "a service with an address is that address": (CLUSTERED, BASE, "A", ["10.96.0.20"]),
    "its named port points at the service itself": (CLUSTERED, f"_http._tcp.{BASE}", "SRV", [f"{BASE}:80"]),
    "its address leads back to it": (CLUSTERED, "20.0.96.10.in-addr.arpa", "PTR", [BASE]),
    "a headless service is its ready endpoints": (HEADLESS, BASE, "A", ["10.244.0.2", "10.244.1.3"]),
    "an endpoint has its hostname below the service": (HEADLESS, f"kubia-1.{BASE}", "A", ["10.244.1.3"]),
    "SRV of a headless service points at each pod": (
        HEADLESS,
        f"_http._tcp.{BASE}",
        "SRV",
        [f"kubia-0.{BASE}:8080", f"kubia-1.{BASE}:8080"],
    ),
    "SRV of the bare name has every port": (
        HEADLESS,
        BASE,
        "SRV",
        [f"kubia-0.{BASE}:8080", f"kubia-1.{BASE}:8080"],
    ),
    "a pod's address leads back to its name": (HEADLESS, "3.1.244.10.in-addr.arpa", "PTR", [f"kubia-1.{BASE}"]),
    "an endpoint without hostname has its address with dashes": (
        ([a_service()], [a_slice(an_endpoint("10.244.0.9"))]),
        f"10-244-0-9.{BASE}",
        "A",
        ["10.244.0.9"],
    ),
    "which its address leads back to": (
        ([a_service()], [a_slice(an_endpoint("10.244.0.9"))]),
        "9.0.244.10.in-addr.arpa",
        "PTR",
        [f"10-244-0-9.{BASE}"],
    ),
    "an endpoint that is not ready is not there": (
        ([a_service()], [a_slice(an_endpoint("10.244.0.2", "kubia-0", ready=False))]),
        f"kubia-0.{BASE}",
        "A",
        None,
    ),
    "a headless service without ready endpoints does not exist": (
        ([a_service()], [a_slice(an_endpoint("10.244.0.2", "kubia-0", ready=False))]),
        BASE,
        "A",
        None,
    ),
    "readiness that is not known counts as ready": (
        ([a_service()], [a_slice(an_endpoint("10.244.0.2", "kubia-0", ready=None))]),
        BASE,
        "A",
        ["10.244.0.2"],
    ),
    "a headless service without ports has addresses and no SRV": (
        ([a_service(ports=[])], [a_slice(an_endpoint("10.244.0.2", "kubia-0"), ports=[])]),
        BASE,
        "SRV",
        [],
    ),
    "an external name is an alias": (
        ([a_service(ip="", type="ExternalName", externalName="Example.org.", ports=[])], []),
        BASE,
        "CNAME",
        ["example.org"],
    ),
    "an external name that is an address is no alias, and nothing else": (
        ([a_service(ip="", type="ExternalName", externalName="192.0.2.1", ports=[])], []),
        BASE,
        "A",
        None,
    ),
    "an external name has no endpoints": (
        (
            [a_service(ip="", type="ExternalName", externalName="example.org")],
            [a_slice(an_endpoint("10.244.0.2", "a"))],
        ),
        f"a.{BASE}",
        "A",
        None,
    ),
    "a service of two families has both addresses": (DUAL, BASE, "AAAA", ["fd00::20"]),
    "its address of IPv6 leads back to it": (
        DUAL,
        "0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
        "PTR",
        [BASE],
    ),
    "an endpoint of IPv6 is a member of a headless service": (DUAL_HEADLESS, BASE, "AAAA", ["fd00::2"]),
    "an endpoint of IPv6 without hostname has its address with dashes": (
        DUAL_HEADLESS,
        f"fd00--2.{BASE}",
        "AAAA",
        ["fd00::2"],
    ),
    "an endpoint that is a name is none": (
        ([a_service()], [a_slice(an_endpoint("example.org"), kind="FQDN")]),
        BASE,
        "A",
        None,
    ),
    "a port that carries UDP is below _udp": (
        ([a_service(ip="10.96.0.20", ports=[ServicePort(name="dns", port=53, protocol="UDP")])], []),
        f"_dns._udp.{BASE}",
        "SRV",
        [f"{BASE}:53"],
    ),
    "a port without a name is only below the service itself": (
        ([a_service(ip="10.96.0.20", ports=[ServicePort(port=80)])], []),
        BASE,
        "SRV",
        [f"{BASE}:80"],
    ),
    "a service that got no address yet does not exist": (([a_service(ip="")], []), BASE, "A", None),
    "a namespace exists, without a record": (HEADLESS, "default.svc.cluster.local", "A", []),
    "so does its pod domain": (HEADLESS, "default.pod.cluster.local", "A", []),
    "and what namespaces are below": (HEADLESS, "svc.cluster.local", "A", []),
    "the name server has the address of its service": (
        (
            [
                Service(
                    metadata=ObjectMeta(name="kube-dns", namespace="kube-system"),
                    spec=ServiceSpec(clusterIP="10.96.0.10"),
                )
            ],
            [],
        ),
        "ns.dns.cluster.local",
        "A",
        ["10.96.0.10"],
    ),
    "an address of IPv6 has a name in the pod domain": (
        HEADLESS,
        "fd00--7.default.pod.cluster.local",
        "AAAA",
        ["fd00::7"],
    ),
    "a pod domain of no namespace is empty": (HEADLESS, "10-1-2-3.nowhere.pod.cluster.local", "A", None),
    "a name in the pod domain is an address without leading zeros": (
        HEADLESS,
        "010-1-2-3.default.pod.cluster.local",
        "A",
        None,
    ),
    "an address with a link's name is none": (HEADLESS, "fe80--1%eth0.default.pod.cluster.local", "AAAA", None),
    "so does the protocol of a port": (HEADLESS, f"_tcp.{BASE}", "A", []),
    "a service that was never made does not exist": (HEADLESS, "other.default.svc.cluster.local", "A", None),
    "nor does a namespace without services": (HEADLESS, "kubia.other.svc.cluster.local", "A", None),
    "any address has a name in the pod domain": (HEADLESS, "10-1-2-3.default.pod.cluster.local", "A", ["10.1.2.3"]),
    "but only an address": (HEADLESS, "10-1-2-300.default.pod.cluster.local", "A", None),
    "the version of the schema is there": (HEADLESS, "dns-version.cluster.local", "TXT", ["1.1.0"]),
}


def shown(record: Record) -> str:
    return f"{record.value}:{record.port}" if record.kind == "SRV" else record.value


@pytest.mark.parametrize(("state", "name", "kind", "expected"), CASES.values(), ids=CASES)
def test_a_name_has(state, name, kind, expected):
    found = records(*state).find(name)
    assert (None if found is None else [shown(record) for record in found if record.kind == kind]) == expected


def test_a_service_that_is_dropped_leaves_nothing_behind():
    table = records(*HEADLESS)
    table.drop(("default", "kubia"))
    assert table.find(f"kubia-0.{BASE}") is None
    assert table.find(BASE) is None
    assert table.find("2.0.244.10.in-addr.arpa") is None
    assert table.find("cluster.local") == []


def test_a_slice_that_is_replaced_leaves_the_others_alone():
    service = a_service()
    table = records([service], [a_slice(an_endpoint("10.244.0.2", "kubia-0"))])
    other = a_slice(an_endpoint("10.244.0.3", "kubia-1"))
    table.replace(("default", "kubia", "second"), slice_names(service, other, table.zone))
    assert [record.value for record in table.find(BASE) if record.kind == "A"] == ["10.244.0.2", "10.244.0.3"]
    table.replace(("default", "kubia", "kubia-x"), {})
    assert [record.value for record in table.find(BASE) if record.kind == "A"] == ["10.244.0.3"]
    assert table.find(f"kubia-0.{BASE}") is None


@pytest.mark.parametrize("ip", ["10.244.0.9", "fd00::7", "192.0.2.255", "::1"])
def test_a_reverse_name_says_its_address(ip):
    assert unreversed(reverse(ip)) == ip


@pytest.mark.parametrize("name", ["1.2.3.in-addr.arpa", "256.0.0.1.in-addr.arpa", "a.b.c.d.in-addr.arpa", "1.ip6.arpa"])
def test_no_other_name_does(name):
    assert unreversed(name) == ""
