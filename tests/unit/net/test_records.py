"""Which names a service gives the cluster."""

import pytest

from knarr.kinds.types.core_v1 import Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net.records import Record, records

BASE = "kubia.default.svc.cluster.local"


def a_service(name: str = "kubia", ip: str = "None", **spec) -> Service:
    ports = [ServicePort(name="http", port=80, protocol="TCP")]
    return Service(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=ServiceSpec(**{"clusterIP": ip, "ports": ports, **spec}),
    )


def a_slice(*endpoints: Endpoint, service: str = "kubia", ports=None) -> EndpointSlice:
    labels = {"kubernetes.io/service-name": service}
    return EndpointSlice(
        metadata=ObjectMeta(name=f"{service}-x", namespace="default", labels=labels),
        addressType="IPv4",
        endpoints=list(endpoints),
        ports=[EndpointPort(name="http", port=8080, protocol="TCP")] if ports is None else ports,
    )


def an_endpoint(ip: str, host: str | None = None, ready: bool | None = True) -> Endpoint:
    return Endpoint(addresses=[ip], hostname=host, conditions=EndpointConditions(ready=ready))


HEADLESS = [a_service()], [a_slice(an_endpoint("10.244.0.2", "kubia-0"), an_endpoint("10.244.1.3", "kubia-1"))]
CLUSTERED = [a_service(ip="10.96.0.20")], [a_slice(an_endpoint("10.244.0.2"))]

CASES = {
    "a service with an address is that address": (CLUSTERED, BASE, "A", ["10.96.0.20"]),
    "its named port points at the service itself": (CLUSTERED, f"_http._tcp.{BASE}", "SRV", [f"{BASE}:80/100"]),
    "its address leads back to it": (CLUSTERED, "20.0.96.10.in-addr.arpa", "PTR", [BASE]),
    "a headless service is its ready endpoints": (HEADLESS, BASE, "A", ["10.244.0.2", "10.244.1.3"]),
    "an endpoint has its hostname below the service": (HEADLESS, f"kubia-1.{BASE}", "A", ["10.244.1.3"]),
    "SRV of a headless service points at each pod, weights shared": (
        HEADLESS,
        f"_http._tcp.{BASE}",
        "SRV",
        [f"kubia-0.{BASE}:8080/50", f"kubia-1.{BASE}:8080/50"],
    ),
    "SRV of the bare name has every port": (
        HEADLESS,
        BASE,
        "SRV",
        [f"kubia-0.{BASE}:8080/50", f"kubia-1.{BASE}:8080/50"],
    ),
    "a pod's address leads back to its name": (HEADLESS, "3.1.244.10.in-addr.arpa", "PTR", [f"kubia-1.{BASE}"]),
    "an endpoint without hostname has its address with dashes": (
        ([a_service()], [a_slice(an_endpoint("10.244.0.9"))]),
        f"10-244-0-9.{BASE}",
        "A",
        ["10.244.0.9"],
    ),
    "and no reverse name": (
        ([a_service()], [a_slice(an_endpoint("10.244.0.9"))]),
        "9.0.244.10.in-addr.arpa",
        "PTR",
        None,
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
    "a name that only has names below it exists": (HEADLESS, "default.svc.cluster.local", "A", []),
    "so does the protocol of a port": (HEADLESS, f"_tcp.{BASE}", "A", []),
    "a service that was never made does not exist": (HEADLESS, "other.default.svc.cluster.local", "A", None),
    "nor does a namespace without services": (HEADLESS, "kubia.other.svc.cluster.local", "A", None),
    "any address has a name in the pod domain": (HEADLESS, "10-1-2-3.default.pod.cluster.local", "A", ["10.1.2.3"]),
    "but only an address": (HEADLESS, "10-1-2-300.default.pod.cluster.local", "A", None),
    "the version of the schema is there": (HEADLESS, "dns-version.cluster.local", "TXT", ["1.1.0"]),
}


def shown(record: Record) -> str:
    return f"{record.value}:{record.port}/{record.weight}" if record.kind == "SRV" else record.value


@pytest.mark.parametrize(("state", "name", "kind", "expected"), CASES.values(), ids=CASES)
def test_a_name_has(state, name, kind, expected):
    found = records(*state).find(name)
    assert (None if found is None else [shown(record) for record in found if record.kind == kind]) == expected


def test_a_replaced_service_leaves_nothing_behind():
    table = records(*HEADLESS)
    table.replace(("default", "kubia"), {})
    assert table.find(f"kubia-0.{BASE}") is None
    assert table.find("default.svc.cluster.local") is None
    assert table.find("cluster.local") == ()
