"""Whose addresses and node ports are whose, and what is said where they collide."""

import pytest

from knarr.controllers import service_addresses
from knarr.controllers.service_addresses import ALLOCATOR, FAMILY, MANAGED_BY, left_over, plan
from knarr.kinds.types.core_v1 import Service, ServicePort, ServiceSpec
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.kinds.types.networking_v1 import IPAddress, IPAddressSpec, ParentReference, ServiceCIDR, ServiceCIDRSpec
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

RANGES = ["10.96.0.0/16"]


def a_service(*ports: int, ip="10.96.0.20", health: int | None = None) -> Service:
    given = [ServicePort(port=80 + n, protocol="TCP", nodePort=port) for n, port in enumerate(ports)]
    spec = ServiceSpec(clusterIP=ip, clusterIPs=[ip], ports=given, healthCheckNodePort=health)
    return Service(metadata=ObjectMeta(name="web", namespace="default"), spec=spec)


def an_address(name="web", labels=None, resource="services") -> IPAddress:
    parent = ParentReference(resource=resource, namespace="default", name=name)
    given = {FAMILY: "IPv4", MANAGED_BY: ALLOCATOR} if labels is None else labels
    return IPAddress(metadata=ObjectMeta(name="10.96.0.20", labels=given), spec=IPAddressSpec(parentRef=parent))


MADE = "create ipaddress 10.96.0.20"
ON = "event on service web: "
WRONG = (
    "ClusterIPNotAllocated: the ClusterIP [IPv4]: 10.96.0.20 for Service default/web has a wrong reference; repairing"
)
CASES = {
    "a new service's address is noted": (a_service(), None, {}, [], [MADE]),
    "one that is noted is left alone": (a_service(), an_address(), {}, [], []),
    "one that somebody took away is missed": (
        a_service(),
        None,
        {},
        ["10.96.0.20"],
        [f"{ON}ClusterIPNotAllocated: Cluster IP [IPv4]: 10.96.0.20 is not allocated; repairing", MADE],
    ),
    "one that names another is made anew": (
        a_service(),
        an_address("other"),
        {},
        [],
        [ON + WRONG, "delete ipaddress 10.96.0.20: it is another's", MADE],
    ),
    "one without labels too": (
        a_service(),
        an_address(labels={}),
        {},
        [],
        [ON + WRONG, "delete ipaddress 10.96.0.20: it is another's", MADE],
    ),
    "an address from elsewhere is complained of": (
        a_service(ip="10.97.0.1"),
        None,
        {},
        [],
        [
            f"{ON}ClusterIPOutOfRange: Cluster IP [IPv4]: 10.97.0.1 is not within any configured Service CIDR; "
            "please recreate service"
        ],
    ),
    "so is one that two have": (
        a_service(),
        an_address("other"),
        {"10.96.0.20": True},
        [],
        [
            f"{ON}ClusterIPAlreadyAllocated: Cluster IP [IPv4]:10.96.0.20 was assigned to multiple services; "
            "please recreate service"
        ],
    ),
    "and a node port that two have, or that is none": (
        a_service(30080, 80, health=30090),
        an_address(),
        {"30080": True, "30090": True},
        [],
        [
            f"{ON}PortAlreadyAllocated: Port 30080 was assigned to multiple services; please recreate service",
            f"{ON}PortOutOfRange: Port 80 is not within the port range 30000-32767; please recreate service",
            f"{ON}PortAlreadyAllocated: Port 30090 was assigned to multiple services; please recreate service",
        ],
    ),
    "a headless service has none": (a_service(ip="None"), None, {}, [], []),
}


@pytest.mark.parametrize("service, found, twins, lost, steps", CASES.values(), ids=CASES)
def test_plan(service, found, twins, lost, steps):
    held = {found.metadata.name: found} if found else {}
    assert [str(step) for step in plan(service, RANGES, held, twins, lost)] == steps


LEFT = {
    "of a service that is gone": (an_address(), None, True),
    "of one that has it": (an_address(), a_service(), False),
    "of one that has another": (an_address(), a_service(ip="10.96.0.9"), True),
    "of something that is no service": (an_address(resource="gateways"), a_service(), True),
    "of somebody else's": (an_address(labels={}), None, False),
}


@pytest.mark.parametrize("found, service, expected", LEFT.values(), ids=LEFT)
def test_what_is_left_over(found, service, expected):
    assert left_over(found, service) is expected


MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
"""


def test_an_address_comes_and_goes_with_its_service_and_is_repaired():
    async def story() -> None:
        async with Cluster([service_addresses.controller()]) as cluster:
            api = cluster.api
            for old in (await api.list(ServiceCIDR)).items:
                await api.delete(ServiceCIDR, old.metadata.name)
            await api.create(ServiceCIDR(metadata=ObjectMeta(name="kubernetes"), spec=ServiceCIDRSpec(cidrs=RANGES)))
            await cluster.apply(MANIFEST)
            await cluster.settled()
            address = (await api.get(Service, "web", "default")).spec.clusterIP
            found = {each.metadata.name: each.spec.parentRef.name for each in (await api.list(IPAddress)).items}
            assert found[address] == "web"
            await api.delete(IPAddress, address)
            await cluster.settled()
            assert (await api.get(IPAddress, address)).spec.parentRef.name == "web"
            await api.delete(Service, "web", "default")
            await cluster.settled()
            assert address not in {each.metadata.name for each in (await api.list(IPAddress)).items}

    virtual_time.run(story(), seed=3)


def test_each_address_of_a_service_is_noted_in_its_one_form():
    spec = ServiceSpec(clusterIP="10.96.0.20", clusterIPs=["10.96.0.20", "FD00:10:96:0::5"])
    service = Service(metadata=ObjectMeta(name="web", namespace="default"), spec=spec)
    made = plan(service, [*RANGES, "fd00:10:96::/112"], {}, {}, [])
    assert [(step.obj.metadata.name, step.obj.metadata.labels[FAMILY]) for step in made] == [
        ("10.96.0.20", "IPv4"),
        ("fd00:10:96::5", "IPv6"),
    ]
