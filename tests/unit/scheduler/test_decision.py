"""Where a pod goes, or why nowhere, case by case."""

from random import Random

import msgspec
import pytest

from knarr.kinds.types.core_v1 import (
    Affinity,
    Container,
    ContainerPort,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    NodeSpec,
    NodeStatus,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
    PersistentVolumeStatus,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodSpec,
    PreferredSchedulingTerm,
    ResourceRequirements,
    Taint,
    Toleration,
    TopologySpreadConstraint,
    Volume,
    VolumeNodeAffinity,
    VolumeResourceRequirements,
    WeightedPodAffinityTerm,
)
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta, OwnerReference
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.scheduler.board import Board, place
from knarr.scheduler.decision import ENOUGH, Decision, schedule
from knarr.scheduler.preemption import conclude, ineligible, verdicts
from knarr.scheduler.resources import requested
from knarr.scheduler.storage import Storage

NO_HELP = (
    "no new claims to deallocate, preemption: 0/{n} nodes are available: {n} Preemption is not helpful for scheduling."
)
NO_VICTIMS = (
    "no new claims to deallocate, preemption: 0/{n} nodes are available: "
    "{n} No preemption victims found for incoming pod."
)


STARTED = "2026-01-01T00:00:00Z"


class Named:
    """A node that can be a key of a table's row."""

    def __init__(self, node):
        self.node = node


def a_node(name="a", *, taints=(), unschedulable=None, cpu="4", memory="8Gi", pods="110", **labels):
    node = Node(
        metadata=ObjectMeta(name=name, labels={"kubernetes.io/hostname": name, **labels}),
        spec=NodeSpec(taints=list(taints), unschedulable=unschedulable),
        status=NodeStatus(allocatable={"cpu": cpu, "memory": memory, "pods": pods}),
    )
    return Named(node)


def in_zone(name):
    return {"topology.kubernetes.io/zone": name}


def elsewhere(namespace, **given):
    """A pod of another namespace."""
    pod = a_pod("e", **given)
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, namespace=namespace))


SPACES = {"n": {}, "o": {"team": "1"}, "p": {}}


def a_pod(name="p", *, claim="", port=0, owner="", labels=None, deleted="", **spec):
    requests = {key: spec.pop(key) for key in ("cpu", "memory") if key in spec}
    container = Container(
        name="c",
        resources=ResourceRequirements(requests=requests),
        ports=[ContainerPort(containerPort=80, hostPort=port)] if port else [],
    )
    volumes = (
        [Volume(name="v", persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName=claim))] if claim else []
    )
    owners = [OwnerReference(uid=owner, controller=True)] if owner else []
    return Pod(
        metadata=ObjectMeta(
            name=name, namespace="n", labels=labels or {}, ownerReferences=owners, deletionTimestamp=deleted
        ),
        spec=PodSpec(containers=[container], volumes=volumes, **spec),
    )


def term(key, operator, *values):
    return NodeSelectorTerm(matchExpressions=[NodeSelectorRequirement(key=key, operator=operator, values=list(values))])


def near_to(*terms):
    return Affinity(
        nodeAffinity=NodeAffinity(
            requiredDuringSchedulingIgnoredDuringExecution=NodeSelector(nodeSelectorTerms=list(terms))
        )
    )


def apart_from(key, value, topology="kubernetes.io/hostname"):
    about = PodAffinityTerm(labelSelector=LabelSelector(matchLabels={key: value}), topologyKey=topology)
    return Affinity(podAntiAffinity=PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=[about]))


def together_with(key, value, topology="kubernetes.io/hostname"):
    about = PodAffinityTerm(labelSelector=LabelSelector(matchLabels={key: value}), topologyKey=topology)
    return Affinity(podAffinity=PodAffinity(requiredDuringSchedulingIgnoredDuringExecution=[about]))


GPU = Taint(key="gpu", value="yes", effect="NoSchedule")
NOT_READY = Taint(key="node.kubernetes.io/not-ready", effect="NoExecute")
RELUCTANT = Taint(key="x", effect="PreferNoSchedule")
CORDON = Toleration(key="node.kubernetes.io/unschedulable", operator="Exists")


def is_named(name):
    return NodeSelectorRequirement(key="metadata.name", operator="In", values=[name])


