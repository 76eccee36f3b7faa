"""Where a service's addresses and ports lead, as rules."""

from zlib import crc32

import pytest
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import (
    ClientIPConfig,
    LoadBalancerIngress,
    LoadBalancerStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
    SessionAffinityConfig,
)
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net.backends import Backend, View
from knarr.net.base_rules import base
from knarr.net.families import SIX
from knarr.net.ruleset import Ground, by_chance, marks, outer_addresses, part

NODE, HOST = View("a", "", "10.244.0.0/24"), View()


def a_service(ip="10.96.0.20", node_port=None, given=(), **spec) -> Service:
    port = ServicePort(name="http", port=80, protocol="TCP", nodePort=node_port)
    wanted = {"type": "ClusterIP", "clusterIP": ip, "ports": [port], **spec}
    ingress = [LoadBalancerIngress(ip=each, ipMode="VIP") for each in given]
    status = ServiceStatus(loadBalancer=LoadBalancerStatus(ingress=ingress))
    return Service(metadata=ObjectMeta(name="web", namespace="default"), spec=ServiceSpec(**wanted), status=status)


def labelled(service: Service) -> Service:
    labels = {"service.kubernetes.io/service-proxy-name": "mesh"}
    return replace(service, metadata=replace(service.metadata, labels=labels))


def a_slice(*places: str) -> EndpointSlice:
    """Endpoints as "10.0.0.2@a"."""
    ready = EndpointConditions(ready=True)
    pairs = [place.split("@") for place in places]
    return EndpointSlice(
        addressType="IPv4",
        endpoints=[Endpoint(addresses=[ip], nodeName=node, conditions=ready) for ip, node in pairs],
        ports=[EndpointPort(name="http", port=8080, protocol="TCP")],
    )


def elements(made) -> dict[str, str]:
    """What leads where, and who is there."""
    return {f"{into} {key}": goal for (into, key), goal in made.elements.items() if into != "hairpin"}


OUTSIDE = {"type": "NodePort", "node_port": 30080}
LOCAL = {"externalTrafficPolicy": "Local"}
BALANCED = {"type": "LoadBalancer", "node_port": 30080, "given": ["172.30.0.200"]}
INNER, OUTER = "services 10.96.0.20 . 6 . 80", "node-ports 6 . 30080"
BALANCER = "services 172.30.0.200 . 6 . 80"
EXTERNAL = "goto external/default/web/tcp/80"
THERE = {INNER: "goto spread-1", "end-0 10.96.0.20 . 6 . 80": "10.0.0.2 . 8080"}
ONE, OTHER = a_slice("10.0.0.2@a"), a_slice("10.0.0.2@b")
LEADS = {
    "an address with endpoints leads to them": (a_service(), ONE, NODE, THERE),
    "one without is refused with the rest of the range": (a_service(), a_slice(), NODE, {}),
    "a headless service has no rules": (a_service("None"), ONE, NODE, {}),
    "nor has another name": (a_service("", type="ExternalName"), ONE, NODE, {}),
    "nor one that another proxy serves": (
        labelled(a_service(type="LoadBalancer", node_port=30080, given=["172.30.0.200"])),
        ONE,
        NODE,
        {},
    ),
    "traffic from inside stays on the node where that is wanted": (
        a_service(internalTrafficPolicy="Local"),
        ONE,
        NODE,
        THERE,
    ),
    "and is dropped where the node has no endpoint": (
        a_service(internalTrafficPolicy="Local"),
        OTHER,
        NODE,
        {"refused 10.96.0.20 . 6 . 80": "drop"},
    ),
    "the host has all endpoints at hand": (
        a_service(internalTrafficPolicy="Local"),
        OTHER,
        HOST,
        THERE,
    ),
    "a node port leads in": (a_service(**OUTSIDE), ONE, NODE, {**THERE, OUTER: EXTERNAL}),
    "but not on the host": (a_service(**OUTSIDE), ONE, HOST, THERE),
    "without endpoints it is refused": (
        a_service(**OUTSIDE),
        a_slice(),
        NODE,
        {"refused-node-ports 6 . 30080": "goto refuse"},
    ),
    "under Local it is dropped on a node without endpoints, but for the node's own": (
        a_service(**OUTSIDE, **LOCAL),
        OTHER,
        NODE,
        {**THERE, OUTER: EXTERNAL, "refused-node-ports 6 . 30080": "drop"},
    ),
    "a balancer's address leads in": (
        a_service(**BALANCED),
        ONE,
        NODE,
        {**THERE, OUTER: EXTERNAL, BALANCER: EXTERNAL},
    ),
    "on the host too": (a_service(**BALANCED), ONE, HOST, {**THERE, BALANCER: EXTERNAL}),
    "who is not in its ranges is turned away first": (
        a_service(**BALANCED, loadBalancerSourceRanges=["10.9.0.0/16"]),
        ONE,
        HOST,
        {**THERE, BALANCER: EXTERNAL, "guarded 172.30.0.200 . 6 . 80": "goto guard/default/web/tcp/80"},
    ),
    "an external address leads in": (
        a_service(externalIPs=["192.0.2.7"]),
        ONE,
        NODE,
        {**THERE, "services 192.0.2.7 . 6 . 80": EXTERNAL},
    ),
    "one that is not this place's to answer does not": (
        a_service(externalIPs=["8.8.8.8"]),
        ONE,
        NODE,
        THERE,
    ),
}
ENTERED = {
    "10.9.0.0/16": "10.9.0.0/16",
    " 10.9.0.0/016": "10.9.0.0/16",
    "10.9.0.7/16": "10.9.0.0/16",
}


