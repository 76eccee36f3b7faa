"""Which pods are alike to the scheduler, and how long what was said of one is true of the others."""

import random

import msgspec
import pytest
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import Node, Pod
from knarr.scheduler.board import Board, key_of
from knarr.scheduler.decision import Decision, schedule
from knarr.scheduler.likeness import Refusals, likeness
from knarr.scheduler.nominations import Nominations
from knarr.scheduler.preemption import conclude, ineligible, verdicts


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


CHANGES = {
    "a node": (lambda board: board.put_node(a_node("b")), False),
    "a node that goes": (lambda board: board.drop_node("a"), False),
    "a pod on a node": (lambda board: board.put_pod(a_pod("more"), "a"), False),
    "a pod that leaves": (lambda board: board.drop_pod(("n", "there")), False),
    "the labels of one": (lambda board: board.put_pod(a_pod("there", labels={"app": "y"}), "a"), False),
    "one that begins to leave": (lambda board: board.put_pod(leaving(a_pod("there")), "a"), False),
    "nothing but its status": (lambda board: board.put_pod(a_pod("there", status={"phase": "Running"}), "a"), True),
}


def leaving(pod):
    return replace(pod, metadata=replace(pod.metadata, deletionTimestamp="2026-01-01T00:00:00Z"))


@pytest.mark.parametrize("change, same", CHANGES.values(), ids=CHANGES)
def test_a_board_is_another_after_a_change_of(change, same):
    board = Board()
    board.put_node(a_node("a"))
    board.put_pod(a_pod("there"), "a")
    before = board.version
    change(board)
    assert (board.version == before) is same


APART = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "zone"}
        ]
    }
}
SPREAD = [
    {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "x"}},
    }
]


def a_node(name, cpu="2", zone="z", **spec):
    room = {"cpu": cpu, "pods": "10"}
    return msgspec.convert(
        {"metadata": {"name": name, "labels": {"zone": zone}}, "spec": spec, "status": {"allocatable": room}}, Node
    )


SHAPES = [
    {},
    {"containers": [{"name": "c", "resources": {"requests": {"cpu": "3"}}}]},
    {"priority": 5},
    {"priority": 5, "preemptionPolicy": "Never"},
    {"affinity": APART, "labels": {"app": "x"}},
    {"topologySpreadConstraints": SPREAD, "labels": {"app": "x"}},
    {"nodeSelector": {"zone": "y"}},
    {"containers": [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}]},
]


@pytest.mark.parametrize("seed", range(5))
def test_a_shared_answer_is_the_one_that_would_have_been_found(seed):
    dice, board, nominations = random.Random(seed), Board(), Nominations()

    def state():
        return board.version, nominations.version

    refusals, shared = Refusals(state), 0
    for number in range(400):
        name = f"{number % 40}"
        if dice.random() < 0.15:
            node = f"n{dice.randrange(4)}"
            board.drop_node(node) if dice.random() < 0.2 else board.put_node(a_node(node, zone=dice.choice("yz")))
        if dice.random() < 0.15:
            board.drop_pod(("n", f"{dice.randrange(40)}"))
        if board.node_of(("n", name)):
            continue
        pod = a_pod(name, **dice.choice(SHAPES))
        apart = key_of(pod) in nominations.keys
        known, found = None if apart else refusals.of(pod), decided(pod, board, nominations)
        assert known is None or known == found
        shared += known is not None
        if found.node:
            board.put_pod(pod, found.node)
            nominations.drop(key_of(pod))
        elif found.nominated:
            nominations.put(pod, found.nominated)
        elif not apart:
            refusals.put(likeness(pod), found, state())
    assert shared > 20


def decided(pod, board, nominations):
    found = schedule(pod, board.places(), nominated=nominations.by_node)
    if isinstance(found, Decision):
        return found
    why = ineligible(found, nominations.victims(key_of(pod)))
    return conclude(found, () if why else list(verdicts(found, ())), why)