def rather(key="app", value="x", *, weight=100, topology="kubernetes.io/hostname", apart=False):
    """What a pod would like near, or apart."""
    about = PodAffinityTerm(labelSelector=LabelSelector(matchLabels={key: value}), topologyKey=topology)
    wishes = [WeightedPodAffinityTerm(weight=weight, podAffinityTerm=about)]
    if apart:
        return Affinity(podAntiAffinity=PodAntiAffinity(preferredDuringSchedulingIgnoredDuringExecution=wishes))
    return Affinity(podAffinity=PodAffinity(preferredDuringSchedulingIgnoredDuringExecution=wishes))


def near_both(*labels):
    """An affinity with a term for each label, all in one zone."""
    terms = [PodAffinityTerm(labelSelector=LabelSelector(matchLabels=each), topologyKey="zone") for each in labels]
    return Affinity(podAffinity=PodAffinity(requiredDuringSchedulingIgnoredDuringExecution=terms))


def across(spaces=None, **given):
    """An anti-affinity with pods of other namespaces."""
    about = PodAffinityTerm(
        labelSelector=LabelSelector(matchLabels=X),
        topologyKey="kubernetes.io/hostname",
        namespaceSelector=spaces,
        **given,
    )
    return Affinity(podAntiAffinity=PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=[about]))


def spread(topology="zone", *, when="DoNotSchedule", skew=1, **given):
    given.setdefault("labelSelector", LabelSelector(matchLabels=X))
    return [TopologySpreadConstraint(maxSkew=skew, topologyKey=topology, whenUnsatisfiable=when, **given)]


X = {"app": "x"}
UNEVEN = "{n} node(s) didn't match pod topology spread constraints"
FIELD = NodeSelectorTerm(matchFields=[is_named("b")])

A, B = a_node("a"), a_node("b")

