import pytest
from msgspec.structs import replace

from knarr.controllers.endpoints import MANAGED_BY, OVER_CAPACITY, fit, plan, subsets_of
from knarr.kinds.types.core_v1 import (
    ContainerPort,
    EndpointAddress,
    EndpointPort,
    EndpointSubset,
    ServicePort,
)
from knarr.testing.builders import a_pod, a_service


def shown(subsets):
    """Subsets in one line each: "ready / unready : ports"."""
    return [
        f"{' '.join(map(address, subset.addresses))} / {' '.join(map(address, subset.notReadyAddresses))} : "
        + " ".join(f"{port.name or ''}={port.port}" for port in subset.ports)
        for subset in subsets
    ]


def address(found):
    name = f"{found.hostname}@" if found.hostname else ""
    return f"{name}{found.ip}"


def at(number, **fields):
    return a_pod(number, ip=f"10.0.0.{number}", node="n", **fields)


HTTP = [ServicePort(name="web", port=80, targetPort="http", protocol="TCP")]
PUBLISHED = {
    "ready and unready pods apart": (
        a_service(),
        [at(1), at(2, ready=False)],
        ["10.0.0.1 / 10.0.0.2 : =8080"],
    ),
    "addresses in order": (a_service(), [at(2), at(1)], ["10.0.0.1 10.0.0.2 /  : =8080"]),
    "pods with names below a headless service": (
        a_service("db", headless=True),
        [at(0, hostname="db-0", subdomain="db")],
        ["db-0@10.0.0.0 /  : =8080"],
    ),
    "a headless service without ports": (a_service(headless=True, ports=[]), [at(1)], ["10.0.0.1 /  : "]),
    "nothing of a service without ports that has an address": (a_service(ports=[]), [at(1)], []),
    "unready and ending pods as ready where that is asked for": (
        a_service(publishNotReadyAddresses=True),
        [at(1, ready=False), at(2, deleting=True)],
        ["10.0.0.1 10.0.0.2 /  : =8080"],
    ),
    "no ending pod otherwise": (a_service(), [at(1), at(2, deleting=True)], ["10.0.0.1 /  : =8080"]),
    "no pod that has ended or has no address": (a_service(), [at(1, phase="Failed"), a_pod(2)], []),
    "pods with different numbers behind a name apart": (
        a_service(ports=HTTP),
        [
            at(1, ports=[ContainerPort(name="http", containerPort=2, protocol="TCP")]),
            at(2, ports=[ContainerPort(name="http", containerPort=1, protocol="TCP")]),
            at(3),
        ],
        ["10.0.0.2 /  : web=1", "10.0.0.1 /  : web=2"],
    ),
    "only the service's first address family": (a_service(ipFamilies=["IPv6", "IPv4"]), [at(1)], []),
}


@pytest.mark.parametrize("service, pods, expected", PUBLISHED.values(), ids=PUBLISHED)
def test_subsets_of(service, pods, expected):
    assert shown(subsets_of(service, pods)) == expected


def test_an_address_names_its_pod_and_node():
    ((found,),) = [subset.addresses for subset in subsets_of(a_service(), [at(1)])]
    assert found.nodeName == "n"
    assert (found.targetRef.kind, found.targetRef.name, found.targetRef.uid) == ("Pod", "db-1", "uid-db-1")


def published(service, pods):
    (step,) = plan(service, pods, None)
    return step.obj


def test_endpoints_have_the_services_name_and_labels():
    service = a_service("db", headless=True, meta={"labels": {"a": "b"}})
    found = published(service, [at(1)]).metadata
    assert (found.name, found.namespace) == ("db", "default")
    assert found.labels == {"a": "b", MANAGED_BY: "endpoint-controller", "service.kubernetes.io/headless": ""}


STEPS = {
    "endpoints are made when there are none": (a_service(), [at(1)], None, ["create endpoints db"]),
    "nothing is done when all is published": (a_service(), [at(1)], [at(1)], []),
    "a change of a pod that does not show does nothing": (
        a_service(),
        [at(1, meta={"resourceVersion": "9"})],
        [at(1)],
        [],
    ),
    "a pod that became unready is published so": (a_service(), [at(1, ready=False)], [at(1)], ["update endpoints db"]),
    "a pod that is gone goes": (a_service(), [], [at(1)], ["update endpoints db"]),
    "a service without a selector is left alone": (a_service(selector={}), [at(1)], None, []),
    "a service that is only another name is left alone": (a_service(type="ExternalName"), [at(1)], None, []),
    "new labels of the service are taken over": (
        a_service(meta={"labels": {"a": "b"}}),
        [at(1)],
        [at(1)],
        ["update endpoints db"],
    ),
}


@pytest.mark.parametrize("service, pods, before, steps", STEPS.values(), ids=STEPS)
def test_plan(service, pods, before, steps):
    current = None if before is None else published(a_service(), before)
    assert [str(step) for step in plan(service, pods, current)] == steps


def subset(ready, unready):
    return EndpointSubset(
        addresses=[EndpointAddress(ip=f"r{n}") for n in range(ready)],
        notReadyAddresses=[EndpointAddress(ip=f"u{n}") for n in range(unready)],
        ports=[EndpointPort(port=80)],
    )


FITS = {
    "what fits stays": ([(3, 3)], 10, [(3, 3)]),
    "unready ones go first": ([(8, 8)], 10, [(8, 2)]),
    "too many ready ones leave no unready": ([(20, 5)], 10, [(10, 0)]),
    "each subset has its share": ([(30, 0), (10, 0)], 20, [(15, 0), (5, 0)]),
    "rounding up takes from the last": ([(5, 0), (5, 0), (5, 0)], 10, [(4, 0), (4, 0), (2, 0)]),
}


@pytest.mark.parametrize("sizes, capacity, expected", FITS.values(), ids=FITS)
def test_fit(sizes, capacity, expected):
    found = fit([subset(*size) for size in sizes], capacity)
    assert [(len(one.addresses), len(one.notReadyAddresses)) for one in found] == expected


def test_endpoints_that_do_not_fit_say_so_until_they_do():
    pods = [a_pod(n, ip=f"10.0.{n // 250}.{n % 250}") for n in range(1001)]
    found = published(a_service(), pods)
    assert found.metadata.annotations[OVER_CAPACITY] == "truncated"
    assert len(found.subsets[0].addresses) == 1000
    assert plan(a_service(), pods, found) == []
    (step,) = plan(a_service(), pods[:5], found)
    assert OVER_CAPACITY not in step.obj.metadata.annotations
    assert replace(step.obj, subsets=[]).metadata.resourceVersion == found.metadata.resourceVersion
