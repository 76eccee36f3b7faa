"""Where a proxied request goes, from what the client names."""

import pytest

from knarr.kinds.types.core_v1 import (
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    ObjectReference,
    Pod,
    PodSpec,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
)
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta.errors import BadRequest, ServiceUnavailable
from knarr.server.proxies import PROXIED, Proxies, host_of, name_of, port_of, proxyable, rest_of, split

NAMES = {
    "a name alone": ("web", ("http", "web", "")),
    "a name and a port": ("web:80", ("http", "web", "80")),
    "a scheme before them": ("https:web:443", ("https", "web", "443")),
    "a scheme and no port": ("https:web:", ("https", "web", "")),
    "an empty scheme": (":web:main", ("http", "web", "main")),
}
UNNAMED = {
    "four parts": "http:web:80:90",
    "no name": "http::80",
    "nothing": "",
    "another scheme": "ftp:web:21",
}
RESTS = {
    "nothing": ("/api/v1/namespaces/a/pods/b/proxy", ""),
    "a slash": ("/api/v1/namespaces/a/pods/b/proxy/", "/"),
    "a path": ("/api/v1/namespaces/a/pods/b/proxy/x/y", "/x/y"),
    "a directory": ("/api/v1/namespaces/a/pods/b/proxy/x/", "/x/"),
    "escapes": ("/api/v1/namespaces/a/pods/b/proxy/a%2Fb%20c", "/a%2Fb%20c"),
    "a line's end": ("/api/v1/namespaces/a/pods/b/proxy/x\r\nHost: y", "/x%0D%0AHost:%20y"),
}
ELSEWHERE = {
    "a port that makes the address a user's name": "80@example.com",
    "a port that carries a path": "80/x",
    "a name that no container gives a port": "main",
    "no port that exists": "65536",
    "digits of another script": "\u0668\u0660",
}


@pytest.mark.parametrize(("name", "parts"), NAMES.values(), ids=NAMES)
def test_split(name, parts):
    assert split(name) == parts


@pytest.mark.parametrize("name", UNNAMED.values(), ids=UNNAMED)
def test_what_names_nothing_is_refused(name):
    with pytest.raises(BadRequest, match="invalid service request"):
        split(name)


@pytest.mark.parametrize(("path", "rest"), RESTS.values(), ids=RESTS)
def test_what_follows_the_proxy_goes_on_as_it_came(path, rest):
    assert rest_of(path, PROXIED["pods"]) == rest


def test_an_address_of_ipv6_stands_in_brackets():
    assert host_of("fd00::7", 443) == "[fd00::7]:443"


@pytest.mark.parametrize("port", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_port_can_not_lead_elsewhere(port):
    with pytest.raises(ServiceUnavailable, match="unknown port"):
        port_of(port)


REACHED = {
    "a pod": ("10.244.0.7", True),
    "a pod on IPv6": ("fd00::7", True),
    "no address": ("", False),
    "a name": ("example.com", False),
    "the server itself": ("127.0.0.1", False),
    "the server itself, in IPv6": ("::ffff:127.0.0.1", False),
    "no host in particular, which is the server itself": ("0.0.0.0", False),
    "no host of IPv6": ("::", False),
    "everybody": ("255.255.255.255", False),
    "a neighbour on the link, in IPv6": ("::ffff:169.254.169.254", False),
    "a neighbour on the link": ("169.254.169.254", False),
}


@pytest.mark.parametrize(("address", "wanted"), REACHED.values(), ids=REACHED)
def test_proxyable(address, wanted):
    assert proxyable(address) is wanted


class OnePod:
    """A cluster with one pod that has an address."""

    async def get(self, type_, namespace, name):
        found = (type_, namespace, name) == (Pod, "a", "web-0")
        status = PodStatus(podIP="10.244.0.7")
        return Pod(metadata=ObjectMeta(name=name), spec=PodSpec(nodeName="n"), status=status) if found else None


STALE = {"of a pod that is gone": ("web-1", "10.244.0.7"), "that its pod has no more": ("web-0", "10.244.0.8")}


@pytest.mark.parametrize(("pod", "ip"), STALE.values(), ids=STALE)
async def test_no_packet_is_sent_to_an_address(pod, ip):
    address = EndpointAddress(ip=ip, targetRef=ObjectReference(kind="Pod", namespace="a", name=pod))
    with pytest.raises(ServiceUnavailable, match="no pod has this address"):
        await Proxies(OnePod(), None).endpoint(address, 80, "http")


PORTS = {
    "none, of one without a name": ("", [("", 80)], ""),
    "none, of several": ("", [("a", 80), ("b", 81)], "a"),
    "a number": ("81", [("a", 80), ("b", 81)], "b"),
    "a number with noughts": ("081", [("a", 80), ("b", 81)], "b"),
    "a name": ("b", [("a", 80), ("b", 81)], "b"),
    "a name that it has not": ("c", [("a", 80)], "c"),
}


def a_service(ports):
    listed = [ServicePort(name=name, port=number) for name, number in ports]
    return Service(metadata=ObjectMeta(name="web"), spec=ServiceSpec(ports=listed))


@pytest.mark.parametrize(("port", "ports", "name"), PORTS.values(), ids=PORTS)
def test_name_of(port, ports, name):
    assert name_of(a_service(ports), port) == name


def test_a_number_that_no_port_has_is_told():
    with pytest.raises(ServiceUnavailable, match='no service port 82 found for service "web"'):
        name_of(a_service([("a", 80)]), "82")


class OneService(OnePod):
    """A service of the pod above, in some namespace, with one address."""

    def __init__(self, namespace, name, address):
        self.held = {
            (Service, namespace, name): a_service([("", 80)]),
            (Endpoints, namespace, name): Endpoints(
                subsets=[EndpointSubset(addresses=[address], ports=[EndpointPort(port=8080)])]
            ),
        }

    async def get(self, type_, namespace, name):
        return self.held.get((type_, namespace, name)) or await super().get(type_, namespace, name)


def of_a_pod(ip="10.244.0.7", namespace="a", name="web-0", kind="Pod"):
    return EndpointAddress(ip=ip, targetRef=ObjectReference(kind=kind, namespace=namespace, name=name))


NO_POD = {
    "written by hand": ("a", EndpointAddress(ip="10.244.0.7")),
    "of another namespace's pod": ("b", of_a_pod()),
    "that the pod has not": ("a", of_a_pod(ip="10.0.0.1")),
    "of a pod that is gone": ("a", of_a_pod(name="web-1")),
    "of something else": ("a", of_a_pod(kind="Node")),
}


async def reached(namespace, name, address):
    return (await Proxies(OneService(namespace, name, address), None)._service(namespace, name, "", "http"))[0]


@pytest.mark.parametrize(("namespace", "address"), NO_POD.values(), ids=NO_POD)
async def test_a_service_does_not_lead_to_an_address(namespace, address):
    with pytest.raises(ServiceUnavailable, match='no endpoints available for service "web"'):
        await reached(namespace, "web", address)


async def test_a_service_leads_to_its_pods_and_that_of_the_dns_to_the_server():
    assert await reached("a", "web", of_a_pod()) == "10.244.0.7:8080"
    assert await reached("kube-system", "kube-dns", EndpointAddress(ip="10.96.0.10")) == "10.96.0.10:8080"
