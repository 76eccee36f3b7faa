import pytest
from msgspec.structs import replace

from knarr.controllers.endpoint_slice import CAPACITY, endpoint_of, plan
from knarr.kinds.types.core_v1 import ContainerPort, PodIP, ServicePort
from knarr.loop.steps import Create, Delete, Replace
from knarr.testing.builders import a_node, a_pod, a_service

NODES = {"n": a_node("n", labels={"topology.kubernetes.io/zone": "z1"})}
HTTP = [ServicePort(name="web", port=80, targetPort="http", protocol="TCP")]


def at(number, **fields):
    return a_pod(number, **{"ip": f"10.0.{number // 250}.{number % 250}", "node": "n", **fields})


def dual(number):
    pod = at(number)
    both = [*pod.status.podIPs, PodIP(ip=f"fd00::{number:x}")]
    return replace(pod, status=replace(pod.status, podIPs=both))


def port(number):
    return [ContainerPort(name="http", containerPort=number, protocol="TCP")]


def after(steps, slices=()):
    """The slices there are when the steps are done."""
    found = {one.metadata.name: one for one in slices}
    for step in steps:
        name = step.obj.metadata.name
        if isinstance(step, Create):
            name = f"db-{len(found)}"
            found[name] = replace(step.obj, metadata=replace(step.obj.metadata, name=name))
        elif isinstance(step, Replace):
            found[name] = step.obj
        else:
            assert isinstance(step, Delete)
            del found[name]
    return [*found.values()]


def published(service, pods, slices=()):
    return after(plan(service, pods, NODES, slices), slices)


def shown(slices):
    """Slices in one line each: "addresses : ports"."""
    return [
        f"{' '.join(sorted(one.addresses[0] for one in found.endpoints))} : "
        + " ".join(f"{one.name}={one.port}" for one in found.ports)
        for found in slices
    ]


SLICES = {
    "all pods in one": (a_service(), [at(1), at(2)], ["10.0.0.1 10.0.0.2 : =8080"]),
    "unready and ending pods too": (
        a_service(),
        [at(1, ready=False), at(2, deleting=True)],
        ["10.0.0.1 10.0.0.2 : =8080"],
    ),
    "an empty one for a service without pods": (a_service(), [], [" : "]),
    "an empty one for pods without addresses": (a_service(), [a_pod(1, node="n")], [" : "]),
    "one for each set of ports": (
        a_service(ports=HTTP),
        [at(1, ports=port(1)), at(2, ports=port(2))],
        ["10.0.0.1 : web=1", "10.0.0.2 : web=2"],
    ),
    "no port for a pod that lacks it": (a_service(ports=HTTP), [at(1)], ["10.0.0.1 : "]),
    "a headless service without ports": (a_service(headless=True, ports=[]), [at(1)], ["10.0.0.1 : "]),
    "no pod of a node that is unknown": (a_service(), [at(1, node="gone")], [" : "]),
    "but where unready pods are welcome": (
        a_service(publishNotReadyAddresses=True),
        [at(1, node="gone")],
        ["10.0.0.1 : =8080"],
    ),
    "one for each address family": (a_service(ipFamilies=["IPv4", "IPv6"]), [at(1)], ["10.0.0.1 : =8080", " : "]),
    "both addresses of a pod, each in its own": (
        a_service(ipFamilies=["IPv6", "IPv4"]),
        [dual(1)],
        ["fd00::1 : =8080", "10.0.0.1 : =8080"],
    ),
    "only the family of the service": (a_service(ipFamilies=["IPv6"]), [dual(1), at(2)], ["fd00::1 : =8080"]),
    "none without a selector": (a_service(selector={}), [at(1)], []),
}


@pytest.mark.parametrize("service, pods, expected", SLICES.values(), ids=SLICES)
def test_plan_from_nothing(service, pods, expected):
    assert shown(published(service, pods)) == expected


