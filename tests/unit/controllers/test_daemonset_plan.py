"""What one pass over a DaemonSet does, rule by rule: which nodes it wants, and how an update goes about."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from knarr.controllers.daemonset import moves_pods, status
from knarr.controllers.daemonset_nodes import HASH, TOLERATED, Fit, bound_for, fit, new_pod, spec_of, target
from knarr.controllers.daemonset_plan import BURST, Snapshot, plan
from knarr.kinds.daemonset import TEMPLATE_GENERATION
from knarr.kinds.types.apps_v1 import DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, RollingUpdateDaemonSet
from knarr.kinds.types.core_v1 import (
    Affinity,
    Container,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    NodeSpec,
    PodCondition,
    PodSpec,
    PodTemplateSpec,
    Taint,
    Toleration,
)
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta
from knarr.meta import clock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW = "old", "new"


def a_set(unavailable=1, surge=None, *, strategy="RollingUpdate", deleting=False, min_ready=None, **spec):
    rolling = RollingUpdateDaemonSet(maxUnavailable=unavailable, maxSurge=surge)
    rolls = {"rollingUpdate": rolling} if strategy == "RollingUpdate" else {}
    return DaemonSet(
        metadata=ObjectMeta(
            name="ds",
            namespace="n",
            uid="ds",
            generation=2,
            annotations={TEMPLATE_GENERATION: "2"},
            deletionTimestamp="2026-01-01T00:00:00Z" * deleting,
        ),
        spec=DaemonSetSpec(
            selector=LabelSelector(matchLabels={"app": "x"}),
            minReadySeconds=min_ready,
            updateStrategy=DaemonSetUpdateStrategy(type=strategy, **rolls),
            template=PodTemplateSpec(
                metadata=ObjectMeta(labels={"app": "x"}),
                spec=PodSpec(containers=[Container(name="c", image="i")], **spec),
            ),
        ),
    )


def a_pod(node, of=NEW, *, ready=True, phase="Running", deleting=False, unbound=False, age=60, suffix="", since=3600):
    made = new_pod(a_set(), node, of)
    labels = {**made.metadata.labels, "pod-template-generation": "2" if of == NEW else "1"}
    time = clock.timestamp(NOW - timedelta(seconds=since))
    condition = PodCondition(type="Ready", status="True" if ready else "False", lastTransitionTime=time)
    meta = replace(
        made.metadata,
        name=f"{of}-{node}{suffix}",
        uid=f"{of}-{node}{suffix}",
        labels=labels,
        creationTimestamp=clock.timestamp(NOW - timedelta(minutes=age)),
        deletionTimestamp="2026-01-01T00:00:00Z" * deleting,
    )
    spec = replace(made.spec, nodeName="" if unbound else node)
    return replace(made, metadata=meta, spec=spec, status=replace(made.status, phase=phase, conditions=[condition]))


WANTED, KEPT, UNFIT = Fit(True, True), Fit(False, True), Fit(False, False)


def view(set_, pods, nodes="abc", fits=None, failing=None):
    return Snapshot(set_, {**dict.fromkeys(nodes, WANTED), **(fits or {})}, pods, NEW, NOW, failing or {})


def lines(snapshot):
    return sorted(shown(step) for step in plan(snapshot))


def shown(step):
    line = str(step)
    return f"create {line.rpartition(' ')[2]}" if line.startswith("create") else line.replace("delete pod ", "delete ")


def everywhere(of, **given):
    return [a_pod(node, of, **given) for node in "abc"]


FAILED = "event on daemonset ds: FailedDaemonPod: Found failed daemon pod n/new-a on node a, will try to kill it"
SUCCEEDED = (
    "event on daemonset ds: SucceededDaemonPod: Found succeeded daemon pod n/new-a on node a, will try to delete it"
)
NODES = {
    "every node that wants one gets one": (view(a_set(), []), ["create a", "create b", "create c"]),
    "a node that has one gets no other": (view(a_set(), [a_pod("a")]), ["create b", "create c"]),
    "a pod bound for a node counts before it is there": (view(a_set(), [a_pod("a", unbound=True)], "a"), []),
    "a node that comes gets one": (view(a_set(), everywhere(NEW), "abcd"), ["create d"]),
    "a node that wants none keeps what is there": (
        view(a_set(), everywhere(NEW), fits={"a": KEPT}), [],
    ),
    "a node that may have none loses its pod": (
        view(a_set(), everywhere(NEW), fits={"a": UNFIT}), ["delete new-a: not wanted here"],
    ),
    "a pod that goes already is not deleted again": (
        view(a_set(), [a_pod("a", deleting=True)], "", fits={"a": UNFIT}), [],
    ),
    "a pod for a node that is gone goes before it is scheduled": (
        view(a_set(), [a_pod("z", unbound=True)], ""), ["delete new-z: no such node"],
    ),
    "a pod on a node that is gone is others' to collect": (view(a_set(), [a_pod("z")], ""), []),
    "of two pods on a node the older stays": (
        view(a_set(), [a_pod("a", age=5, suffix="2"), a_pod("a", age=9)], "a"), ["delete new-a2: another is there"],
    ),
    "of two pods the one with a node stays": (
        view(a_set(), [a_pod("a", age=9, unbound=True, suffix="2"), a_pod("a", age=5)], "a"),
        ["delete new-a2: another is there"],
    ),
    "a pod that goes holds its place": (view(a_set(), [a_pod("a", deleting=True)], "a"), []),
    "a pod that has ended and goes, but for a finalizer, holds it no longer": (
        view(a_set(), [a_pod("a", phase="Failed", ready=False, deleting=True)], "a"), ["create a"],
    ),
    "a failed pod goes, and it is told": (
        view(a_set(), [a_pod("a", phase="Failed", ready=False)], "a"), ["delete new-a: failed", FAILED],
    ),
    "a failed pod stays for its back-off": (
        view(a_set(), [a_pod("a", phase="Failed", ready=False)], "a", failing={"a": 3.0}),
        ["wait for new-a: failed, replaced in 3 s"],
    ),
    "a pod that succeeded goes, and it is told": (
        view(a_set(), [a_pod("a", phase="Succeeded", ready=False)], "a"), ["delete new-a: succeeded", SUCCEEDED],
    ),
    "a set that goes does nothing": (view(a_set(deleting=True), []), []),
}  # fmt: skip

ROLLING = {
    "one goes at a time": (view(a_set(), everywhere(OLD)), ["delete old-a: outdated"]),
    "two go at a time": (view(a_set(2), everywhere(OLD)), ["delete old-a: outdated", "delete old-b: outdated"]),
    "percentages round up": (
        view(a_set("34%"), everywhere(OLD)), ["delete old-a: outdated", "delete old-b: outdated"],
    ),
    "none goes while another is missing": (
        view(a_set(), [a_pod("a", deleting=True), *everywhere(OLD)[1:]]), [],
    ),
    "none goes while a new one is not available": (
        view(a_set(), [a_pod("a", ready=False), *everywhere(OLD)[1:]]), [],
    ),
    "none goes while a new one is not ready for long enough": (
        view(a_set(min_ready=10), [a_pod("a", since=9), *everywhere(OLD)[1:]]), [],
    ),
    "the next goes when it is": (
        view(a_set(min_ready=10), [a_pod("a", since=10), *everywhere(OLD)[1:]]), ["delete old-b: outdated"],
    ),
    "unavailable old pods go all at once": (
        view(a_set(), everywhere(OLD, ready=False)),
        ["delete old-a: outdated", "delete old-b: outdated", "delete old-c: outdated"],
    ),
    "an unavailable old pod counts among those that may be missing": (
        view(a_set(), [a_pod("a", OLD, ready=False), *everywhere(OLD)[1:]]), ["delete old-a: outdated"],
    ),
    "pods are filled in before more go": (view(a_set(), everywhere(OLD)[1:]), ["create a"]),
    "all are new": (view(a_set(), everywhere(NEW)), []),
    "OnDelete deletes nothing": (view(a_set(strategy="OnDelete"), everywhere(OLD)), []),
    "OnDelete fills in the new revision": (view(a_set(strategy="OnDelete"), everywhere(OLD)[1:]), ["create a"]),
    "a node that wants none any more loses its old one": (
        view(a_set(), [a_pod("a", OLD)], "", fits={"a": KEPT}), ["delete old-a: outdated"],
    ),
    "in its turn": (
        view(a_set(), [a_pod("b", NEW, ready=False), a_pod("a", OLD)], "b", fits={"a": KEPT}), [],
    ),
    "and keeps a new one": (view(a_set(), [a_pod("a", NEW)], "", fits={"a": KEPT}), []),
}  # fmt: skip

SURGING = {
    "a new pod comes beside the old one": (view(a_set(0, 1), everywhere(OLD)), ["create a"]),
    "percentages round up": (view(a_set(0, "34%"), everywhere(OLD)), ["create a", "create b"]),
    "none comes while one has two": (
        view(a_set(0, 1), [*everywhere(OLD), a_pod("a", ready=False)]), [],
    ),
    "the old one goes when the new one is available": (
        view(a_set(0, 1), [*everywhere(OLD), a_pod("a")]), ["delete old-a: outdated"],
    ),
    "the old one stays until the new one is ready for long enough": (
        view(a_set(0, 1, min_ready=10), [*everywhere(OLD), a_pod("a", since=9)]), [],
    ),
    "an old one that is not ready gives way at once": (
        view(a_set(0, 1), [a_pod("a", OLD, ready=False), a_pod("a", ready=False)], "a"), ["delete old-a: outdated"],
    ),
    "where the old one is not available a new one comes beyond the surge": (
        view(a_set(0, 1), everywhere(OLD, ready=False)), ["create a", "create b", "create c"],
    ),
    "all are new": (view(a_set(0, 1), everywhere(NEW)), []),
    "a node that wants none any more loses its old one once enough others are available": (
        view(a_set(0, 1), [a_pod("a", OLD), a_pod("b", NEW)], "b", fits={"a": KEPT}),
        ["delete old-a: not wanted here"],
    ),
    "and not before": (
        view(a_set(0, 1), [a_pod("a", OLD), a_pod("b", NEW, ready=False)], "b", fits={"a": KEPT}), [],
    ),
    "but at once where it is not available": (
        view(a_set(0, 1), [a_pod("a", OLD, ready=False), a_pod("b", NEW, ready=False)], "b", fits={"a": KEPT}),
        ["delete old-a: not wanted here"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("snapshot", "wanted"), NODES.values(), ids=NODES)
def test_nodes(snapshot, wanted):
    assert lines(snapshot) == sorted(wanted)


@pytest.mark.parametrize(("snapshot", "wanted"), ROLLING.values(), ids=ROLLING)
def test_a_rolling_update(snapshot, wanted):
    assert lines(snapshot) == wanted


@pytest.mark.parametrize(("snapshot", "wanted"), SURGING.values(), ids=SURGING)
def test_an_update_with_a_surge(snapshot, wanted):
    assert lines(snapshot) == wanted


def test_one_pass_does_no_more_than_a_burst():
    assert len(plan(view(a_set(), [], [f"n{number}" for number in range(2 * BURST)]))) == BURST


def test_what_is_done_and_what_fails_is_told():
    (step,) = plan(view(a_set(), [], "a"))
    assert step.note.done == ("SuccessfulCreate", "Created pod: {name}")
    assert step.note.failed == ("FailedCreate", "Error creating: {error}")


# Which nodes


def a_node(*taints, **labels):
    return Node(
        metadata=ObjectMeta(name="a", labels=labels),
        spec=NodeSpec(taints=[Taint(key=key, effect=effect) for key, effect in taints]),
    )


def affine(*terms):
    required = NodeSelector(nodeSelectorTerms=list(terms))
    return Affinity(nodeAffinity=NodeAffinity(requiredDuringSchedulingIgnoredDuringExecution=required))


def a_term(key, *values):
    return NodeSelectorTerm(matchExpressions=[NodeSelectorRequirement(key=key, operator="In", values=list(values))])


TOLERANT = Toleration(key="mine", operator="Exists")
FITS = {
    "any node": (a_set(), a_node(), WANTED),
    "the node selector's": (a_set(nodeSelector={"disk": "ssd"}), a_node(disk="ssd"), WANTED),
    "not without the node selector's label": (a_set(nodeSelector={"disk": "ssd"}), a_node(), UNFIT),
    "the affinity's": (a_set(affinity=affine(a_term("zone", "x"))), a_node(zone="x"), WANTED),
    "not against the affinity": (a_set(affinity=affine(a_term("zone", "x"))), a_node(zone="y"), UNFIT),
    "any term of the affinity will do": (
        a_set(affinity=affine(a_term("zone", "x"), a_term("zone", "y"))), a_node(zone="y"), WANTED,
    ),
    "the node that the template names": (a_set(nodeName="a"), a_node(), WANTED),
    "not another than the template names": (a_set(nodeName="b"), a_node(), UNFIT),
    "not a node that is for others, but a pod may stay": (a_set(), a_node(("mine", "NoSchedule")), KEPT),
    "not a node that drives pods away, and none may stay": (a_set(), a_node(("mine", "NoExecute")), UNFIT),
    "what is tolerated does not matter": (a_set(tolerations=[TOLERANT]), a_node(("mine", "NoExecute")), WANTED),
    "a preference does not matter": (a_set(), a_node(("mine", "PreferNoSchedule")), WANTED),
    **{f"a node with {key}": (a_set(), a_node((key, effect)), WANTED) for key, effect in TOLERATED},
    "not a node without network": (a_set(), a_node(("node.kubernetes.io/network-unavailable", "NoSchedule")), KEPT),
    "a node without network for what has the host's": (
        a_set(hostNetwork=True), a_node(("node.kubernetes.io/network-unavailable", "NoSchedule")), WANTED,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("set_", "node", "wanted"), FITS.values(), ids=FITS)
def test_which_nodes_are_wanted(set_, node, wanted):
    assert fit(spec_of(set_), node) == wanted


def test_a_pod_is_bound_for_its_node_and_keeps_its_other_affinity():
    other = affine(a_term("zone", "x"))
    made = new_pod(a_set(affinity=other), "a", NEW)
    assert target(made) == "a"
    assert (made.metadata.labels[HASH], made.metadata.generateName) == (NEW, "ds-")
    assert bound_for(None, "b").nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[
        0
    ].matchFields == [NodeSelectorRequirement(key="metadata.name", operator="In", values=["b"])]


def test_a_toleration_that_the_template_has_is_not_added_again():
    own = Toleration(key=TOLERATED[0][0], operator="Exists", effect=TOLERATED[0][1])
    assert spec_of(a_set(tolerations=[own])).tolerations.count(own) == 1


def test_nodes_matter_by_their_labels_and_taints_alone():
    before = a_node(zone="x")
    assert moves_pods(before, a_node(zone="y"))
    assert moves_pods(before, a_node(("mine", "NoSchedule"), zone="x"))
    assert not moves_pods(before, replace(before, metadata=replace(before.metadata, resourceVersion="9")))


def test_the_status_counts_nodes_by_their_oldest_pod():
    pods = [
        a_pod("a"), a_pod("b", OLD), a_pod("c", ready=False), a_pod("d"), a_pod("a", OLD, ready=False, age=1),
    ]  # fmt: skip
    made = status(view(a_set(), pods, "abce", fits={"d": KEPT}), 0)
    assert (made.desiredNumberScheduled, made.currentNumberScheduled, made.numberMisscheduled) == (4, 3, 1)
    assert (made.numberReady, made.numberAvailable, made.numberUnavailable) == (2, 2, 2)
    assert (made.updatedNumberScheduled, made.observedGeneration) == (2, 2)
