"""What controllers, the scheduler and the node ask about a pod."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from knarr.kinds import node, pod
from knarr.kinds.pod_resources import limits, requests
from knarr.kinds.types.core_v1 import Node, Pod, PodSpec

NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
SINCE = "2026-01-01T00:00:00Z"  # a minute ago


def a_pod(ready="True", since=SINCE, name="db-2", **fields):
    conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": since}]
    tree = {"metadata": {"name": name}, "status": {"phase": "Running", "conditions": conditions}, **fields}
    return msgspec.convert(tree, Pod)


AVAILABLE = {
    "a pod that isn't ready is not available": (a_pod("False"), 0, False),
    "a ready pod is available at once": (a_pod(), 0, True),
    "a pod that has been ready long enough is available": (a_pod(), 60, True),
    "a pod that has not been ready long enough is not": (a_pod(), 61, False),
    "a pod that doesn't say since when is not": (a_pod(since=""), 1, False),
}


@pytest.mark.parametrize("given, seconds, expected", AVAILABLE.values(), ids=AVAILABLE)
def test_available(given, seconds, expected):
    assert pod.is_available(given, seconds, NOW) is expected


def test_a_ready_pod_says_when_it_will_be_available():
    assert pod.available_in(a_pod(), 90, NOW) == timedelta(seconds=30)


ORDINALS = {
    "db-0": 0,
    "db-12": 12,
    "db-01": None,
    "db-": None,
    "db": None,
    "other-1": None,
    "db-1-2": None,
    "db--1": None,
}


@pytest.mark.parametrize("name, number", ORDINALS.items())
def test_ordinal(name, number):
    assert pod.ordinal(a_pod(name=name), "db") == number


GRACES = {
    "a pod that nobody placed goes at once": ({"spec": {}}, 0),
    "a placed pod gets its period": ({"spec": {"nodeName": "n", "terminationGracePeriodSeconds": 5}}, 5),
    "a placed pod without a period gets thirty seconds": ({"spec": {"nodeName": "n"}}, 30),
    "a finished pod goes at once": ({"spec": {"nodeName": "n"}, "status": {"phase": "Failed"}}, 0),
}


@pytest.mark.parametrize("fields, seconds", GRACES.values(), ids=GRACES)
def test_grace(fields, seconds):
    assert pod.grace(msgspec.convert(fields, Pod)) == seconds


def test_a_pod_that_goes_is_not_active():
    going = a_pod(metadata={"name": "x", "deletionTimestamp": SINCE})
    assert pod.is_terminating(going)
    assert not pod.is_active(going)
    assert pod.is_active(a_pod())


def container(cpu, limit="", **fields):
    resources = {"requests": {"cpu": cpu}, "limits": {"cpu": limit} if limit else {}}
    return {"name": "c", "image": "a", "resources": resources, **fields}


TOTALS = {
    "containers add up": ({"containers": [container("1"), container("500m")]}, "1500m"),
    "a big init container decides": ({"initContainers": [container("3")], "containers": [container("1")]}, "3"),
    "a sidecar runs beside the containers": (
        {"initContainers": [container("1", restartPolicy="Always")], "containers": [container("1")]},
        "2",
    ),
    "an init container runs beside the sidecars before it": (
        {"initContainers": [container("1", restartPolicy="Always"), container("2")], "containers": [container("1")]},
        "3",
    ),
    "overhead comes on top": ({"containers": [container("1")], "overhead": {"cpu": "100m"}}, "1100m"),
    "the pod's own request stands for its containers'": (
        {"containers": [container("1")], "resources": {"requests": {"cpu": "4"}}},
        "4",
    ),
}


@pytest.mark.parametrize("spec, total", TOTALS.values(), ids=TOTALS)
def test_requests(spec, total):
    assert str(requests(msgspec.convert(spec, PodSpec))["cpu"]) == total


def test_limits_add_up_too():
    spec = msgspec.convert({"containers": [container("1", "2"), container("1", "2")]}, PodSpec)
    assert str(limits(spec)["cpu"]) == "4"


def test_a_node_is_ready_when_it_says_so():
    ready = msgspec.convert({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, Node)
    silent = msgspec.convert({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}, Node)
    assert node.is_ready(ready)
    assert not node.is_ready(silent)
    assert not node.is_ready(Node())


SELECTED = {
    "of a pod that runs": {
        "spec": {
            "nodeName": "node-1",
            "restartPolicy": "Always",
            "schedulerName": "mine",
            "serviceAccountName": "default",
            "hostNetwork": True,
        },
        "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}], "nominatedNodeName": "node-2"},
    },
    "of a pod that says nothing": {},
}


@pytest.mark.parametrize("tree", SELECTED.values(), ids=SELECTED)
def test_the_selectable_fields_are_those_of_the_whole_pod(tree):
    assert pod.KIND.selects is not None
    whole, selected = msgspec.convert(tree, Pod), msgspec.convert(tree, pod.KIND.selects)
    read = pod.KIND.selectable
    assert {name: of(selected) for name, of in read.items()} == {name: of(whole) for name, of in read.items()}