@pytest.mark.parametrize("service, pods, expected", SLICES.values(), ids=SLICES)
def test_what_is_published_is_not_touched_again(service, pods, expected):
    assert plan(service, pods, NODES, published(service, pods)) == []


CONDITIONS = {
    "a ready pod is ready and serves": (a_service(), at(1), (True, True, False)),
    "an unready pod does not": (a_service(), at(1, ready=False), (False, False, False)),
    "an ending pod serves but is not ready": (a_service(), at(1, deleting=True), (False, True, True)),
    "an unready pod is ready where that is asked for": (
        a_service(publishNotReadyAddresses=True),
        at(1, ready=False),
        (True, False, False),
    ),
}


@pytest.mark.parametrize("service, pod, expected", CONDITIONS.values(), ids=CONDITIONS)
def test_conditions(service, pod, expected):
    found = endpoint_of(service, pod, None, "IPv4").conditions
    assert (found.ready, found.serving, found.terminating) == expected


def test_an_endpoint_knows_its_pod_node_zone_and_name():
    pod = at(1, hostname="db-1", subdomain="db")
    found = endpoint_of(a_service("db", headless=True), pod, NODES["n"], "IPv4")
    assert (found.targetRef.name, found.nodeName, found.zone, found.hostname) == ("db-1", "n", "z1", "db-1")


def test_a_slice_belongs_to_its_service_and_says_whose_work_it_is():
    (found,) = published(a_service("db", headless=True, meta={"labels": {"a": "b"}}), [at(1)])
    assert found.metadata.labels == {
        "a": "b",
        "kubernetes.io/service-name": "db",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "service.kubernetes.io/headless": "",
    }
    assert [owner.uid for owner in found.metadata.ownerReferences] == ["uid-db"]


def sizes(slices):
    return [len(found.endpoints) for found in slices]


def test_many_pods_fill_slices_and_change_as_few_as_possible():
    service, pods = a_service(), [at(n) for n in range(1, 251)]
    slices = published(service, pods)
    assert sizes(slices) == [100, 100, 50]
    steps = plan(service, [*pods, at(251)], NODES, slices)
    assert [type(step) for step in steps] == [Replace]
    assert sizes(after(steps, slices)) == [100, 100, 51]
    fewer = published(service, pods[50:], slices)
    assert sizes(fewer) == [50, 100, 50]
    assert sizes(published(service, [*pods[50:], *(at(n) for n in range(300, 340))], fewer)) == [90, 100, 50]


def test_no_slice_has_more_than_it_can_hold_and_no_pod_is_published_twice():
    service = a_service()
    slices = published(service, [at(n) for n in range(1, 451)])
    slices = published(service, [at(n) for n in range(200, 950)], slices)
    assert max(sizes(slices)) <= CAPACITY
    addresses = [one.addresses[0] for found in slices for one in found.endpoints]
    assert len(addresses) == len(set(addresses)) == 750


CHANGES = {
    "the first pod replaces the empty slice": ([], [at(1)], a_service(), ["10.0.0.1 : =8080"]),
    "the last pod leaves an empty one": ([at(1)], [], a_service(), [" : "]),
    "a pod that moved to other ports moves to another slice": (
        [at(1, ports=port(1)), at(2, ports=port(1))],
        [at(1, ports=port(1)), at(2, ports=port(2))],
        a_service(ports=HTTP),
        ["10.0.0.1 : web=1", "10.0.0.2 : web=2"],
    ),
}


@pytest.mark.parametrize("before, now, service, expected", CHANGES.values(), ids=CHANGES)
def test_changes(before, now, service, expected):
    assert shown(published(service, now, published(service, before))) == expected


def test_slices_of_another_service_life_go():
    old = published(a_service(), [at(1)])
    service = replace_uid(a_service(), "new")
    steps = plan(service, [at(1)], NODES, old)
    assert [str(step) for step in steps] == [
        "delete endpointslice db-0: not of this service",
        "create endpointslice db-",
    ]


def replace_uid(service, uid):
    return replace(service, metadata=replace(service.metadata, uid=uid))
