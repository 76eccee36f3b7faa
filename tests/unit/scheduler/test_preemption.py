"""Which pods go for a pod that fits nowhere, by the rules of upstream's default preemption, case by case."""

import pytest

from knarr.kinds.types.core_v1 import (
    Affinity,
    Container,
    ContainerPort,
    Node,
    NodeSpec,
    NodeStatus,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodCondition,
    PodSpec,
    PodStatus,
    ResourceRequirements,
    Taint,
    TopologySpreadConstraint,
    Volume,
)
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta
from knarr.kinds.types.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from knarr.scheduler.board import place
from knarr.scheduler.decision import Decision, schedule
from knarr.scheduler.nominations import Nominations
from knarr.scheduler.preemption import conclude, ineligible, verdicts
from knarr.scheduler.storage import Storage

NOT_HELPFUL = "{n} Preemption is not helpful for scheduling"
NO_VICTIMS = "{n} No preemption victims found for incoming pod"


def a_node(name, *, cpu="4", pods="10", taints=(), unschedulable=None, **labels):
    return Node(
        metadata=ObjectMeta(name=name, labels={"kubernetes.io/hostname": name, **labels}),
        spec=NodeSpec(taints=list(taints), unschedulable=unschedulable),
        status=NodeStatus(allocatable={"cpu": cpu, "memory": "8Gi", "pods": pods}),
    )


def a_pod(name="p", priority=0, *, cpu="1", began=0, port=0, nominated="", target="", gone=False, labels=None, **spec):
    conditions = [PodCondition(type="DisruptionTarget", status="True", reason=target)] if target else []
    container = Container(
        name="c",
        resources=ResourceRequirements(requests={"cpu": cpu}),
        ports=[ContainerPort(containerPort=80, hostPort=port)] if port else [],
    )
    return Pod(
        metadata=ObjectMeta(
            name=name,
            namespace="n",
            uid=name,
            labels=labels or {"app": name},
            deletionTimestamp="2026-01-01T00:00:00Z" if gone else "",
        ),
        spec=PodSpec(priority=priority, containers=[container], **spec),
        status=PodStatus(
            startTime=f"2026-01-01T00:{began:02}:00Z" if began else "",
            nominatedNodeName=nominated,
            conditions=conditions,
        ),
    )


def a_budget(app, allowed=0, *, namespace="n", disrupted=(), selector=True):
    return PodDisruptionBudget(
        metadata=ObjectMeta(name=app, namespace=namespace),
        spec=PodDisruptionBudgetSpec(selector=LabelSelector(matchLabels={"app": app}) if selector else LabelSelector()),
        status=PodDisruptionBudgetStatus(
            disruptionsAllowed=allowed, disruptedPods=dict.fromkeys(disrupted, "2026-01-01T00:00:00Z")
        ),
    )


def decided(pod, nodes, budgets=(), *, nominated=(), expected=(), there=None, start=0):
    nominations = Nominations()
    for guest, node in nominated:
        nominations.put(guest, node)
    if pod.status.nominatedNodeName:
        nominations.put(pod, pod.status.nominatedNodeName)
    places = [place(node, pods) for node, pods in nodes]
    found = schedule(pod, places, there, start=start, nominated=nominations.by_node)
    if isinstance(found, Decision):
        return found
    why = ineligible(found, frozenset(expected))
    return conclude(found, () if why else list(verdicts(found, budgets)), why)


def outcome(decision):
    """The victims in the order of their importance, and the node; or what is said."""
    if not decision.victims:
        return str(decision)
    return f"{' '.join(victim.metadata.name for victim in decision.victims)} on {decision.nominated}"


def refused(why, n=1, rest=""):
    return f"0/{n} nodes are available: {why}. no new claims to deallocate, preemption: {rest}"


def in_vain(why, told, n=1):
    return refused(why, n, f"0/{n} nodes are available: {told}.")


