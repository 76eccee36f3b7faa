"""Where a proxied request goes, from what the client names."""

import pytest

from knarr.meta.errors import BadRequest, ServiceUnavailable
from knarr.server.proxies import proxyable, split, url

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
ADDRESSES = {
    "IPv4": (("http", "10.244.0.7", "80", "/a?b"), "http://10.244.0.7:80/a?b"),
    "IPv6": (("https", "fd00::7", "443", "/"), "https://[fd00::7]:443/"),
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


@pytest.mark.parametrize(("parts", "wanted"), ADDRESSES.values(), ids=ADDRESSES)
def test_url(parts, wanted):
    assert url(*parts) == wanted


@pytest.mark.parametrize("port", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_port_can_not_lead_elsewhere(port):
    with pytest.raises(ServiceUnavailable, match="unknown port"):
        url("http", "10.244.0.7", port, "/")


REACHED = {
    "a pod": ("10.244.0.7", True),
    "a pod on IPv6": ("fd00::7", True),
    "no address": ("", False),
    "a name": ("example.com", False),
    "the server itself": ("127.0.0.1", False),
    "a neighbour on the link": ("169.254.169.254", False),
}


@pytest.mark.parametrize(("address", "wanted"), REACHED.values(), ids=REACHED)
def test_proxyable(address, wanted):
    assert proxyable(address) is wanted
