"""Which pods that rest a change wakes."""

import msgspec
import pytest

from knarr.kinds.types.core_v1 import (
    Affinity,
    Container,
    Node,
    NodeSpec,
    NodeStatus,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodCondition,
    PodSpec,
    PodStatus,
    ResourceRequirements,
    Taint,
    TopologySpreadConstraint,
    Volume,
)
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta
from knarr.scheduler.board import place
from knarr.scheduler.hints import has_claims, looks_at_others, room_on


def a_pod(name="p", cpu="1", **spec):
    container = Container(name="c", resources=ResourceRequirements(requests={"cpu": cpu}))
    return Pod(metadata=ObjectMeta(name=name, namespace="n"), spec=PodSpec(containers=[container], **spec))


def a_node(taints=(), **labels):
    meta = ObjectMeta(name="a", labels=labels)
    return Node(metadata=meta, spec=NodeSpec(taints=list(taints)), status=NodeStatus(allocatable=ROOM))


ROOM = {"cpu": "2", "memory": "1Gi", "pods": "10"}
TERM = PodAffinityTerm(labelSelector=LabelSelector(matchLabels={"app": "x"}), topologyKey="zone")
NEAR = Affinity(podAffinity=PodAffinity(requiredDuringSchedulingIgnoredDuringExecution=[TERM]))
SPREAD = TopologySpreadConstraint(maxSkew=1, topologyKey="zone", whenUnsatisfiable="DoNotSchedule")
CLAIM = Volume(name="v", persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName="data"))
TAINTED = a_node([Taint(key="k", effect="NoSchedule")])

CASES = {
    "a pod that the node would take": (a_pod(), a_node(), True),
    "not one that asks for more than is free": (a_pod(cpu="3"), a_node(), False),
    "not one that does not tolerate the node": (a_pod(), TAINTED, False),
    "not one that wants another node": (a_pod(nodeSelector={"disk": "ssd"}), a_node(), False),
    "one whose node it has become": (a_pod(nodeSelector={"disk": "ssd"}), a_node(disk="ssd"), True),
    "one that wants others near, wherever they are": (a_pod(affinity=NEAR), TAINTED, True),
    "one that spreads, wherever": (a_pod(topologySpreadConstraints=[SPREAD]), TAINTED, True),
    "one with claims, whose volumes may be elsewhere": (a_pod(volumes=[CLAIM]), TAINTED, True),
}


#: sentence -> pod, the pods that the node is full of, whether it is woken
CROWDED = {
    "not a pod that is no more important": (a_pod(priority=1), [a_pod(priority=1, cpu="2")], False),
    "a more important one": (a_pod(priority=2), [a_pod(priority=1, cpu="2")], True),
    "not one that will not have others go": (
        a_pod(priority=2, preemptionPolicy="Never"), [a_pod(priority=1, cpu="2")], False),
    "not one too large for what the unimportant leave": (
        a_pod(priority=2, cpu="2"), [a_pod(priority=1), a_pod("o", priority=3)], False),
}  # fmt: skip


@pytest.mark.parametrize("pod, there, woken", CROWDED.values(), ids=CROWDED)
def test_a_full_node_wakes(pod, there, woken):
    assert room_on(place(a_node(), there))(pod) is woken


def test_a_pod_that_waits_for_its_victims_is_not_woken_by_each_of_them():
    pod, node = a_pod(priority=2, cpu="2"), a_node()
    target = PodCondition(type="DisruptionTarget", status="True", reason="PreemptionByScheduler")
    victim = msgspec.structs.replace(
        a_pod("v", priority=1),
        metadata=ObjectMeta(name="v", namespace="n", deletionTimestamp="2026-01-01T00:00:00Z"),
        status=PodStatus(conditions=[target]),
    )
    nominated = {"a": {("n", "p"): pod}}
    assert not room_on(place(node, [victim]), nominated)(pod)
    assert room_on(place(node), nominated)(pod)


def test_a_pod_that_is_nominated_to_a_node_is_not_woken_for_the_sake_of_other_victims():
    pod, full = a_pod(priority=2, cpu="2"), [a_pod("v", priority=1)]
    assert not room_on(place(a_node(), full), {"b": {("n", "p"): pod}})(pod)
    assert room_on(place(a_node(), full))(pod)


@pytest.mark.parametrize("pod, node, woken", CASES.values(), ids=CASES)
def test_a_node_wakes(pod, node, woken):
    assert room_on(place(node))(pod) is woken


def test_storage_wakes_the_pods_that_have_claims():
    assert has_claims(a_pod(volumes=[CLAIM]))
    assert not has_claims(a_pod())


def test_pods_wake_those_that_look_at_others():
    assert [looks_at_others(pod) for pod in (a_pod(affinity=NEAR), a_pod(volumes=[CLAIM]), a_pod())] == [
        True,
        False,
        False,
    ]
