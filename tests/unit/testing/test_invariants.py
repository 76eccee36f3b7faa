"""The invariants, rule by rule: which writes they let pass and which they name, by what the writer could know."""

import pytest
from msgspec.structs import replace

from knarr.kinds.types.apps_v1 import (
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
    RollingUpdateDeployment,
    RollingUpdateStatefulSetStrategy,
    StatefulSetUpdateStrategy,
)
from knarr.kinds.types.batch_v1 import Job, JobSpec, JobStatus
from knarr.testing.builders import a_meta, a_node, a_pod, a_set
from knarr.testing.invariants.machines import Running, at_most_one
from knarr.testing.invariants.table import RULES
from knarr.testing.invariants.world import World, Write, key_of

NOW = 100.0
SET = a_set(replicas=3)
RS = ReplicaSet(metadata=a_meta("r"), spec=ReplicaSetSpec(replicas=2))
JOB = Job(metadata=a_meta("j"), spec=JobSpec(parallelism=2, completions=3))
DEPLOYMENT = Deployment(
    metadata=a_meta("d"),
    spec=DeploymentSpec(
        replicas=3,
        strategy=DeploymentStrategy(
            type="RollingUpdate", rollingUpdate=RollingUpdateDeployment(maxSurge=1, maxUnavailable=1)
        ),
    ),
)


def key(obj):
    return key_of(type(obj), obj.metadata.namespace, obj.metadata.name)


def world(*objects, before=()):
    """A world with objects, and former ones that were there until ten seconds ago."""
    made = World()
    for number, obj in enumerate((*before, *objects), 1):
        old = made.objects.get(key(obj))
        time = NOW - 10 if old is not None else NOW - 50
        made.apply(Write(time, number, key(obj), old, obj))
        made.revision = made.revisions[key(obj)] = number
    return made


def broken(made, writer, old, new, since=NOW, doubts=0):
    """What each rule says of a write."""
    obj = new or old
    write = Write(
        NOW, made.revision + 1, key(obj), old, new, writer,
        since=since, previous=made.revisions.get(key(obj), 0), doubts=doubts,
    )  # fmt: skip
    return [said for rule in RULES.values() for said in rule(write, made)]


def a_member(number, **more):
    return a_pod(number, owner=SET, **more)


def a_replica(name, owner, **more):
    return a_pod(name, owner=owner, **more)


def sized(name, size, available=0, deployment=DEPLOYMENT):
    meta = a_meta(name, owner=deployment, annotations={"deployment.kubernetes.io/desired-replicas": "3"})
    return ReplicaSet(
        metadata=meta, spec=ReplicaSetSpec(replicas=size), status=ReplicaSetStatus(availableReplicas=available)
    )


def going(obj):
    return replace(obj, metadata=replace(obj.metadata, deletionTimestamp="2026-01-01T00:01:00Z"))


COUNTED = {"finalizers": ["batch.kubernetes.io/job-tracking"]}
ONE, TWO = a_member(0), a_member(1)
UNREADY = a_member(0, ready=False)

