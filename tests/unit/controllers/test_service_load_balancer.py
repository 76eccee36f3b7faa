"""Addresses for load balancers: who gets which, who waits, who loses his."""

import pytest

from knarr.controllers.service_load_balancer import Pool, plan
from knarr.kinds.types.core_v1 import LoadBalancerIngress, LoadBalancerStatus, Service, ServiceSpec, ServiceStatus
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

POOL = Pool("192.0.2.8/30", ["192.0.2.8/30"])


def a_service(name="web", has="", made="2026-01-01T00:00:00Z", **spec) -> Service:
    ingress = [LoadBalancerIngress(ip=has, ipMode="VIP")] if has else []
    return Service(
        metadata=ObjectMeta(name=name, namespace="default", creationTimestamp=made),
        spec=ServiceSpec(**{"type": "LoadBalancer", **spec}),
        status=ServiceStatus(loadBalancer=LoadBalancerStatus(ingress=ingress)),
    )


def others(*addresses: str) -> list[Service]:
    return [a_service(f"other-{n}", ip, "2025-01-01T00:00:00Z") for n, ip in enumerate(addresses)]


ENSURED = [
    "event on service web: EnsuringLoadBalancer: Ensuring load balancer",
    "patch status of service web: address {}",
    "event on service web: EnsuredLoadBalancer: Ensured load balancer",
]
FAILED = "event on service web: SyncLoadBalancerFailed: Error syncing load balancer: failed to ensure load balancer: "
FULL, TAKEN = "all addresses of 192.0.2.8/30 are in use", "requested address 192.0.2.9 is in use by another service"
SIX = "the cluster's balancers have no addresses of IPv6"
FAR = "requested address 10.0.0.1 is not within 192.0.2.8/30"
CASES = {
    "the first that is free": (a_service(), others("192.0.2.8"), [line.format("192.0.2.9") for line in ENSURED]),
    "one who has his is content": (a_service(has="192.0.2.10"), [], []),
    "one of IPv6 alone waits": (
        a_service(ipFamilies=["IPv6"]),
        [],
        [FAILED + SIX, f"wait for web: {SIX}"],
    ),
    "one of both families has one of IPv4": (
        a_service(ipFamilies=["IPv6", "IPv4"]),
        [],
        [line.format("192.0.2.8") for line in ENSURED],
    ),
    "a wish is met": (a_service(loadBalancerIP="192.0.2.9"), [], [line.format("192.0.2.9") for line in ENSURED]),
    "a wish for what another has waits": (
        a_service(loadBalancerIP="192.0.2.9"),
        others("192.0.2.9"),
        [FAILED + TAKEN, f"wait for web: {TAKEN}"],
    ),
    "a wish for what is not there waits": (
        a_service(loadBalancerIP="10.0.0.1"),
        [],
        [FAILED + FAR, f"wait for web: {FAR}"],
    ),
    "a changed wish is followed": (
        a_service(has="192.0.2.10", loadBalancerIP="192.0.2.9"),
        [],
        [line.format("192.0.2.9") for line in ENSURED],
    ),
    "what is not there any more is replaced": (
        a_service(has="10.9.9.9"),
        [],
        [line.format("192.0.2.8") for line in ENSURED],
    ),
    "of two who have the same the younger gets another": (
        a_service(has="192.0.2.8"),
        others("192.0.2.8"),
        [line.format("192.0.2.9") for line in ENSURED],
    ),
    "the older keeps it": (a_service(has="192.0.2.8", made="2024-01-01T00:00:00Z"), others("192.0.2.8"), []),
    "nothing is left": (
        a_service(),
        others("192.0.2.8", "192.0.2.9", "192.0.2.10", "192.0.2.11"),
        [FAILED + FULL, f"wait for web: {FULL}"],
    ),
    "another class is another's": (a_service(loadBalancerClass="example.com/lb"), [], []),
    "one that is no balancer any more gives it back": (
        a_service(has="192.0.2.8", type="ClusterIP"),
        [],
        [
            "event on service web: DeletingLoadBalancer: Deleting load balancer",
            "patch status of service web: no address",
            "event on service web: DeletedLoadBalancer: Deleted load balancer",
        ],
    ),
}


