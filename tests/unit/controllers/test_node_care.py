"""Silent nodes, their taints and evictions, and stranded pods, case by case."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from knarr.controllers import node_lifecycle, pod_gc, taint_eviction
from knarr.controllers.node_lifecycle import Sign, sign
from knarr.kinds.types.coordination_v1 import Lease, LeaseSpec
from knarr.kinds.types.core_v1 import (
    Node,
    NodeCondition,
    NodeSpec,
    NodeStatus,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    Taint,
    Toleration,
)
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta import clock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DELETED = "2026-01-01T00:00:00Z"


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def a_node(name="a", ready="True", *, taints=(), cordoned=None, heartbeat="h", zone="", **conditions):
    stated = [NodeCondition(type="Ready", status=ready, lastHeartbeatTime=heartbeat)] if ready else []
    stated += [NodeCondition(type=type_, status=status) for type_, status in conditions.items()]
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    return Node(
        metadata=ObjectMeta(name=name, labels=labels),
        spec=NodeSpec(taints=[Taint(key=k, effect=e) for k, e in taints], unschedulable=cordoned),
        status=NodeStatus(conditions=stated),
    )


def a_pod(name="p", *, node="a", ready="True", phase="Running", deleted="", tolerations=(), created=""):
    return Pod(
        metadata=ObjectMeta(name=name, namespace="n", deletionTimestamp=deleted, creationTimestamp=created),
        spec=PodSpec(nodeName=node, tolerations=list(tolerations)),
        status=PodStatus(phase=phase, conditions=[PodCondition(type="Ready", status=ready)]),
    )


NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
SILENT = "patch status of node a: silent"
TOLD = "event on node a: NodeNotReady: Node a status is now: NodeNotReady"
KEPT_OUT = f"patch node a: {UNREACHABLE}:NoSchedule"
BOTH = f"patch node a: {UNREACHABLE}:NoSchedule, {UNREACHABLE}:NoExecute"
ALIVE = "wait for a: alive"
GONE_QUIET = dict.fromkeys(("MemoryPressure", "DiskPressure", "PIDPressure"), "Unknown")

#: sentence -> node, pods, seconds since the last sign of life, from when its pods may go, steps
LIFE = {
    "a node that is alive needs nothing": (a_node(), [a_pod()], 10, NOW, [ALIVE]),
    "a node is silent after the grace period, and keeps its pods until that shows": (
        a_node(), [], 50, NOW, [SILENT, TOLD, KEPT_OUT]),
    "a node is not silent before the grace period is over": (a_node(), [], 49, NOW, [ALIVE]),
    "pods of a silent node are not ready": (
        a_node(), [a_pod(), a_pod("q", ready="False")], 50, NOW,
        [SILENT, TOLD, "patch status of pod p: its node is silent", "event on pod p: NodeNotReady: Node is not ready",
         KEPT_OUT]),
    "a node that shows to be silent loses its pods": (
        a_node(ready="Unknown", taints=[(UNREACHABLE, "NoSchedule")], **GONE_QUIET), [], 50, NOW, [BOTH]),
    "a silent node is called so once": (
        a_node(ready="Unknown", taints=[(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")], **GONE_QUIET),
        [a_pod(ready="False")], 500, NOW, []),
    "a silent node keeps its pods while its zone says so": (
        a_node(ready="Unknown", taints=[(UNREACHABLE, "NoSchedule")], **GONE_QUIET), [], 50, None, []),
    "a silent node keeps its pods until it is its turn": (
        a_node(ready="Unknown", taints=[(UNREACHABLE, "NoSchedule")], **GONE_QUIET), [], 50,
        NOW + timedelta(seconds=5), ["wait for a: its pods may stay until other nodes' have gone"]),
    "a silent node that speaks and is not ready needs no new turn": (
        a_node(ready="False", taints=[(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]), [], 1, None,
        [ALIVE, f"patch node a: {NOT_READY}:NoSchedule, {NOT_READY}:NoExecute"]),
    "a node that has never said anything has a minute": (
        a_node(ready="", taints=[(NOT_READY, "NoSchedule")]), [], 55, None, [ALIVE]),
    "a node that has never said anything is silent after a minute": (
        a_node(ready="", taints=[(NOT_READY, "NoSchedule")]), [], 60, None,
        [SILENT, f"patch node a: {UNREACHABLE}:NoSchedule"]),
    "a node that says it is not ready is tainted": (
        a_node(ready="False"), [a_pod()], 1, NOW,
        [ALIVE, f"patch node a: {NOT_READY}:NoSchedule, {NOT_READY}:NoExecute"]),
    "a node that is ready again loses its taints": (
        a_node(taints=[(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]), [], 1, NOW,
        [ALIVE, "patch node a: no taints"]),
    "a new node that is ready may be used": (
        a_node(taints=[(NOT_READY, "NoSchedule")]), [], 1, NOW, [ALIVE, "patch node a: no taints"]),
    "taints that others put there stay": (
        a_node(taints=[("gpu", "NoSchedule"), (NOT_READY, "NoSchedule")]), [], 1, NOW,
        [ALIVE, "patch node a: gpu:NoSchedule"]),
    "a cordoned node is tainted": (
        a_node(cordoned=True), [], 1, NOW, [ALIVE, "patch node a: node.kubernetes.io/unschedulable:NoSchedule"]),
    "pressure taints a node": (
        a_node(DiskPressure="True"), [], 1, NOW, [ALIVE, "patch node a: node.kubernetes.io/disk-pressure:NoSchedule"]),
}  # fmt: skip


@pytest.mark.parametrize(("node", "pods", "silence", "evict", "steps"), LIFE.values(), ids=LIFE)
def test_node_life(node, pods, silence, evict, steps):
    last = Sign(("", ""), ago(silence))
    assert [str(step) for step in node_lifecycle.plan(node, pods, last, lambda: evict, NOW)] == steps


def a_lease(renewed):
    return Lease(spec=LeaseSpec(renewTime=renewed))


EARLIER = Sign(("r1", "h1"), ago(30))

#: sentence -> before, node, lease, whether it is a new sign of life
SIGNS = {
    "a node seen for the first time is alive": (None, a_node(), None, True),
    "a renewed lease is a sign": (EARLIER, a_node(heartbeat="h1"), a_lease("r2"), True),
    "a status is a sign": (EARLIER, a_node(heartbeat="h2"), a_lease("r1"), True),
    "nothing new is none": (EARLIER, a_node(heartbeat="h1"), a_lease("r1"), False),
    "a lease that is gone is none": (EARLIER, a_node(heartbeat="h1"), None, False),
    "what is said of a silent node is none": (EARLIER, a_node(ready="Unknown", heartbeat="h1"), a_lease("r1"), False),
}


@pytest.mark.parametrize(("before", "node", "lease", "new"), SIGNS.values(), ids=SIGNS)
def test_sign_of_life(before, node, lease, new):
    assert (sign(before, node, lease, NOW).seen == NOW) is new


def test_pods_that_were_told_to_go_stay_when_all_nodes_are_silent():
    node = a_node(ready="Unknown", taints=[(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")], **GONE_QUIET)
    steps = node_lifecycle.plan(node, [], Sign(("", ""), ago(500)), lambda: None, NOW, spared=True)
    assert [str(step) for step in steps] == [KEPT_OUT]


def tainted(seconds_ago, key=UNREACHABLE, effect="NoExecute"):
    return Taint(key=key, effect=effect, timeAdded=clock.timestamp(ago(seconds_ago)))


FOR_A_WHILE = Toleration(key=UNREACHABLE, operator="Exists", effect="NoExecute", tolerationSeconds=300)
FOR_GOOD = Toleration(operator="Exists")
EVICT = [
    "event on pod p: TaintManagerEviction: Marking for deletion Pod n/p",
    "patch status of pod p: evicted",
    "delete pod p: taint not tolerated",
]
STAYS = ["wait for p: tolerates its node's taints for a while"]

#: sentence -> taints, pod, steps
TAINTS = {
    "a pod leaves when it does not tolerate a taint": ([tainted(0)], a_pod(), EVICT),
    "a pod stays for as long as it tolerates a taint": ([tainted(299)], a_pod(tolerations=[FOR_A_WHILE]), STAYS),
    "a pod leaves when its toleration has run out": ([tainted(300)], a_pod(tolerations=[FOR_A_WHILE]), EVICT),
    "a pod that tolerates everything stays": ([tainted(9999)], a_pod(tolerations=[FOR_GOOD]), []),
    "the shortest toleration counts": ([tainted(300)], a_pod(tolerations=[FOR_GOOD, FOR_A_WHILE]), EVICT),
    "every taint has to be tolerated": (
        [tainted(0), tainted(0, key="x")], a_pod(tolerations=[FOR_A_WHILE]), EVICT),
    "a taint that only keeps out does not evict": ([tainted(0, effect="NoSchedule")], a_pod(), []),
    "a pod that is going is left alone": ([tainted(0)], a_pod(deleted=DELETED), []),
}  # fmt: skip


@pytest.mark.parametrize(("taints", "pod", "steps"), TAINTS.values(), ids=TAINTS)
def test_taint_eviction(taints, pod, steps):
    node = Node(metadata=ObjectMeta(name="a"), spec=NodeSpec(taints=taints))
    assert [str(step) for step in taint_eviction.plan(node, [pod], NOW)] == steps


def test_a_pod_that_comes_later_has_its_own_time():
    node = Node(metadata=ObjectMeta(name="a"), spec=NodeSpec(taints=[tainted(1000)]))
    late = a_pod(tolerations=[FOR_A_WHILE], created=clock.timestamp(ago(2000)))
    scheduled = PodCondition(type="PodScheduled", status="True", lastTransitionTime=clock.timestamp(ago(299)))
    late = replace(late, status=replace(late.status, conditions=[scheduled]))
    assert [str(step) for step in taint_eviction.plan(node, [late], NOW)] == STAYS
    assert [str(step) for step in taint_eviction.plan(node, [late], NOW + timedelta(seconds=1))] == EVICT


def test_a_taint_without_a_time_counts_from_when_it_was_first_seen():
    node = Node(
        metadata=ObjectMeta(name="a"),
        spec=NodeSpec(taints=[Taint(key=UNREACHABLE, effect="NoExecute"), tainted(9, key="x")]),
    )
    known = taint_eviction.undated(node, {}, ago(300))
    assert taint_eviction.undated(node, known, NOW) == known
    times = [taint.timeAdded for taint in taint_eviction.dated(node, known).spec.taints]
    assert times == [clock.timestamp(ago(300)), clock.timestamp(ago(9))]
    assert taint_eviction.undated(a_node(), known, NOW) == {}


def test_a_taint_that_comes_while_a_node_is_looked_at_is_not_lost():
    node = a_node(cordoned=True)
    node = replace(node, metadata=replace(node.metadata, resourceVersion="7"))
    *_, step = node_lifecycle.plan(node, [], Sign(("", ""), NOW), lambda: None, NOW)
    assert step.patch["metadata"]["resourceVersion"] == "7"
    *_, step = node_lifecycle.plan(node, [], Sign(("", ""), ago(50)), lambda: None, NOW)
    assert "resourceVersion" not in step.patch["metadata"]  # its status has just been written


OUT = ("node.kubernetes.io/out-of-service", "NoExecute")

#: sentence -> pods, nodes, since when "a" has been missing, steps
STRANDED = {
    "a pod of a node that is there stays": ([a_pod()], [a_node()], None, []),
    "a pod of a missing node stays for a while": ([a_pod()], [], 39, ["wait for p: node a is missing"]),
    "a pod of a node that is gone is ended": (
        [a_pod()], [], 40, ["patch status of pod p: its node is gone", "delete pod p: its node is gone"]),
    "a finished pod of a node that is gone is deleted": (
        [a_pod(phase="Succeeded")], [], 40, ["delete pod p: its node is gone"]),
    "a pod that never had a node and is going is deleted": (
        [a_pod(node="", deleted=DELETED)], [], None,
        ["patch status of pod p: never had a node", "delete pod p: never had a node"]),
    "a pod that waits for a node stays": ([a_pod(node="")], [], None, []),
    "a pod that is going on a node that is out of service is deleted": (
        [a_pod(deleted=DELETED)], [a_node(ready="Unknown", taints=[OUT])], None,
        ["patch status of pod p: node a is out of service", "delete pod p: node a is out of service"]),
    "a pod that is going on a node that may come back stays": (
        [a_pod(deleted=DELETED)], [a_node(ready="Unknown")], None, []),
    "a finished pod is kept": ([a_pod(phase="Failed")], [a_node()], None, []),
}  # fmt: skip


@pytest.mark.parametrize(("pods", "nodes", "missing", "steps"), STRANDED.values(), ids=STRANDED)
def test_stranded_pods(pods, nodes, missing, steps):
    since = {} if missing is None else {"a": ago(missing)}
    assert [str(step) for step in pod_gc.plan(pods, nodes, since, NOW)] == steps


def test_the_oldest_finished_pods_go_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(pod_gc, "THRESHOLD", 1)
    pods = [a_pod(f"p{day}", phase="Succeeded", created=f"2026-01-0{day}T00:00:00Z") for day in (3, 1, 2)]
    steps = [str(step) for step in pod_gc.plan(pods, [a_node()], {}, NOW)]
    assert steps == ["delete pod p1: finished long ago", "delete pod p2: finished long ago"]
    evicted = a_pod("p4", phase="Failed", created="2026-01-04T00:00:00Z")
    evicted = replace(evicted, status=replace(evicted.status, reason="Evicted"))
    steps = [str(step) for step in pod_gc.plan([*pods, evicted], [a_node()], {}, NOW)]
    assert steps == [f"delete pod p{number}: finished long ago" for number in (4, 1, 2)]


def test_missing_nodes_keep_their_time_until_they_are_back():
    first = pod_gc.missing_since({}, [a_pod()], [], ago(30))
    assert pod_gc.missing_since(first, [a_pod()], [], NOW) == {"a": ago(30)}
    assert pod_gc.missing_since(first, [a_pod()], [a_node()], NOW) == {}