CASES = {
    "the next pod of an ordered set comes when those before are ready": (
        broken(world(SET, ONE), "statefulset", None, TWO),
        [],
    ),
    "the next pod of an ordered set must not come before one is ready": (
        broken(world(SET, UNREADY), "statefulset", None, TWO),
        ["pod 0 is not ready"],
    ),
    "a pod that was ready when the writer looked will do": (
        broken(world(SET, UNREADY, before=[ONE]), "statefulset", None, TWO, since=NOW - 20),
        [],
    ),
    "a pod that was ready before the writer looked will not": (
        broken(world(SET, UNREADY, before=[ONE]), "statefulset", None, TWO, since=NOW - 5),
        ["pod 0 is not ready"],
    ),
    "a pod beyond the replicas must not come": (
        broken(world(SET, ONE, TWO, a_member(2)), "statefulset", None, a_member(3)),
        ["its ordinal is not among 0 to 2"],
    ),
    "an update may take any pod where nothing holds it back": (
        broken(world(SET, ONE, TWO, a_member(2)), "statefulset", ONE, going(ONE)),
        [],
    ),
    "a ReplicaSet makes what is missing": (
        broken(world(RS, a_replica("a", RS)), "replicaset", None, a_replica("b", RS)),
        [],
    ),
    "a ReplicaSet makes no more than it wants": (
        broken(world(RS, a_replica("a", RS), a_replica("b", RS)), "replicaset", None, a_replica("c", RS)),
        ["2 pods are wanted, and 2 are there"],
    ),
    "a ReplicaSet cannot count what it got no answer to": (
        broken(world(RS, a_replica("a", RS), a_replica("b", RS)), "replicaset", None, a_replica("c", RS), doubts=1),
        [],
    ),
    "finished and terminating pods are no replicas": (
        broken(
            world(RS, a_replica("a", RS, phase="Failed"), a_replica("b", RS, deleting=True)),
            "replicaset",
            None,
            a_replica("c", RS),
        ),
        [],
    ),
    "a ReplicaSet deletes no pod that it wants": (
        broken(
            world(RS, a_replica("a", RS), a_replica("b", RS)), "replicaset", a_replica("b", RS),
            going(a_replica("b", RS)),
        ),
        ["2 pods are wanted, and no more than 2 can seem to be there"],
    ),
    "a controller leaves the pods of others alone": (
        broken(world(SET, ONE), "replicaset", ONE, going(ONE)),
        ["it belongs to a StatefulSet, not to a ReplicaSet"],
    ),
    "an orphan is not deleted": (
        broken(world(RS, a_pod("a")), "replicaset", a_pod("a"), going(a_pod("a"))),
        ["it belongs to nobody, and not to a ReplicaSet"],
    ),
    "nothing is made for an owner that is gone": (
        broken(world(), "replicaset", None, a_replica("a", RS)),
        ["it is made for a ReplicaSet that is gone"],
    ),
    "a Job stays within its parallelism": (
        broken(world(JOB, a_replica("a", JOB)), "job", None, a_replica("b", JOB)),
        [],
    ),
    "a Job has no more pods at once than its parallelism": (
        broken(world(JOB, a_replica("a", JOB), a_replica("b", JOB)), "job", None, a_replica("c", JOB)),
        ["the parallelism is 2, and 2 pods are active"],
    ),
    "a Job has no more pods than completions are left": (
        broken(
            world(JOB, *(a_replica(n, JOB, phase="Succeeded", meta=COUNTED) for n in "abc")), "job", None,
            a_replica("d", JOB),
        ),
        ["3 completions: 3 pods have succeeded, 0 are active"],
    ),
    "what a Job has counted is not taken back": (
        broken(world(JOB), "job", replace(JOB, status=JobStatus(failed=2)), replace(JOB, status=JobStatus(failed=1))),
        ["failed goes back from 2 to 1"],
    ),
    "a Job counts no success that there was not": (
        broken(world(JOB), "job", JOB, replace(JOB, status=JobStatus(succeeded=1))),
        ["1 are counted as succeeded, 0 did"],
    ),
    "a rollout grows within the surge": (
        broken(world(DEPLOYMENT, sized("old", 3, 3)), "deployment", None, sized("new", 1)),
        [],
    ),
    "a rollout does not grow beyond the surge": (
        broken(world(DEPLOYMENT, sized("old", 3, 3)), "deployment", None, sized("new", 2)),
        ["5 pods in all, where 3 and 1 more may be"],
    ),
    "a rollout spares what may be unavailable": (
        broken(world(DEPLOYMENT, sized("old", 3, 3)), "deployment", sized("old", 3, 3), sized("old", 2, 3)),
        [],
    ),
    "a rollout takes no more than may be unavailable": (
        broken(world(DEPLOYMENT, sized("old", 3, 3)), "deployment", sized("old", 3, 3), sized("old", 1, 3)),
        ["3 pods are available, 2 of them go, and 2 must stay"],
    ),
    "broken pods may always go": (
        broken(world(DEPLOYMENT, sized("old", 3, 0)), "deployment", sized("old", 3, 0), sized("old", 0, 0)),
        [],
    ),
    "an update keeps the uid": (
        broken(world(RS), "user", RS, replace(RS, metadata=a_meta("r", uid="other"))),
        ["an update changes the uid from uid-r to other"],
    ),
    "a deletion is not taken back": (
        broken(world(going(RS)), "user", going(RS), RS),
        ["an update takes a deletion back"],
    ),
    "a node's own changes concern no rule": (broken(world(a_node()), "node-0", a_node(), a_node(ready=False)), []),
}  # fmt: skip


@pytest.mark.parametrize("said, expected", CASES.values(), ids=CASES)
def test_rules(said, expected):
    assert said == expected


def test_a_partition_and_on_delete_hold_updates_back():
    held = replace(SET, spec=replace(SET.spec, updateStrategy=_strategy("RollingUpdate", 1)))
    others = [TWO, a_member(2)]
    assert broken(world(held, ONE, *others), "statefulset", ONE, going(ONE)) == ["the partition is 1"]
    by_hand = replace(SET, spec=replace(SET.spec, updateStrategy=_strategy("OnDelete", None)))
    assert broken(world(by_hand, ONE, *others), "statefulset", ONE, going(ONE)) == ["the strategy is OnDelete"]


def _strategy(type_, partition):
    rolling = RollingUpdateStatefulSetStrategy(partition=partition) if partition is not None else None
    return StatefulSetUpdateStrategy(type=type_, rollingUpdate=rolling)


def test_a_revision_comes_after_all_others_and_replaces_the_last():
    made = world(RS)
    write = Write(NOW, 1, key(RS), RS, RS, "user", previous=7)
    assert list(RULES["revisions grow"](write, made)) == [
        "revision 1 comes after 1",
        "it replaces revision 7, but the last one was 1",
    ]


def test_no_two_machines_run_pods_of_one_name():
    here, there = Running("node-0", "default", "db-0", "uid-1"), Running("node-1", "default", "db-0", "uid-2")
    stateful = {"uid-1", "uid-2"}
    assert list(at_most_one([here], stateful, World())) == []
    assert list(at_most_one([here, there], set(), World())) == []
    assert list(at_most_one([here, there], stateful, World(forced={"uid-1"}))) == []
    assert list(at_most_one([here, there], stateful, World())) == [
        "pod default/db-0 runs 2 times: uid-1 on node-0, uid-2 on node-1"
    ]