A, B, C = a_node("a"), a_node("b"), a_node("c")
GPU = Taint(key="gpu", effect="NoSchedule")
HIGH = a_pod("high", 1000, cpu="4")
TWO = a_pod("two", 1000, cpu="2")
APART = Affinity(
    podAntiAffinity=PodAntiAffinity(
        requiredDuringSchedulingIgnoredDuringExecution=[
            PodAffinityTerm(labelSelector=LabelSelector(matchLabels={"app": "x"}), topologyKey="zone")
        ]
    )
)
NEAR = Affinity(
    podAffinity=PodAffinity(
        requiredDuringSchedulingIgnoredDuringExecution=[
            PodAffinityTerm(labelSelector=LabelSelector(matchLabels={"app": "x"}), topologyKey="zone")
        ]
    )
)
EVEN = TopologySpreadConstraint(
    maxSkew=1,
    topologyKey="zone",
    whenUnsatisfiable="DoNotSchedule",
    labelSelector=LabelSelector(matchLabels={"app": "x"}),
)
X = {"app": "x"}

#: sentence -> pod, nodes with their pods, budgets, what becomes of it
RULES = {
    # which nodes
    "a node that has room without its pods of lower priority": (HIGH, [(A, [a_pod("l", cpu="4")])], (), "l on a"),
    "not a node that the pod's selector does not mean": (
        a_pod("p", 1000, nodeSelector={"disk": "ssd"}), [(A, [a_pod("l", cpu="4")])], (),
        in_vain("1 node(s) didn't match Pod's node affinity/selector", NOT_HELPFUL.format(n=1))),
    "not a node whose taints it does not tolerate": (
        HIGH, [(a_node("a", taints=[GPU]), [a_pod("l", cpu="4")])], (),
        in_vain("1 node(s) had untolerated taint(s)", NOT_HELPFUL.format(n=1))),
    "not a cordoned node": (
        HIGH, [(a_node("a", unschedulable=True), [a_pod("l", cpu="4")])], (),
        in_vain("1 node(s) were unschedulable", NOT_HELPFUL.format(n=1))),
    "not a node that is too small when empty": (
        a_pod("p", 1000, cpu="5"), [(A, [a_pod("l", cpu="4")])], (),
        in_vain("1 Insufficient cpu", NOT_HELPFUL.format(n=1))),
    "not a node too small in one of two respects": (
        a_pod("p", 1000, cpu="5"), [(a_node("a", pods="1"), [a_pod("l", cpu="1")])], (),
        in_vain("1 Insufficient cpu, 1 Too many pods", NOT_HELPFUL.format(n=1))),
    # which pods
    "nobody of the same priority": (
        a_pod("p", 5, cpu="4"), [(A, [a_pod("l", 5)])], (), in_vain("1 Insufficient cpu", NO_VICTIMS.format(n=1))),
    "nobody of a higher priority": (
        a_pod("p", 5, cpu="4"), [(A, [a_pod("l", 6)])], (), in_vain("1 Insufficient cpu", NO_VICTIMS.format(n=1))),
    "priorities below zero are lower too": (a_pod("p", 0, cpu="4"), [(A, [a_pod("l", -1)])], (), "l on a"),
    "no more than have to go": (
        TWO, [(A, [a_pod("l1", 1), a_pod("l2", 2), a_pod("l3", 3)])], (), "l1 on a"),
    "the least important first, whatever they are called": (
        TWO, [(A, [a_pod("z", 3, cpu="2"), a_pod("y", 1), a_pod("x", 2)])], (), "x y on a"),
    "of equals those who began last": (
        TWO, [(A, [a_pod("old", began=1, cpu="2"), a_pod("new", began=2, cpu="2")])], (), "new on a"),
    "who has not begun began last": (
        TWO, [(A, [a_pod("starting", cpu="2"), a_pod("old", began=9, cpu="2")])], (), "starting on a"),
    "a small one is spared beside a large one": (
        a_pod("p", 1000, cpu="3"), [(A, [a_pod("large", 2, cpu="3"), a_pod("small", 1)])], (), "large on a"),
    "in vain where those who stay take too much": (
        HIGH, [(A, [a_pod("l"), a_pod("peer", 1000)])], (), in_vain("1 Insufficient cpu", "1 Insufficient cpu")),
    "in vain, node by node": (
        HIGH,
        [(A, [a_pod("l"), a_pod("peer", 1000)]), (B, [a_pod("other", 1000)]), (a_node("c", taints=[GPU]), [])], (),
        in_vain("1 node(s) had untolerated taint(s), 2 Insufficient cpu",
                "1 Insufficient cpu, 1 No preemption victims found for incoming pod, "
                "1 Preemption is not helpful for scheduling", 3)),
    "for a place among too many pods": (
        a_pod("p", 1), [(a_node("a", pods="2"), [a_pod("l1", -1), a_pod("l2", 0)])], (), "l1 on a"),
    "for a host port": (
        a_pod("p", 1, port=80), [(A, [a_pod("l", port=80), a_pod("m", port=81)])], (), "l on a"),
    "in vain for a host port of a peer": (
        a_pod("p", 1, port=80), [(A, [a_pod("peer", 1, port=80), a_pod("l")])], (),
        in_vain("1 node(s) didn't have free ports for the requested pod ports",
                "1 node(s) didn't have free ports for the requested pod ports")),
    # budgets
    "who is protected is spared before who is more important": (
        TWO, [(A, [a_pod("kept", 1, cpu="2"), a_pod("free", 2, cpu="2")])], [a_budget("kept")], "free on a"),
    "a budget that allows it protects nobody": (
        TWO, [(A, [a_pod("kept", 1, cpu="2"), a_pod("free", 2, cpu="2")])], [a_budget("kept", 1)], "kept on a"),
    "a budget of another namespace protects nobody": (
        TWO, [(A, [a_pod("kept", 1, cpu="2"), a_pod("free", 2, cpu="2")])], [a_budget("kept", namespace="o")],
        "kept on a"),
    "a budget that selects everything protects nobody": (
        TWO, [(A, [a_pod("kept", 1, cpu="2"), a_pod("free", 2, cpu="2")])], [a_budget("kept", selector=False)],
        "kept on a"),
    "a pod that its budget has let go is not protected": (
        TWO, [(A, [a_pod("kept", 1, cpu="2"), a_pod("free", 2, cpu="2")])], [a_budget("kept", disrupted=["kept"])],
        "kept on a"),
    "protected pods go where there is no other way": (HIGH, [(A, [a_pod("kept", cpu="4")])], [a_budget("kept")],
        "kept on a"),
    "a budget lets the most important go first": (
        HIGH, [(A, [a_pod("x1", 2, labels=X, cpu="2"), a_pod("x2", 1, labels=X, cpu="2")])], [a_budget("x", 1)],
        "x1 x2 on a"),
    # which of several nodes
    "the node where fewest budgets are overdrawn": (
        HIGH, [(A, [a_pod("kept", 1, cpu="4")]), (B, [a_pod("free", 100, cpu="4")])], [a_budget("kept")], "free on b"),
    "then whose most important victim matters least": (
        HIGH, [(A, [a_pod("l1", 5, cpu="4")]), (B, [a_pod("l2", 4, cpu="2"), a_pod("l3", 4, cpu="2")])], (),
        "l2 l3 on b"),
    "then where priorities add up to least": (
        HIGH, [(A, [a_pod("l1", 5, cpu="2"), a_pod("l2", 4, cpu="2")]),
               (B, [a_pod("l3", 5, cpu="2"), a_pod("l4", 3, cpu="2")])], (), "l3 l4 on b"),
    "of priorities below zero fewer add up to less": (
        a_pod("p", 0, cpu="4"),
        [(A, [a_pod("l1", -5, cpu="2"), a_pod("l2", -5, cpu="2")]), (B, [a_pod("l3", -5, cpu="4")])], (), "l3 on b"),
    "then where the most important began last": (
        HIGH, [(A, [a_pod("l1", 5, began=1, cpu="2"), a_pod("l2", 3, began=9, cpu="2")]),
               (B, [a_pod("l3", 5, began=2, cpu="2"), a_pod("l4", 3, began=1, cpu="2")])], (), "l3 l4 on b"),
    "of the most important the one that began first counts": (
        HIGH, [(A, [a_pod("l1", 5, began=1, cpu="2"), a_pod("l2", 5, began=9, cpu="2")]),
               (B, [a_pod("l3", 5, began=2, cpu="2"), a_pod("l4", 5, began=3, cpu="2")])], (), "l3 l4 on b"),
    "then the first": (HIGH, [(A, [a_pod("l1", cpu="4")]), (B, [a_pod("l2", cpu="4")])], (), "l1 on a"),
    # whether at all
    "a pod that will not have others go": (
        a_pod("p", 1000, cpu="4", preemptionPolicy="Never"), [(A, [a_pod("l")])], (),
        refused("1 Insufficient cpu", rest="not eligible due to preemptionPolicy=Never.")),
    "a pod whose victims are on their way out waits": (
        a_pod("p", 1000, cpu="4", nominated="a"),
        [(A, [a_pod("l", cpu="4", gone=True, target="PreemptionByScheduler")]), (B, [a_pod("m", cpu="4")])], (),
        refused("2 Insufficient cpu", 2, "not eligible due to a terminating pod on the nominated node.")),
    "one whose node is left by a pod for another reason does not": (
        a_pod("p", 1000, cpu="4", nominated="a"), [(A, [a_pod("l", cpu="4", gone=True)])], (), "l on a"),
    "one whose node is left by a peer does not": (
        a_pod("p", 1000, cpu="4", nominated="a"),
        [(A, [a_pod("l", 1000, cpu="4", gone=True, target="PreemptionByScheduler")]), (B, [a_pod("m", cpu="4")])], (),
        "m on b"),
    "one whose node no longer comes into question looks for another": (
        a_pod("p", 1000, cpu="4", nominated="a"),
        [(a_node("a", unschedulable=True), [a_pod("l", cpu="4", gone=True, target="PreemptionByScheduler")]),
         (B, [a_pod("m", cpu="4")])], (), "m on b"),
    "one whose node is gone looks for another": (
        a_pod("p", 1000, cpu="4", nominated="gone"), [(B, [a_pod("m", cpu="4")])], (), "m on b"),
    # rules that look at other nodes
    "for distance from pods of lower priority": (
        a_pod("p", 1, affinity=APART), [(a_node("a", zone="1"), [a_pod("l", labels=X), a_pod("m")])], (), "l on a"),
    "in vain when such a pod is on another node of the zone": (
        a_pod("p", 1, affinity=APART),
        [(a_node("a", zone="1"), [a_pod("l", labels=X)]), (a_node("b", zone="1"), [a_pod("m", labels=X)])], (),
        in_vain("2 node(s) didn't match pod anti-affinity rules", "2 node(s) didn't match pod anti-affinity rules", 2)),
    "for distance that a pod of lower priority keeps": (
        a_pod("p", 1, labels=X), [(a_node("a", zone="1"), [a_pod("l", affinity=APART), a_pod("m")])], (), "l on a"),
    "in vain when the pod wants its victims near": (
        a_pod("p", 1, cpu="4", affinity=NEAR), [(a_node("a", zone="1"), [a_pod("l", labels=X)])], (),
        in_vain("1 Insufficient cpu", "1 node(s) didn't match pod affinity rules")),
    "for an even spread": (
        a_pod("p", 1, labels=X, cpu="2", topologySpreadConstraints=[EVEN]),
        [(a_node("a", zone="1"), [a_pod("x1", labels=X)]), (a_node("b", zone="2"), [a_pod("full", 1, cpu="4")])], (),
        "x1 on a"),
}  # fmt: skip


