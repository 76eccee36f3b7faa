"""Invariants of updates, budgets and quotas: which writes they let pass and which they name."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from knarr.kinds.types.apps_v1 import (
    DaemonSet,
    DaemonSetSpec,
    DaemonSetUpdateStrategy,
    ReplicaSet,
    ReplicaSetSpec,
    RollingUpdateDaemonSet,
    RollingUpdateStatefulSetStrategy,
    StatefulSetUpdateStrategy,
)
from knarr.kinds.types.core_v1 import PodCondition, ResourceQuota, ResourceQuotaSpec
from knarr.kinds.types.meta_v1 import LabelSelector
from knarr.kinds.types.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec
from knarr.meta import clock
from knarr.testing.builders import a_meta, a_node, a_pod, a_set
from knarr.testing.invariants.daemonsets import bounds
from knarr.testing.invariants.disruption import budgets
from knarr.testing.invariants.quotas import pods
from knarr.testing.invariants.statefulset_updates import unavailable
from knarr.testing.invariants.world import World, Write, key_of

NOW = 100.0
HASH = "controller-revision-hash"
NODES = [a_node("n0"), a_node("n1"), a_node("n2")]


def world(*objects, before=(), counts=()):
    """A world with objects, former ones that were there until ten seconds ago, and what was counted since when."""
    made = World()
    for number, obj in enumerate((*before, *objects), 1):
        name = key_of(type(obj), obj.metadata.namespace, obj.metadata.name)
        old = made.objects.get(name)
        writer = {PodDisruptionBudget: "disruption", ResourceQuota: "quota"}.get(type(obj), "")
        time = NOW - 10 if old is not None else NOW - 50
        made.apply(Write(time, number, name, old, obj, writer, since=NOW - 30))
    return made


def written(old, new, writer, since=NOW):
    obj = new or old
    name = key_of(type(obj), obj.metadata.namespace, obj.metadata.name)
    return Write(NOW, 99, name, old, new, writer, since=since, previous=9 if old is not None else 0)


def deleted(pod, writer, since=NOW):
    gone = replace(pod, metadata=replace(pod.metadata, deletionTimestamp="2026-01-01T00:01:00Z"))
    return written(pod, gone, writer, since)


def a_daemonset(**rolling):
    strategy = DaemonSetUpdateStrategy(type="RollingUpdate", rollingUpdate=RollingUpdateDaemonSet(**rolling))
    return DaemonSet(metadata=a_meta("d"), spec=DaemonSetSpec(updateStrategy=strategy))


def a_daemon(owner, node, name="", hash_="old", **more):
    return a_pod(name or f"on-{node}", owner=owner, node=node, labels={HASH: hash_}, **more)


def a_rolling_set(most):
    rolling = RollingUpdateStatefulSetStrategy(maxUnavailable=most)
    return a_set(replicas=3, updateStrategy=StatefulSetUpdateStrategy(type="RollingUpdate", rollingUpdate=rolling))


SETS = {  # maxUnavailable, which pods are ready, which goes, what is said
    "one pod goes while all others are ready": (None, (True, True, True), 2, []),
    "no second one goes by default": (None, (True, False, True), 2, ["1 may be down, and [1] are"]),
    "two may go when the set says so": (2, (True, False, True), 2, []),
    "percentages are rounded down": ("50%", (True, False, True), 2, ["1 may be down, and [1] are"]),
    "a pod that is down already costs nothing": (None, (False, True, False), 2, []),
}


@pytest.mark.parametrize("most, ready, gone, said", SETS.values(), ids=SETS)
def test_an_update_of_a_statefulset(most, ready, gone, said):
    set_ = a_rolling_set(most)
    members = [a_pod(number, owner=set_, ready=is_ready) for number, is_ready in enumerate(ready)]
    assert list(unavailable(deleted(members[gone], "statefulset"), world(set_, *members))) == said


def test_a_pod_that_the_statefulset_saw_ready_counts_as_up():
    set_ = a_rolling_set(None)
    members = [a_pod(number, owner=set_) for number in range(3)]
    now = world(set_, a_pod(1, owner=set_, ready=False), before=members)
    assert not list(unavailable(deleted(members[2], "statefulset", since=NOW - 20), now))
    assert list(unavailable(deleted(members[2], "statefulset", since=NOW - 5), now)) == ["1 may be down, and [1] are"]


@pytest.mark.parametrize(
    "policy, seconds, said",
    [("Parallel", 3, []), ("Parallel", 30, ["1 may be down, and [1] are"]), ("", 3, ["1 may be down, and [1] are"])],
    ids=["not yet available", "available", "not yet available, of an ordered set"],
)
def test_a_pod_of_a_parallel_set_counts_once_it_is_available(policy, seconds, said):
    set_ = a_rolling_set(None)
    set_ = replace(set_, spec=replace(set_.spec, podManagementPolicy=policy, minReadySeconds=10))
    members = [a_pod(number, owner=set_, ready=number != 1) for number in range(3)]
    since = clock.timestamp(clock.now() - timedelta(seconds=seconds))
    status = replace(
        members[2].status, conditions=[PodCondition(type="Ready", status="True", lastTransitionTime=since)]
    )
    members[2] = replace(members[2], status=status)
    assert list(unavailable(deleted(members[2], "statefulset"), world(set_, *members))) == said


DAEMONS = {  # strategy, pods, what goes or comes, what is said
    "one node's pod goes": (
        {"maxUnavailable": 1}, [("n0", "old", True), ("n1", "old", True), ("n2", "new", True)], "n0", []),
    "no second one goes": (
        {"maxUnavailable": 1}, [("n0", "old", True), ("n1", "new", False), ("n2", "new", True)], "n0",
        ["1 nodes may be without a ready pod, and ['n1'] are"]),
    "a node without a pod counts": (
        {"maxUnavailable": 1}, [("n0", "old", True), ("n1", "new", True)], "n0",
        ["1 nodes may be without a ready pod, and ['n2'] are"]),
    "a pod that is down already may go": (
        {"maxUnavailable": 1}, [("n0", "old", False), ("n1", "new", False), ("n2", "new", True)], "n0", []),
}  # fmt: skip


@pytest.mark.parametrize("rolling, there, gone, said", DAEMONS.values(), ids=DAEMONS)
def test_an_update_of_a_daemonset(rolling, there, gone, said):
    set_ = a_daemonset(**rolling)
    daemons = {node: a_daemon(set_, node, hash_=hash_, ready=ready) for node, hash_, ready in there}
    assert list(bounds(deleted(daemons[gone], "daemonset"), world(set_, *NODES, *daemons.values()))) == said


@pytest.mark.parametrize("ready, said", [(True, []), (False, ["1 nodes may have two pods, and ['n1'] do"])])
def test_a_surge_doubles_no_more_nodes_than_it_may(ready, said):
    set_ = a_daemonset(maxSurge=1, maxUnavailable=0)
    there = [a_daemon(set_, node) for node in ("n0", "n1")]
    there.append(a_daemon(set_, "n1", "new-n1", "new", ready=ready))
    coming = a_daemon(set_, "n0", "new-n0", "new")
    assert list(bounds(written(None, coming, "daemonset"), world(set_, *NODES, *there))) == said


RS = ReplicaSet(metadata=a_meta("r"), spec=ReplicaSetSpec(replicas=3))


def a_budget(**spec):
    selector = LabelSelector(matchLabels={"app": "x"})
    return PodDisruptionBudget(metadata=a_meta("b"), spec=PodDisruptionBudgetSpec(selector=selector, **spec))


def some(count, **more):
    return [a_pod(f"p{number}", owner=RS, labels={"app": "x"}, **more) for number in range(count)]


BUDGETS = {  # the budget, the pods there, how many were evicted before, what is said
    "what is above the least may go": ({"minAvailable": 2}, 3, 0, []),
    "what is kept may not": ({"minAvailable": 2}, 2, 0, ["budget b keeps 2 pods healthy, and 1 are left"]),
    "an eviction counts before its pod has gone": (
        {"minAvailable": 2}, 3, 1, ["budget b keeps 2 pods healthy, and 1 are left"]),
    "what may be missing is of what is wanted": (
        {"maxUnavailable": 1}, 2, 0, ["budget b keeps 2 pods healthy, and 1 are left"]),
    "a percentage is rounded up": ({"minAvailable": "50%"}, 3, 1, ["budget b keeps 2 pods healthy, and 1 are left"]),
}  # fmt: skip


@pytest.mark.parametrize("spec, count, evicted, said", BUDGETS.values(), ids=BUDGETS)
def test_a_budget(spec, count, evicted, said):
    there = some(count)
    now = world(RS, a_budget(**spec), *there)
    now.evicted = {pod.metadata.uid for pod in there[1 : 1 + evicted]}
    now.evicting = {there[0].metadata.uid}
    assert list(budgets(deleted(there[0], "user"), now)) == said


def test_a_user_who_deletes_a_pod_asks_no_budget():
    there = some(1)
    assert not list(budgets(deleted(there[0], "user"), world(RS, a_budget(minAvailable=1), *there)))


def test_what_failed_since_the_count_is_no_evictions_fault():
    healthy = some(3)
    failed = replace(a_pod("p1", owner=RS, labels={"app": "x"}, ready=False), metadata=healthy[1].metadata)
    now = world(RS, a_budget(minAvailable=2), failed, before=healthy)
    now.evicting = {healthy[0].metadata.uid}
    assert not list(budgets(deleted(healthy[0], "user"), now))


def test_a_budget_that_nobody_counted_lets_nothing_go():
    there = some(2)
    now = world(RS, *there)
    budget = a_budget(minAvailable=0)
    now.apply(Write(NOW, 9, key_of(PodDisruptionBudget, "default", "b"), None, budget, "user"))
    now.evicting = {there[0].metadata.uid}
    assert list(budgets(deleted(there[0], "user"), now)) == ["budget b was never counted"]


QUOTA = ResourceQuota(metadata=a_meta("q"), spec=ResourceQuotaSpec(hard={"pods": "2"}))
QUOTAS = {  # pods there, what is said of one more
    "there is room": (some(1), []),
    "there is none": (some(2), ["quota q lets 2 pods be, and 2 are there"]),
    "finished pods take none": ([*some(1), a_pod("done", phase="Succeeded")], []),
    "pods on their way out are not held against it": ([*some(1), a_pod("out", deleting=True)], []),
}


@pytest.mark.parametrize("there, said", QUOTAS.values(), ids=QUOTAS)
def test_a_quota(there, said):
    assert list(pods(written(None, a_pod("new"), "replicaset"), world(QUOTA, *there))) == said


def test_a_pod_that_the_count_may_have_missed_is_not_held_against_the_quota():
    now = world(QUOTA, *some(1))
    late = a_pod("late")
    now.apply(Write(NOW - 60, 8, key_of(type(late), "default", "late"), None, late))
    counted = written(QUOTA, QUOTA, "quota", since=NOW - 70)
    now.apply(counted)
    assert not list(pods(written(None, a_pod("new"), "replicaset"), now))