@pytest.mark.parametrize("given, shown", ENTERED.items(), ids=ENTERED)
def test_a_source_range_is_written_as_nft_reads_it(given, shown):
    made = part(a_service(**BALANCED, loadBalancerSourceRanges=[given]), [ONE], HOST, Ground())
    assert made.chains["guard/default/web/tcp/80"] == (f"ip saddr != {{ {shown} }} drop",)


GROUND = Ground(outer=lambda ip: ip != "8.8.8.8")


@pytest.mark.parametrize("service, slice_, view, expected", LEADS.values(), ids=LEADS)
def test_what_leads_where(service, slice_, view, expected):
    assert elements(part(service, [slice_], view, GROUND)) == expected


def rules(service, slice_, view=NODE) -> dict[str, tuple[str, ...]]:
    made = part(service, [slice_], view, Ground())
    return {name.partition("/")[0]: found for name, found in made.chains.items() if name.count("/") == 4}


HERE = "meta l4proto tcp dnat to 10.0.0.2:8080"
MARKED = "meta mark set meta mark or 0x4000"
ENTRANCES = {
    "from outside comes back through the node": (
        a_service(**OUTSIDE),
        NODE,
        (MARKED, "goto cluster/default/web/tcp/80"),
    ),
    "under Local the client's address is kept": (
        a_service(**OUTSIDE, **LOCAL),
        NODE,
        (
            "ip saddr 10.244.0.0/24 goto cluster/default/web/tcp/80",
            f"fib saddr type local {MARKED}",
            "fib saddr type local goto cluster/default/web/tcp/80",
            "goto local/default/web/tcp/80",
        ),
    ),
    "on the host there is nothing to disguise": (a_service(**BALANCED), HOST, ("goto cluster/default/web/tcp/80",)),
}


@pytest.mark.parametrize("service, view, expected", ENTRANCES.values(), ids=ENTRANCES)
def test_the_entrance_from_outside(service, view, expected):
    assert rules(service, ONE, view)["external"] == expected


def test_a_client_is_known_for_the_time_that_was_asked_for():
    config = SessionAffinityConfig(clientIP=ClientIPConfig(timeoutSeconds=60))
    service = a_service(sessionAffinity="ClientIP", sessionAffinityConfig=config)
    made = part(service, [a_slice("10.0.0.2@a", "10.0.0.3@b")], NODE, Ground())
    first, second = (f"{crc32(f'10.0.0.{n} 8080'.encode()):#x}" for n in (2, 3))
    clients, ends = "clients/default/web/tcp/80/60", "ends/cluster/default/web/tcp/80"
    assert made.maps == {
        clients: "type ipv4_addr : mark; size 262144; flags dynamic,timeout; timeout 60s",
        ends: "type mark : ipv4_addr . inet_service",
    }
    assert made.chains == {
        "cluster/default/web/tcp/80": (
            f"ct mark set ip saddr map @{clients} update @{clients} {{ ip saddr : ct mark }}"
            f" meta l4proto tcp dnat ip to ct mark map @{ends}",
            f"delete @{clients} {{ ip saddr : ct mark }}",
            f"ct mark set numgen random mod 2 map {{ 0 : {first}, 1 : {second} }}",
            f"update @{clients} {{ ip saddr : ct mark }}",
            f"meta l4proto tcp dnat ip to ct mark map @{ends}",
        )
    }
    assert elements(made) == {
        INNER: "goto cluster/default/web/tcp/80",
        f"{ends} {first}": "10.0.0.2 . 8080",
        f"{ends} {second}": "10.0.0.3 . 8080",
    }


def test_an_endpoint_keeps_its_mark_whoever_comes_and_goes():
    three = [Backend(f"10.0.0.{n}", 8080) for n in (2, 3, 4)]
    assert {one: mark for mark, one in marks(three[1:]).items()}.items() <= {
        (one, mark) for mark, one in marks(three).items()
    }


def test_no_two_endpoints_have_the_same_mark(monkeypatch):
    monkeypatch.setattr("knarr.net.ruleset.crc32", lambda data: (1 << 32) - 1)
    assert list(marks(Backend(f"10.0.0.{n}", 8080) for n in range(3))) == [(1 << 32) - 1, 0, 1]


