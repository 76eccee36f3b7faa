import pytest
from msgspec.structs import replace

from knarr.controllers import publication
from knarr.kinds.types.core_v1 import Container, ContainerPort, PodIP, PodStatus, ServicePort
from knarr.testing.builders import a_pod, a_service

HTTP = ContainerPort(name="http", containerPort=8080, protocol="TCP")

REACHABLE = {
    "a pod with an address": (a_pod(ip="10.0.0.1"), False, True),
    "not a pod without one": (a_pod(), False, False),
    "not a pod that has ended": (a_pod(ip="10.0.0.1", phase="Succeeded"), True, False),
    "not a pod that has failed": (a_pod(ip="10.0.0.1", phase="Failed"), True, False),
    "not a pod that ends": (a_pod(ip="10.0.0.1", deleting=True), False, False),
    "a pod that ends where those are wanted": (a_pod(ip="10.0.0.1", deleting=True), True, True),
}


@pytest.mark.parametrize("pod, terminating, expected", REACHABLE.values(), ids=REACHABLE)
def test_reachable(pod, terminating, expected):
    assert publication.reachable(pod, terminating=terminating) is expected


PORTS = {
    "a number as it is": (ServicePort(port=80, targetPort=9), 9),
    "the service's own port where none is named": (ServicePort(port=80), 80),
    "the port of that name": (ServicePort(port=80, targetPort="http", protocol="TCP"), 8080),
    "none for a name the pod lacks": (ServicePort(port=80, targetPort="https", protocol="TCP"), None),
    "none for the name in another protocol": (ServicePort(port=80, targetPort="http", protocol="UDP"), None),
    "a sidecar's port": (ServicePort(port=80, targetPort="proxy", protocol="TCP"), 15001),
    "not the port of a container that only prepares": (
        ServicePort(port=80, targetPort="setup", protocol="TCP"),
        None,
    ),
}


@pytest.mark.parametrize("port, number", PORTS.values(), ids=PORTS)
def test_port_number(port, number):
    sidecar = Container(name="s", restartPolicy="Always", ports=[ContainerPort(name="proxy", containerPort=15001)])
    setup = Container(name="i", ports=[ContainerPort(name="setup", containerPort=1)])
    assert publication.port_number(a_pod(ports=[HTTP], initContainers=[setup, sidecar]), port) == number


HOSTNAMES = {
    "the pod's own below its service": (a_pod(hostname="db-0", subdomain="db"), "db-0"),
    "none below another service": (a_pod(hostname="db-0", subdomain="other"), ""),
    "none without a subdomain": (a_pod(hostname="db-0"), ""),
    "none in another namespace": (a_pod(hostname="db-0", subdomain="db", namespace="other"), ""),
}


@pytest.mark.parametrize("pod, expected", HOSTNAMES.values(), ids=HOSTNAMES)
def test_hostname(pod, expected):
    assert publication.hostname(pod, a_service("db", headless=True)) == expected


SELECTIONS = {
    "all its labels": (a_service(selector={"app": "db"}), True),
    "not with one more": (a_service(selector={"app": "db", "tier": "x"}), False),
    "nothing without a selector": (a_service(selector={}), False),
}


@pytest.mark.parametrize("service, expected", SELECTIONS.values(), ids=SELECTIONS)
def test_selects(service, expected):
    assert publication.selects(service, a_pod()) is expected


def test_addresses_are_told_apart_by_family():
    pod = replace(a_pod(), status=PodStatus(podIPs=[PodIP(ip="10.0.0.1"), PodIP(ip="fd00::1")]))
    assert publication.addresses_of_family(pod, "IPv4") == ["10.0.0.1"]
    assert publication.addresses_of_family(pod, "IPv6") == ["fd00::1"]


def test_the_trigger_is_the_last_thing_that_happened():
    pods = [a_pod(0, ready_since="2026-01-01T00:05:00Z"), a_pod(1)]
    assert publication.trigger_time(a_service(), pods) == "2026-01-01T00:05:00Z"