#: sentence -> pod, {node: pods on it}, decision
CASES = {
    "the only node takes the pod": (a_pod(), {A: []}, "to a"),
    "without nodes there is nothing to do": (a_pod(), {}, "no nodes available to schedule pods"),
    "the emptier node is better": (a_pod(cpu="1"), {A: [a_pod("q", cpu="2")], B: []}, "to b"),
    "pods that ask for nothing count for something": (a_pod(), {A: [a_pod("q"), a_pod("r")], B: []}, "to b"),
    "siblings are spread": (
        a_pod(owner="set"), {A: [a_pod("q", owner="set")], B: [a_pod("r", cpu="1")]}, "to b"),
    # cordon
    "a cordoned node takes nothing": (
        a_pod(), {a_node(unschedulable=True): []},
        "0/1 nodes are available: 1 node(s) were unschedulable. " + NO_HELP.format(n=1)),
    "a cordoned node takes what tolerates it": (a_pod(tolerations=[CORDON]), {a_node(unschedulable=True): []}, "to a"),
    # taints
    "a taint keeps pods out": (
        a_pod(), {a_node(taints=[GPU]): []},
        "0/1 nodes are available: 1 node(s) had untolerated taint(s). " + NO_HELP.format(n=1)),
    "a node that is not ready takes nothing": (
        a_pod(), {a_node(taints=[NOT_READY]): []},
        "0/1 nodes are available: 1 node(s) had untolerated taint(s). " + NO_HELP.format(n=1)),
    "a toleration of the value lets the pod in": (
        a_pod(tolerations=[Toleration(key="gpu", value="yes")]), {a_node(taints=[GPU]): []}, "to a"),
    "a toleration of another value does not": (
        a_pod(tolerations=[Toleration(key="gpu", value="no")]), {a_node(taints=[GPU]): [], B: []}, "to b"),
    "a toleration of another effect does not": (
        a_pod(tolerations=[Toleration(key="gpu", operator="Exists", effect="NoExecute")]),
        {a_node(taints=[GPU]): [], B: []}, "to b"),
    "a toleration of everything lets the pod in": (
        a_pod(tolerations=[Toleration(operator="Exists")]), {a_node(taints=[GPU]): []}, "to a"),
    "a reluctant node is taken last": (a_pod(), {a_node("a", taints=[RELUCTANT]): [], B: []}, "to b"),
    "a reluctant node is taken if there is no other": (a_pod(), {a_node("a", taints=[RELUCTANT]): []}, "to a"),
    # selectors
    "a node selector picks its node": (a_pod(nodeSelector={"zone": "2"}), {A: [], a_node("b", zone="2"): []}, "to b"),
    "a node selector for no node": (
        a_pod(nodeSelector={"zone": "2"}), {A: [], B: []},
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. " + NO_HELP.format(n=2)),
    "required affinity picks a node": (a_pod(affinity=near_to(term("zone", "In", "1", "2"))),
        {A: [], a_node("b", zone="2"): []}, "to b"),
    "any term of an affinity will do": (
        a_pod(affinity=near_to(term("x", "Exists"), term("zone", "Exists"))), {A: [], a_node("b", zone="2"): []},
        "to b"),
    "affinity compares numbers": (
        a_pod(affinity=near_to(term("cores", "Gt", "4"))), {a_node("a", cores="4"): [], a_node("b", cores="8"): []},
        "to b"),
    "affinity can exclude": (
        a_pod(affinity=near_to(term("zone", "NotIn", "1"))), {a_node("a", zone="1"): [], B: []}, "to b"),
    "affinity can want a label to be absent": (
        a_pod(affinity=near_to(term("zone", "DoesNotExist"))), {a_node("a", zone="1"): [], B: []}, "to b"),
    "affinity can name a node": (a_pod(affinity=near_to(FIELD)), {A: [], B: []}, "to b"),
    "an empty term means no node": (
        a_pod(affinity=near_to(NodeSelectorTerm())), {A: []},
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. " + NO_HELP.format(n=1)),
    "affinity that names a node that is full": (
        a_pod(cpu="5", affinity=near_to(FIELD)), {A: [], B: [], a_node("c"): []},
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. "
        + NO_HELP.format(n=3)),
    "affinity that names a node or means others": (
        a_pod(affinity=near_to(FIELD, term("zone", "In", "2"))), {A: [], a_node("c", zone="2"): []}, "to c"),
    "affinity that names two nodes at once": (
        a_pod(affinity=near_to(NodeSelectorTerm(matchFields=[is_named("a"), is_named("b")]))), {A: [], B: []},
        "0/2 nodes are available: pod affinity terms conflict. not found"),
    "preferred affinity picks a node": (
        a_pod(affinity=Affinity(nodeAffinity=NodeAffinity(preferredDuringSchedulingIgnoredDuringExecution=[
            PreferredSchedulingTerm(weight=10, preference=term("zone", "Exists"))]))),
        {A: [], a_node("b", zone="2"): []}, "to b"),
    # room
    "a full node takes nothing": (
        a_pod(cpu="3"), {A: [a_pod("q", cpu="2")]},
        "0/1 nodes are available: 1 Insufficient cpu. " + NO_VICTIMS.format(n=1)),
    "a pod larger than any node": (
        a_pod(cpu="5"), {A: []}, "0/1 nodes are available: 1 Insufficient cpu. " + NO_HELP.format(n=1)),
    "every lacking resource is named": (
        a_pod(cpu="3", memory="7Gi"), {A: [a_pod("q", cpu="2", memory="2Gi")]},
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. " + NO_VICTIMS.format(n=1)),
    "a node takes no more pods than it says": (
        a_pod(), {a_node(pods="1"): [a_pod("q")]},
        "0/1 nodes are available: 1 Too many pods. " + NO_VICTIMS.format(n=1)),
    "exactly enough is enough": (a_pod(cpu="2"), {A: [a_pod("q", cpu="2")]}, "to a"),
    "a host port is taken once": (
        a_pod(port=80), {A: [a_pod("q", port=80)]},
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. "
        + NO_VICTIMS.format(n=1)),
    "another host port is free": (a_pod(port=81), {A: [a_pod("q", port=80)]}, "to a"),
    "reasons are counted and sorted": (
        a_pod(cpu="3"), {A: [a_pod("q", cpu="2")], a_node("b", taints=[GPU]): [], a_node("c", taints=[GPU]): []},
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). "
        "no new claims to deallocate, preemption: 0/3 nodes are available: "
        "1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling."),
    "a pod may refuse preemption": (
        a_pod(cpu="5", preemptionPolicy="Never"), {A: []},
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
        "preemption: not eligible due to preemptionPolicy=Never."),
    # other pods
    "anti-affinity keeps apart": (
        a_pod(affinity=apart_from("app", "x")), {A: [a_pod("q", labels={"app": "x"})], B: []}, "to b"),
    "anti-affinity of a pod that is there keeps apart": (
        a_pod(labels={"app": "x"}), {A: [a_pod("q", affinity=apart_from("app", "x"))], B: []}, "to b"),
    "anti-affinity with nowhere left": (
        a_pod(affinity=apart_from("app", "x")), {A: [a_pod("q", labels={"app": "x"})]},
        "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules. " + NO_VICTIMS.format(n=1)),
    "affinity brings together": (
        a_pod(affinity=together_with("app", "x")), {A: [], B: [a_pod("q", labels={"app": "x"})]}, "to b"),
    "affinity with nobody there": (
        a_pod(affinity=together_with("app", "x")), {A: []},
        "0/1 nodes are available: 1 node(s) didn't match pod affinity rules. " + NO_HELP.format(n=1)),
    "the first of a group that wants to be together": (
        a_pod(labels={"app": "x"}, affinity=together_with("app", "x")), {A: []}, "to a"),
    "spread evenly over zones": (
        a_pod(labels={"app": "x"}, topologySpreadConstraints=[TopologySpreadConstraint(
            maxSkew=1, topologyKey="zone", whenUnsatisfiable="DoNotSchedule",
            labelSelector=LabelSelector(matchLabels={"app": "x"}))]),
        {a_node("a", zone="1"): [a_pod("q", labels={"app": "x"})], a_node("b", zone="2"): [a_pod("r", cpu="3")]},
        "to b"),
    "near a pod that all terms mean": (
        a_pod(affinity=near_both(X, {"tier": "1"})),
        {a_node("a", zone="1"): [a_pod("q", labels=X), a_pod("r", labels={"tier": "1"})],
         a_node("b", zone="2"): [a_pod("s", labels={**X, "tier": "1"})]}, "to b"),
    "rather near a pod than on an empty node": (
        a_pod(affinity=rather()), {A: [], B: [a_pod("q", cpu="1", labels=X)]}, "to b"),
    "rather apart though the other node is busier": (
        a_pod(affinity=rather(apart=True)), {A: [a_pod("q", labels=X)], B: [a_pod("r", cpu="2")]}, "to b"),
    "near a pod that would rather have it near": (
        a_pod(labels=X), {A: [], B: [a_pod("q", cpu="1", affinity=rather())]}, "to b"),
    "near a pod that must have such near": (
        a_pod(labels=X), {A: [], B: [a_pod("q", cpu="1", labels=X, affinity=together_with("app", "x"))]}, "to b"),
    "away from a pod that would rather be apart": (
        a_pod(labels=X), {A: [a_pod("q", affinity=rather(apart=True))], B: [a_pod("r", cpu="2")]}, "to b"),
    "the heavier wish wins": (
        a_pod(affinity=Affinity(podAffinity=rather(weight=1).podAffinity,
                                podAntiAffinity=rather("app", "y", weight=50, apart=True).podAntiAffinity)),
        {A: [a_pod("q", labels=X), a_pod("r", labels={"app": "y"})], B: [a_pod("s", cpu="2"), a_pod("t")]}, "to b"),
    "apart from pods of namespaces that a selector means": (
        a_pod(affinity=across(LabelSelector(matchLabels={"team": "1"}))), {A: [elsewhere("o", labels=X)], B: []},
        "to b"),
    "an empty selector means all namespaces": (
        a_pod(affinity=across(LabelSelector())), {A: [elsewhere("p", labels=X)], B: []}, "to b"),
    "a selector for other namespaces does not": (
        a_pod(affinity=across(LabelSelector(matchLabels={"team": "2"}))),
        {A: [elsewhere("o", labels=X)], B: [a_pod("r", cpu="2")]}, "to a"),
    "apart from pods of a namespace that is named": (
        a_pod(affinity=across(namespaces=["o"])), {A: [elsewhere("o", labels=X)], B: [a_pod("r", cpu="1")]}, "to b"),
    "without namespaces those of its own": (
        a_pod(affinity=across()), {A: [elsewhere("o", labels=X)], B: [a_pod("r", cpu="2")]}, "to a"),
    # topology spread
    "a domain with too many is full": (
        a_pod(labels=X, cpu="4", topologySpreadConstraints=spread()),
        {a_node("a", zone="1"): [a_pod("q", labels=X)], a_node("b", zone="2"): [a_pod("r", cpu="1")]},
        "0/2 nodes are available: 1 Insufficient cpu, " + UNEVEN.format(n=1) + ". " + NO_VICTIMS.format(n=2)),
    "a node without the label": (
        a_pod(labels=X, topologySpreadConstraints=spread()), {A: []},
        "0/1 nodes are available: " + UNEVEN.format(n=1) + " (missing required label). " + NO_HELP.format(n=1)),
    "fewer domains than there should be are as if one were empty": (
        a_pod(labels=X, topologySpreadConstraints=spread(minDomains=2)),
        {a_node("a", zone="1"): [a_pod("q", labels=X)]},
        "0/1 nodes are available: " + UNEVEN.format(n=1) + ". " + NO_VICTIMS.format(n=1)),
    "as many domains as there should be": (
        a_pod(labels=X, topologySpreadConstraints=spread(minDomains=1)),
        {a_node("a", zone="1"): [a_pod("q", labels=X)]}, "to a"),
    "pods on their way out do not count": (
        a_pod(labels=X, topologySpreadConstraints=spread(minDomains=2)),
        {a_node("a", zone="1"): [a_pod("q", labels=X, deleted=STARTED)]}, "to a"),
    "nodes that the pod's selector does not mean make no domain": (
        a_pod(labels=X, nodeSelector={"d": "1"}, topologySpreadConstraints=spread()),
        {a_node("a", zone="1", d="1"): [a_pod("q", labels=X)], a_node("b", zone="2"): []}, "to a"),
    "unless affinity is to be ignored": (
        a_pod(labels=X, nodeSelector={"d": "1"}, topologySpreadConstraints=spread(nodeAffinityPolicy="Ignore")),
        {a_node("a", zone="1", d="1"): [a_pod("q", labels=X)], a_node("b", zone="2"): []},
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, " + UNEVEN.format(n=1)
        + ". no new claims to deallocate, preemption: 0/2 nodes are available: "
        "1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling."),
    "a tainted node makes a domain": (
        a_pod(labels=X, topologySpreadConstraints=spread()),
        {a_node("a", zone="1"): [a_pod("q", labels=X)], a_node("b", zone="2", taints=[GPU]): []},
        "0/2 nodes are available: " + UNEVEN.format(n=1) + ", 1 node(s) had untolerated taint(s)"
        + ". no new claims to deallocate, preemption: 0/2 nodes are available: "
        "1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling."),
    "unless taints are to be honoured": (
        a_pod(labels=X, topologySpreadConstraints=spread(nodeTaintsPolicy="Honor")),
        {a_node("a", zone="1"): [a_pod("q", labels=X)], a_node("b", zone="2", taints=[GPU]): []}, "to a"),
    "only pods with the same value of a label key count": (
        a_pod(labels={**X, "rev": "2"}, topologySpreadConstraints=spread(minDomains=2, matchLabelKeys=["rev"])),
        {a_node("a", zone="1"): [a_pod("q", labels={**X, "rev": "1"})]}, "to a"),
    "a selector of everything counts nothing": (
        a_pod(labels=X, topologySpreadConstraints=spread(minDomains=2, labelSelector=LabelSelector())),
        {a_node("a", zone="1"): [a_pod("q", labels=X)]}, "to a"),
    "softly spread pods go where fewer are": (
        a_pod(labels=X, topologySpreadConstraints=spread(when="ScheduleAnyway")),
        {a_node("a", zone="1"): [a_pod("q", labels=X)], a_node("b", zone="2"): [a_pod("r", cpu="1")]}, "to b"),
    "softly spread pods count all nodes of a zone": (
        a_pod(labels=X, topologySpreadConstraints=spread(when="ScheduleAnyway")),
        {a_node("a", zone="1"): [], a_node("c", zone="1"): [a_pod("q", labels=X), a_pod("q2", labels=X)],
         a_node("b", zone="2"): [a_pod("r", cpu="1")]}, "to b"),
    "softly spread pods go anywhere if they must": (
        a_pod(labels=X, topologySpreadConstraints=spread(when="ScheduleAnyway")),
        {a_node("a", zone="1"): [a_pod("q", labels=X)]}, "to a"),
    "siblings are spread over zones too": (
        a_pod(owner="set"),
        {a_node("a", **in_zone("1")): [], a_node("c", **in_zone("1")): [a_pod(f"q{n}", owner="set") for n in range(4)],
         a_node("b", **in_zone("2")): [a_pod("r", cpu="1")]}, "to b"),
}  # fmt: skip


@pytest.mark.parametrize(("pod", "nodes", "decision"), CASES.values(), ids=CASES)
def test_schedule(pod, nodes, decision):
    places = [place(named.node, pods) for named, pods in nodes.items()]
    assert str(decided(pod, places)) == decision


def decided(pod, places, *given):
    """What is decided, with what could be done where no node will do."""
    found = schedule(pod, places, *given, namespaces=SPACES)
    return found if isinstance(found, Decision) else conclude(found, list(verdicts(found, ())), ineligible(found))


GIB = {"storage": "1Gi"}


def a_claim(*, class_="late", phase="Pending", volume="", selected="", complete=False, deleting=False):
    annotations = {"volume.kubernetes.io/selected-node": selected} if selected else {}
    if complete:
        annotations["pv.kubernetes.io/bind-completed"] = "yes"
    return PersistentVolumeClaim(
        metadata=ObjectMeta(
            name="c",
            namespace="n",
            uid="c",
            annotations=annotations,
            deletionTimestamp=STARTED * deleting,
        ),
        spec=PersistentVolumeClaimSpec(
            storageClassName=class_,
            volumeName=volume,
            accessModes=["ReadWriteOnce"],
            resources=VolumeResourceRequirements(requests=GIB),
        ),
        status=PersistentVolumeClaimStatus(phase=phase),
    )


def a_volume(name="v", *, node="", class_="late", size="1Gi", phase="Available"):
    affinity = VolumeNodeAffinity(required=NodeSelector(nodeSelectorTerms=[term("kubernetes.io/hostname", "In", node)]))
    return PersistentVolume(
        metadata=ObjectMeta(name=name),
        spec=PersistentVolumeSpec(
            storageClassName=class_,
            accessModes=["ReadWriteOnce"],
            capacity={"storage": size},
            nodeAffinity=affinity if node else None,
        ),
        status=PersistentVolumeStatus(phase=phase),
    )


LATE = StorageClass(metadata=ObjectMeta(name="late"), provisioner="p", volumeBindingMode="WaitForFirstConsumer")
STATIC = StorageClass(
    metadata=ObjectMeta(name="late"),
    provisioner="kubernetes.io/no-provisioner",
    volumeBindingMode="WaitForFirstConsumer",
)
AT_ONCE = StorageClass(metadata=ObjectMeta(name="late"), provisioner="p", volumeBindingMode="Immediate")
BOUND = a_claim(phase="Bound", volume="v", complete=True)

#: sentence -> claim, volumes, class, decision, volumes chosen
STORAGE_CASES = {
    "a claim that is not there": (
        None, [], LATE, '0/2 nodes are available: persistentvolumeclaim "c" not found. not found', {}),
    "a claim that is going": (
        a_claim(deleting=True), [], LATE,
        '0/2 nodes are available: persistentvolumeclaim "c" is being deleted. not found', {}),
    "a claim that lost its volume": (
        a_claim(phase="Lost", volume="v"), [], LATE,
        '0/2 nodes are available: persistentvolumeclaim "c" bound to non-existent persistentvolume "v". not found', {}),
    "a claim to be bound at once": (
        a_claim(), [], AT_ONCE,
        "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found", {}),
    "a claim of a class that is not there": (
        a_claim(), [], None,
        "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found", {}),
    "a volume without affinity can be used anywhere": (BOUND, [a_volume()], LATE, "to a", {}),
    "a bound volume's node takes the pod": (BOUND, [a_volume(node="b")], LATE, "to b", {}),
    "a bound volume of a node that is gone": (
        BOUND, [a_volume(node="gone")], LATE,
        "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity. " + NO_HELP.format(n=2), {}),
    "a bound volume that is gone": (
        BOUND, [], LATE,
        "0/2 nodes are available: 2 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s). "
        + NO_HELP.format(n=2), {}),
    "a claim that waits gets a volume made": (a_claim(), [], LATE, "to a", {"c": ""}),
    "a claim that waits gets a free volume": (a_claim(), [a_volume(node="b")], STATIC, "to b", {"c": "v"}),
    "the smallest free volume that will do is taken": (
        a_claim(), [a_volume("large", size="3Gi"), a_volume("right", size="2Gi"), a_volume("small", size="1Mi")],
        STATIC, "to a", {"c": "right"}),
    "no free volume and nobody to make one": (
        a_claim(), [], STATIC,
        "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind. " + NO_HELP.format(n=2),
        {}),
    "a claim whose volume is being made stays on its node": (a_claim(selected="b"), [], LATE, "to b", {"c": ""}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "volumes", "class_", "decision", "chosen"), STORAGE_CASES.values(), ids=STORAGE_CASES
)
def test_schedule_with_a_claim(claim, volumes, class_, decision, chosen):
    by_name = {volume.metadata.name: volume for volume in volumes}
    there = Storage(
        {"c": claim} if claim else {}, {"late": class_} if class_ else {}, by_name.get, lambda: list(by_name.values())
    )
    got = decided(a_pod(claim="c"), [place(A.node), place(B.node)], there)
    assert (str(got), dict(got.volumes)) == (decision, chosen)


def test_equal_places_take_turns():
    places = [place(A.node), place(B.node)]
    assert [schedule(a_pod(), places, start=n).node for n in range(3)] == ["a", "b", "a"]


def test_a_hundred_places_that_will_do_are_enough():
    places = [place(a_node(f"small-{i}", cpu="2").node) for i in range(ENOUGH)]
    places.append(place(a_node("large", cpu="64").node))
    assert schedule(a_pod(cpu="1"), places).node == "small-0"
    assert schedule(a_pod(cpu="1"), places, start=1).node == "large"
    assert schedule(a_pod(cpu="4"), places).node == "large"


def test_a_pod_needs_its_containers_together_or_its_largest_init_container_beside_the_sidecars():
    pod = Pod(
        spec=PodSpec(
            containers=[Container(name=n, resources=ResourceRequirements(requests={"cpu": "1"})) for n in "ab"],
            initContainers=[
                Container(name="s", restartPolicy="Always", resources=ResourceRequirements(requests={"cpu": "1"})),
                Container(name="i", resources=ResourceRequirements(requests={"cpu": "3", "memory": "1"})),
            ],
            overhead={"cpu": "500m"},
        )
    )
    assert requested(pod) == {"cpu": 4_500_000_000, "memory": 1_000_000_000}


def test_the_board_counts_a_pod_once_wherever_it_moves():
    board = Board()
    board.put_pod(a_pod(cpu="1"), "a")  # before its node is seen
    board.put_node(A.node)
    board.put_node(B.node)
    board.put_pod(a_pod(cpu="1"), "b")
    a, b = board.places()
    assert (a.requested.get("cpu", 0), b.requested["cpu"]) == (0, 10**9)
    board.drop_node("b")
    board.put_node(B.node)
    assert board.places()[1].requested["cpu"] == 10**9
    board.drop_pod(("n", "p"))
    assert board.places()[1].requested["cpu"] == 0
    assert board.node_of(("n", "p")) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_board_that_has_lived_decides_as_one_that_is_new(seed):
    """What places remember between decisions is never what was true before."""
    draw = Random(seed)
    board, there = Board(), {}
    for name in "abcd":
        board.put_node(a_node(name, cpu=str(draw.choice((2, 4, 8)))).node)
    for number in range(60):
        if there and draw.random() < 0.3:
            board.drop_pod(("n", gone := draw.choice([*there])))
            del there[gone]
        if draw.random() < 0.1:
            board.put_node(a_node(draw.choice("abcd"), cpu=str(draw.choice((2, 4, 8)))).node)
        pod = a_pod(f"p-{number}", cpu=draw.choice(("100m", "500m")), memory=draw.choice(("64Mi", "512Mi")))
        fresh = [place(each.node, each.pods.values()) for each in board.places()]
        decided = schedule(pod, board.places(), start=number)
        assert str(decided) == str(schedule(pod, fresh, start=number))
        if isinstance(decided, Decision):
            board.put_pod(pod, decided.node)
            there[pod.metadata.name] = decided.node