@pytest.mark.parametrize(("pod", "nodes", "budgets", "becomes"), RULES.values(), ids=RULES)
def test_preemption(pod, nodes, budgets, becomes):
    assert outcome(decided(pod, nodes, budgets)) == becomes


def test_what_is_told_of_a_pod_that_others_go_for_says_nothing_of_preemption():
    found = decided(HIGH, [(A, [a_pod("l", cpu="4")])])
    assert (found.message, found.nominated) == ("0/1 nodes are available: 1 Insufficient cpu.", "a")


#: sentence -> pod, its preemption in vain or not to be tried, where it is said to be nominated then
NOMINATIONS = {
    "a pod that nothing helps is no longer nominated": (a_pod("p", cpu="4"), [(A, [a_pod("l")])], ""),
    "nor one without nodes": (a_pod("p"), [], ""),
    "one that may not have others go stays as it was": (
        a_pod("p", cpu="4", preemptionPolicy="Never"), [(A, [a_pod("l")])], None),
    "one that waits for its victims stays as it was": (
        a_pod("p", 1, cpu="4", nominated="a"), [(A, [a_pod("l", gone=True, target="PreemptionByScheduler")])], None),
}  # fmt: skip


@pytest.mark.parametrize(("pod", "nodes", "nominated"), NOMINATIONS.values(), ids=NOMINATIONS)
def test_nomination(pod, nodes, nominated):
    assert decided(pod, nodes).nominated == nominated