@pytest.mark.parametrize("service, rest, steps", CASES.values(), ids=CASES)
def test_plan(service, rest, steps):
    assert [str(step) for step in plan(service, POOL.free_for(service, [service, *rest]), POOL)] == steps


BOTH = Pool("192.0.2.8/31,fd00:9::8/127", ["192.0.2.8/31", "fd00:9::8/127"])
SIX_FULL = "all IPv6 addresses of 192.0.2.8/31,fd00:9::8/127 are in use"
DUAL = ["IPv6", "IPv4"]
FAMILIES = {
    "one of IPv6 alone": (a_service(ipFamilies=["IPv6"]), [], ["fd00:9::8"]),
    "one of both, its first family first": (a_service(ipFamilies=DUAL), [], ["fd00:9::8", "192.0.2.8"]),
    "a wish is for its family": (
        a_service(ipFamilies=DUAL, loadBalancerIP="192.0.2.9"),
        [],
        ["fd00:9::8", "192.0.2.9"],
    ),
    "in whatever form": (a_service(ipFamilies=["IPv6"], loadBalancerIP="FD00:9:0::9"), [], ["fd00:9::9"]),
    "one that becomes one of both keeps what it has": (
        a_service(has="192.0.2.9", ipFamilies=["IPv4", "IPv6"]),
        [],
        ["192.0.2.9", "fd00:9::8"],
    ),
    "one that is left with one family gives the other back": (
        a_service(has="fd00:9::8", ipFamilies=["IPv4"]),
        [],
        ["192.0.2.8"],
    ),
    "when one family is full it has the other": (
        a_service(ipFamilies=DUAL),
        ["fd00:9::8", "fd00:9::9"],
        ["192.0.2.8"],
    ),
}


@pytest.mark.parametrize("service, taken, expected", FAMILIES.values(), ids=FAMILIES)
def test_addresses_of_two_families(service, taken, expected):
    steps = [str(step) for step in plan(service, BOTH.free_for(service, [service, *others(*taken)]), BOTH)]
    assert steps[:3] == [line.format(" and ".join(expected)) for line in ENSURED]
    assert steps[3:] == ([f"wait for web: {SIX_FULL}"] if taken else [])


def test_a_wish_for_an_address_of_another_family_waits():
    service = a_service(ipFamilies=["IPv6"], loadBalancerIP="192.0.2.8")
    why = "requested address 192.0.2.8 is not of the service's IPv6"
    assert [str(step) for step in plan(service, [*BOTH], BOTH)] == [FAILED + why, f"wait for web: {why}"]


def test_one_that_lacks_only_one_of_its_families_is_left_with_what_it_has():
    service = a_service(has="192.0.2.8", ipFamilies=["IPv4", "IPv6"])
    assert [str(step) for step in plan(service, ["192.0.2.8"], BOTH)] == [f"wait for web: {SIX_FULL}"]


def test_without_a_range_it_stays_pending():
    assert [str(step) for step in plan(a_service(), [], Pool("", []))] == [
        "wait for web: the cluster has no addresses for load balancers"
    ]


MANIFEST = """
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{type: LoadBalancer, selector: {{app: web}}, ports: [{{port: 80}}]}}
"""


def test_no_two_get_the_same_and_what_is_given_back_is_given_on():
    async def story() -> None:
        from knarr.controllers import service_load_balancer as balancer

        def address(name: str) -> str:
            return " ".join(balancer.given(found)) if (found := held.get(name)) else ""

        async with Cluster([balancer.controller(POOL.text, ["192.0.2.8/30"])]) as cluster:
            await cluster.apply("---".join(MANIFEST.format(name=f"web-{n}") for n in range(6)))
            await cluster.settled()
            held = {each.metadata.name: each for each in (await cluster.api.list(Service)).items}
            given = {name: address(name) for name in held if name.startswith("web")}
            assert sorted(filter(None, given.values())) == sorted(POOL)
            first = next(name for name, ip in given.items() if ip)
            await cluster.api.delete(Service, first, "default")
            await cluster.settled()
            held = {each.metadata.name: each for each in (await cluster.api.list(Service)).items}
            assert sorted(address(name) for name in held if address(name)) == sorted(POOL)

    virtual_time.run(story(), seed=3)
