"""Endpoints written by hand and their mirrors, case by case."""

import pytest
from msgspec.structs import replace

from knarr.controllers.endpoint_slice_mirroring import CAPACITY, plan
from knarr.kinds.types.core_v1 import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from knarr.loop.steps import Create, Delete, Replace
from knarr.testing.builders import a_meta, a_service

SERVICE = a_service(selector={})
WEB, DNS = EndpointPort(name="web", port=80, protocol="TCP"), EndpointPort(name="dns", port=53, protocol="UDP")


def subset(*addresses, unready=(), ports=(WEB,)):
    return EndpointSubset(
        addresses=[EndpointAddress(ip=ip) for ip in addresses],
        notReadyAddresses=[EndpointAddress(ip=ip) for ip in unready],
        ports=list(ports),
    )


def by_hand(*subsets, **meta):
    return Endpoints(metadata=a_meta("db", **meta), subsets=list(subsets))


def after(steps, slices=()):
    found = {one.metadata.name: one for one in slices}
    for step in steps:
        if isinstance(step, Create):
            name = f"db-{len(found)}"
            found[name] = replace(step.obj, metadata=replace(step.obj.metadata, name=name))
        elif isinstance(step, Replace):
            found[step.obj.metadata.name] = step.obj
        elif isinstance(step, Delete):
            del found[step.obj.metadata.name]
    return [*found.values()]


def shown(slices):
    """Slices in one line each: "family: address, unready in brackets : ports"."""

    def address(one):
        return one.addresses[0] if one.conditions.ready else f"({one.addresses[0]})"

    return [
        f"{found.addressType}: {' '.join(map(address, found.endpoints))} : "
        + " ".join(f"{p.name}={p.port}" for p in found.ports)
        for found in slices
    ]


MIRRORED = {
    "one slice for the addresses of a subset": (
        by_hand(subset("10.1.0.1", "10.1.0.2")),
        ["IPv4: 10.1.0.1 10.1.0.2 : web=80"],
    ),
    "unready ones are said to be": (
        by_hand(subset("10.1.0.1", unready=["10.1.0.2"])),
        ["IPv4: 10.1.0.1 (10.1.0.2) : web=80"],
    ),
    "one for each family": (
        by_hand(subset("10.1.0.1", "fd00::1")),
        ["IPv4: 10.1.0.1 : web=80", "IPv6: fd00::1 : web=80"],
    ),
    "one for each set of ports": (
        by_hand(subset("10.1.0.1"), subset("10.1.0.2", ports=[DNS])),
        ["IPv4: 10.1.0.1 : web=80", "IPv4: 10.1.0.2 : dns=53"],
    ),
    "subsets with the same ports share one": (
        by_hand(subset("10.1.0.1", ports=[WEB, DNS]), subset("10.1.0.2", ports=[DNS, WEB])),
        ["IPv4: 10.1.0.1 10.1.0.2 : dns=53 web=80"],
    ),
    "no slice for no address": (by_hand(subset()), []),
    "none where they say so": (
        by_hand(subset("10.1.0.1"), labels={"endpointslice.kubernetes.io/skip-mirror": "true"}),
        [],
    ),
    "none where leaders were elected": (
        by_hand(subset("10.1.0.1"), annotations={"control-plane.alpha.kubernetes.io/leader": "{}"}),
        [],
    ),
}


@pytest.mark.parametrize("endpoints, expected", MIRRORED.values(), ids=MIRRORED)
def test_what_is_mirrored_and_that_it_is_left_alone_then(endpoints, expected):
    slices = after(plan(endpoints, SERVICE, []))
    assert shown(slices) == expected
    assert plan(endpoints, SERVICE, slices) == []


UNWANTED = {
    "the endpoints are gone": (None, SERVICE),
    "the service is gone": (by_hand(subset("10.1.0.1")), None),
    "the service has a selector now": (by_hand(subset("10.1.0.1")), a_service()),
}


@pytest.mark.parametrize("endpoints, service", UNWANTED.values(), ids=UNWANTED)
def test_a_mirror_goes_when(endpoints, service):
    slices = after(plan(by_hand(subset("10.1.0.1")), SERVICE, []))
    assert after(plan(endpoints, service, slices), slices) == []


def test_labels_and_annotations_follow_but_for_those_of_tools():
    annotations = {"a": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    slices = after(plan(by_hand(subset("10.1.0.1"), labels={"team": "x"}, annotations=annotations), SERVICE, []))
    assert slices[0].metadata.annotations == {"a": "1"}
    assert slices[0].metadata.labels == {
        "team": "x",
        "kubernetes.io/service-name": "db",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    (step,) = plan(by_hand(subset("10.1.0.1"), labels={"team": "y"}), SERVICE, slices)
    assert (step.obj.metadata.labels["team"], step.obj.metadata.annotations) == ("y", {})


def test_a_slice_whose_ports_are_not_wanted_any_more_is_rewritten():
    slices = after(plan(by_hand(subset("10.1.0.1")), SERVICE, []))
    steps = plan(by_hand(subset("10.1.0.1", ports=[DNS])), SERVICE, slices)
    assert [type(step) for step in steps] == [Replace]
    assert shown(after(steps, slices)) == ["IPv4: 10.1.0.1 : dns=53"]


def test_of_too_many_addresses_the_first_are_mirrored_and_somebody_is_told():
    many = by_hand(subset(*(f"10.{n // 65536}.{n // 256 % 256}.{n % 256}" for n in range(CAPACITY + 3))))
    told, made = plan(many, SERVICE, [])
    assert len(made.obj.endpoints) == CAPACITY
    assert str(told) == (
        "event on endpoints db: TooManyAddressesToMirror: A max of 1000 addresses can be mirrored to EndpointSlices "
        "per Endpoints subset. 3 addresses were skipped"
    )