def test_a_pod_waits_for_victims_of_whom_nothing_is_seen_yet():
    pod = a_pod("p", 1, cpu="4", nominated="a")
    nodes = [(A, [a_pod("l", cpu="4")]), (B, [a_pod("m", cpu="4")])]
    assert "terminating pod on the nominated node" in decided(pod, nodes, expected={"l"}).message
    assert outcome(decided(pod, nodes, expected={"other"})) == "l on a"


#: sentence -> the pod, who is nominated to a, what becomes of it where a has room and b is worse
GUESTS = {
    "room for one of higher priority is not taken": (a_pod("p", 1, cpu="3"), a_pod("g", 2, cpu="3"), "to b"),
    "nor that for one of the same priority": (a_pod("p", 2, cpu="3"), a_pod("g", 2, cpu="3"), "to b"),
    "that for one of lower priority is": (a_pod("p", 3, cpu="3"), a_pod("g", 2, cpu="3"), "to a"),
    "room beside one of higher priority is taken": (a_pod("p", 1, cpu="1"), a_pod("g", 2, cpu="3"), "to a"),
    "the pod itself is not in its own way": (a_pod("p", 1, cpu="3"), a_pod("p", 1, cpu="3"), "to a"),
    "whose distance has to be kept": (a_pod("p", 1, affinity=APART), a_pod("g", 2, labels=X), "to b"),
    "who keeps a distance itself": (a_pod("p", 1, labels=X), a_pod("g", 2, affinity=APART), "to b"),
    "who is wanted near is not there yet": (
        a_pod("p", 1, affinity=NEAR), a_pod("g", 2, labels=X), "2 node(s) didn't match pod affinity rules"),
}  # fmt: skip


