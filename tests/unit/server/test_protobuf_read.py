"""Protobuf bodies as Go clients write them, read into the trees that JSON would give."""

import pytest

from knarr.meta.errors import BadRequest
from knarr.server.protobuf import read


def number(field, value):
    return varint(field << 3) + varint(value)


def data(field, value):
    raw = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def envelope(version, kind, raw):
    return b"k8s\x00" + data(1, data(1, version) + data(2, kind)) + data(2, raw)


CASES = {
    "strings, maps and times": (
        envelope("v1", "ConfigMap", data(1, data(1, "x") + data(8, number(1, 60)))
                 + data(2, data(1, "k") + data(2, "v"))),
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"},
         "metadata": {"name": "x", "creationTimestamp": "1970-01-01T00:01:00Z"}},
    ),
    "bytes become base64": (
        envelope("v1", "Secret", data(2, data(1, "k") + data(2, b"\x00\x01"))),
        {"apiVersion": "v1", "kind": "Secret", "data": {"k": "AAE="}},
    ),
    "an unset time is absent": (
        envelope("v1", "ConfigMap", data(1, data(1, "x") + data(8, b""))),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}},
    ),
    "an embedded struct is inlined": (
        envelope("v1", "Pod", data(2, data(1, data(1, "v") + data(2, data(19, data(1, data(1, "settings"))))))),
        {"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [{"name": "v", "configMap": {"name": "settings"}}]}},
    ),
    "a port by name or number, a quantity": (
        envelope(
            "v1",
            "Pod",
            data(2, data(2, data(1, "c") + data(8, data(1, data(1, "cpu") + data(2, data(1, "500m"))))
                         + data(10, data(1, data(3, data(1, number(1, 1) + data(3, "web"))))))),
        ),
        {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [
            {"name": "c", "resources": {"limits": {"cpu": "500m"}}, "livenessProbe": {"tcpSocket": {"port": "web"}}}
        ]}},
    ),
    "negative numbers and booleans": (
        envelope("v1", "DeleteOptions", number(1, -1) + number(3, 1)),
        {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": -1, "orphanDependents": True},
    ),
    "unknown fields are skipped": (
        envelope("v1", "ConfigMap", data(99, "x") + number(98, 7)),
        {"apiVersion": "v1", "kind": "ConfigMap"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "wanted"), CASES.values(), ids=CASES)
def test_read(body, wanted):
    assert read.read(body, "Thing") == wanted


BROKEN = {
    "no prefix": b"{}",
    "cut off": envelope("v1", "ConfigMap", data(1, data(1, "x")))[:-1],
    "an unknown kind": envelope("v9", "Chair", b""),
    "a number where a message belongs": envelope("v1", "ConfigMap", number(1, 5)),
    "text that is no text": envelope("v1", "ConfigMap", data(1, data(1, b"\xff"))),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_what_is_no_body_is_refused(body):
    with pytest.raises(BadRequest):
        read.read(body, "Thing")
