"""Which pods are alike to the scheduler, and how long what was said of one is true of the others."""

import msgspec
import pytest
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import Pod
from knarr.scheduler.decision import Decision
from knarr.scheduler.likeness import Refusals, likeness


def a_pod(name="a", labels=None, status=None, **spec):
    tree = {
        "metadata": {"name": name, "namespace": "n", "labels": labels or {"app": "web"}},
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]} | spec,
        "status": status or {},
    }
    return msgspec.convert(tree, Pod)


def volume(source, name="v"):
    return {"volumes": [{"name": name, **source}]}


ALIKE = {
    "two names": a_pod("b"),
    "a token of one's own": a_pod(**volume({"projected": {"sources": []}}, "kube-api-access-x1")),
    "a host name": a_pod(hostname="b-1"),
}
OTHERS = {
    "labels": a_pod(labels={"app": "db"}),
    "requests": a_pod(containers=[{"name": "c", "resources": {"requests": {"cpu": "2"}}}]),
    "priority": a_pod(priority=5),
    "a selector of nodes": a_pod(nodeSelector={"disk": "fast"}),
    "tolerations": a_pod(tolerations=[{"operator": "Exists"}]),
    "ports": a_pod(containers=[{"name": "c", "ports": [{"containerPort": 1, "hostPort": 1}]}]),
}
ALONE = {
    "a claim": a_pod(**volume({"persistentVolumeClaim": {"claimName": "data"}})),
    "a claim made for it": a_pod(**volume({"ephemeral": {}})),
    "a disk": a_pod(**volume({"gcePersistentDisk": {"pdName": "d"}})),
    "room made for it": a_pod(status={"nominatedNodeName": "node-1"}),
}


@pytest.mark.parametrize("other", ALIKE.values(), ids=ALIKE)
def test_what_makes_no_difference(other):
    assert likeness(other) == likeness(a_pod()) is not None


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_what_makes_a_difference(other):
    assert likeness(other) not in (None, likeness(a_pod()))


@pytest.mark.parametrize("pod", ALONE.values(), ids=ALONE)
def test_who_is_like_no_other(pod):
    assert likeness(pod) is None


def test_another_namespace_is_a_difference():
    pod = a_pod()
    elsewhere = replace(pod, metadata=replace(pod.metadata, namespace="m"))
    assert likeness(elsewhere) != likeness(pod)


def test_a_refusal_is_true_of_those_alike_until_something_changes():
    state = [0]
    refusals = Refusals(lambda: (state[0],))
    said = Decision(message="0/3 nodes are available")
    refusals.put(likeness(a_pod()), said, (0,))
    assert refusals.of(a_pod("b")) is said
    assert refusals.of(a_pod("b", priority=1)) is None
    state[0] = 1
    assert refusals.of(a_pod("b")) is None


def test_what_changed_during_a_decision_is_not_covered_up():
    state = [0]
    refusals = Refusals(lambda: (state[0],))
    state[0] = 1
    refusals.put(likeness(a_pod()), Decision(message="old"), (0,))
    assert refusals.of(a_pod("b")) is None