@pytest.mark.parametrize(("pod", "guest", "becomes"), GUESTS.values(), ids=GUESTS)
def test_pods_nominated_to_a_node(pod, guest, becomes):
    nodes = [(a_node("a", zone="1"), []), (a_node("b", zone="2"), [a_pod("busy", 5)])]
    found = decided(pod, nodes, nominated=[(guest, "a")])
    assert becomes in str(found)


def test_the_node_that_a_pod_is_nominated_to_is_taken_before_better_ones():
    nodes = [(A, []), (B, [a_pod("busy", cpu="2")])]
    assert str(decided(a_pod("p", 1, nominated="b"), nodes)) == "to b"
    assert str(decided(a_pod("p", 1), nodes)) == "to a"


def test_no_victims_are_sought_where_another_has_been_promised_the_room():
    nodes = [(A, [a_pod("l", cpu="4")])]
    found = decided(TWO, nodes, nominated=[(a_pod("g", 1000, cpu="4"), "a")])
    assert found.message == in_vain("1 Insufficient cpu", "1 Insufficient cpu")


def test_a_hundred_candidates_are_enough_and_a_tenth_of_many():
    for number, looked_at in ((50, 50), (150, 100), (1500, 150)):
        nodes = [(a_node(f"n{n}"), [a_pod(f"l{n}", cpu="4")]) for n in range(number)]
        refusal = schedule(HIGH, [place(node, pods) for node, pods in nodes])
        assert len(list(verdicts(refusal, ()))) == looked_at


def test_while_all_candidates_overdraw_a_budget_the_others_are_looked_at_too():
    nodes = [(a_node(f"n{n}"), [a_pod("kept", cpu="4")]) for n in range(149)] + [(A, [a_pod("free", cpu="4")])]
    assert outcome(decided(HIGH, nodes, [a_budget("kept")])) == "free on a"


def test_a_claim_of_one_pod_alone_is_taken_from_one_of_lower_priority():
    volume = Volume(name="v", persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName="c"))
    claim = PersistentVolumeClaim(
        metadata=ObjectMeta(name="c", namespace="n", annotations={"pv.kubernetes.io/bind-completed": "yes"}),
        spec=PersistentVolumeClaimSpec(accessModes=["ReadWriteOncePod"], volumeName="v"),
        status=PersistentVolumeClaimStatus(phase="Bound"),
    )
    there = Storage({"c": claim}, {}, lambda name: PersistentVolume(metadata=ObjectMeta(name="v")))
    user = a_pod("l", volumes=[volume])
    found = decided(a_pod("p", 1, volumes=[volume]), [(A, [user, a_pod("m")]), (B, [a_pod("o")])], there=there)
    assert outcome(found) == "l on a"