def test_a_few_endpoints_stand_in_maps_and_many_in_a_chain():
    few = part(a_service(), [a_slice(*(f"10.0.0.{n}@a" for n in range(1, 9)))], NODE, Ground())
    assert few.chains == {}
    assert few.elements["services", "10.96.0.20 . 6 . 80"] == "goto spread-8"
    assert few.elements["end-7", "10.96.0.20 . 6 . 80"] == "10.0.0.8 . 8080"
    many = part(a_service(), [a_slice(*(f"10.0.0.{n}@a" for n in range(1, 10)))], NODE, Ground())
    assert many.elements["services", "10.96.0.20 . 6 . 80"] == "goto cluster/default/web/tcp/80"
    assert "numgen random mod 9 map" in many.chains["cluster/default/web/tcp/80"][0]


def test_what_nobody_has_in_the_range_is_refused_but_for_what_others_answer():
    assert "ip daddr 10.96.0.0/16 ip daddr != { 10.96.0.1, 10.96.0.10 } goto refuse" in base(
        "10.96.0.0/16", ["10.96.0.1", "10.96.0.10"]
    )


def test_a_pod_that_reaches_itself_is_disguised():
    assert part(a_service(), [ONE], NODE, Ground()).elements["hairpin", "10.0.0.2 . 10.0.0.2"] == ""


def test_the_machines_own_addresses_are_left_alone():
    assert part(a_service(), [ONE], NODE, Ground(inner=lambda ip: False)).elements == {}


def test_balanced_and_external_addresses_are_outer_ones_once():
    service = a_service(**BALANCED, externalIPs=["192.0.2.7", "172.30.0.200", "fd00::1"])
    assert outer_addresses(service) == ["192.0.2.7", "172.30.0.200"]


TWO = [("10.0.0.2", 8080), ("10.0.0.3", 8080)]
SPREADS = {
    "one place": (TWO[:1], HERE),
    "by chance": (
        TWO,
        "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.0.0.2 . 8080, 1 : 10.0.0.3 . 8080 }",
    ),
}


@pytest.mark.parametrize("places, expected", SPREADS.values(), ids=SPREADS)
def test_by_chance(places, expected):
    assert by_chance(places, "tcp") == expected


SIX_NODE = View("a", "", "fd00:10:244::/64", SIX)


def six(*places: str) -> EndpointSlice:
    return replace(a_slice(*places), addressType="IPv6")


BOTH = {"clusterIPs": ["10.96.0.20", "fd00:10:96::20"]}
SIXES = {
    "each table has the addresses and the endpoints of its own family": (
        a_service(**BOTH),
        {
            "services fd00:10:96::20 . 6 . 80": "goto spread-1",
            "end-0 fd00:10:96::20 . 6 . 80": "fd00:10:244::2 . 8080",
        },
    ),
    "an address has one form, however it is written": (
        a_service("FD00:10:96:0::20", clusterIPs=["FD00:10:96:0::20"]),
        {
            "services fd00:10:96::20 . 6 . 80": "goto spread-1",
            "end-0 fd00:10:96::20 . 6 . 80": "fd00:10:244::2 . 8080",
        },
    ),
    "an external address is one of its family": (
        a_service(externalIPs=["192.0.2.7", "2001:DB8::7"]),
        {"services 2001:db8::7 . 6 . 80": EXTERNAL},
    ),
    "a service of IPv4 alone has nothing": (a_service(), {}),
}


@pytest.mark.parametrize("service, expected", SIXES.values(), ids=SIXES)
def test_what_a_service_is_in_the_table_of_ipv6(service, expected):
    slices = [six("FD00:10:244::2@a"), ONE]
    assert elements(part(service, slices, SIX_NODE, Ground())) == expected


def test_what_ipv6_is_written_like():
    service = a_service(clusterIPs=["fd00:10:96::20"], sessionAffinity="ClientIP")
    made = part(service, [six("fd00:10:244::2@a")], SIX_NODE, Ground())
    clients, ends = "clients/default/web/tcp/80/10800", "ends/cluster/default/web/tcp/80"
    assert made.chains["cluster/default/web/tcp/80"][::4] == (
        f"ct mark set ip6 saddr map @{clients} update @{clients} {{ ip6 saddr : ct mark }}"
        f" meta l4proto tcp dnat ip6 to ct mark map @{ends}",
        f"meta l4proto tcp dnat ip6 to ct mark map @{ends}",
    )
    assert made.maps[ends] == "type mark : ipv6_addr . inet_service"
    assert made.maps[clients].startswith("type ipv6_addr : mark; ")
    assert by_chance([("fd00::2", 80), ("fd00::3", 80)], "udp", SIX) == (
        "meta l4proto udp dnat ip6 to numgen random mod 2 map { 0 : fd00::2 . 80, 1 : fd00::3 . 80 }"
    )
    outside = a_service(clusterIPs=["fd00:10:96::20"], type="NodePort", node_port=30080, externalTrafficPolicy="Local")
    entrance = part(outside, [six("fd00:10:244::2@a")], SIX_NODE, Ground()).chains["external/default/web/tcp/80"]
    assert entrance[0] == "ip6 saddr fd00:10:244::/64 goto cluster/default/web/tcp/80"
    text = base("fd00:10:96::/112", [], SIX)
    assert "    ip6 daddr fd00:10:96::/112 goto refuse\n" in text
    assert "ip daddr" not in text
