"""What a StatefulSet may opt in to: conditions, growing claims, and what is said of pods that went too early."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from knarr.controllers.statefulset_conditions import conditions, next_deadline
from knarr.controllers.statefulset_departed import Departed
from knarr.controllers.statefulset_growth import grown
from knarr.controllers.statefulset_status import Revisions, status
from knarr.kinds.statefulset_options import DEADLINE, EXPAND
from knarr.kinds.types.apps_v1 import StatefulSetCondition, StatefulSetUpdateStrategy
from knarr.kinds.types.core_v1 import (
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    PersistentVolumeClaim,
    PersistentVolumeClaimStatus,
    PodCondition,
    VolumeResourceRequirements,
)
from knarr.meta import clock
from knarr.testing.builders import a_pod, a_set

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
REVISIONS = Revisions("r", "r", {})


def ago(seconds):
    return clock.timestamp(NOW - timedelta(seconds=seconds))


def made(ordinal, seconds=10, **given):
    """A pod that was made, and became ready, so long ago."""
    labels = {"controller-revision-hash": "r"}
    return a_pod(ordinal, labels=labels, ready_since=ago(seconds), meta={"creationTimestamp": ago(seconds)}, **given)


def watched(*known, observed=1, deadline="60", **spec):
    """A set of two pods with the conditions that it has had so far."""
    set_ = a_set(replicas=2, meta={"annotations": {DEADLINE: deadline}, "generation": 1}, **spec)
    return replace(set_, status=replace(set_.status, conditions=list(known), observedGeneration=observed))


def progress(status_, reason, seconds):
    return StatefulSetCondition(type="Progressing", status=status_, reason=reason, lastTransitionTime=ago(seconds))


UNDER_WAY, EXCEEDED = ("True", "RolloutProgressing"), ("False", "ProgressDeadlineExceeded")
COMPLETE = ("True", "RolloutComplete")

#: set, pods -> Progressing, and how long ago it last changed
PROGRESS = {
    "a new set is under way": (watched(observed=None), [], UNDER_WAY, 0),
    "a set that gets on stays under way": (watched(progress(*UNDER_WAY, 50)), [made(0)], UNDER_WAY, 50),
    "a set whose pods are all available is complete": (
        watched(progress(*UNDER_WAY, 50)), [made(0), made(1)], COMPLETE, 0),
    "a set on which nothing moved for too long has exceeded its deadline": (
        watched(progress(*UNDER_WAY, 90)), [made(0, 80), made(1, 70, ready=False)], EXCEEDED, 0),
    "a pod that was made lately is progress": (
        watched(progress(*UNDER_WAY, 90)), [made(0, 80), made(1, 30, ready=False)], UNDER_WAY, 90),
    "a set that could make no pod exceeds its deadline too": (
        watched(progress(*UNDER_WAY, 61)), [], EXCEEDED, 0),
    "what was exceeded stays so while nothing moves": (
        watched(progress(*EXCEEDED, 30)), [made(0, 100, ready=False)], EXCEEDED, 30),
    "what was exceeded without a pod stays so": (watched(progress(*EXCEEDED, 30)), [], EXCEEDED, 30),
    "a pod that is made after all is progress again": (
        watched(progress(*EXCEEDED, 30)), [made(0, 5, ready=False)], UNDER_WAY, 0),
    "a change of the set begins anew": (
        watched(progress(*EXCEEDED, 30), observed=0), [made(0, 100, ready=False)], UNDER_WAY, 0),
    "a change of a set under way begins anew": (
        watched(progress(*UNDER_WAY, 50), observed=0), [made(0, 55, ready=False)], UNDER_WAY, 0),
    "a pod that fails after completion changes nothing": (
        watched(progress(*COMPLETE, 500)), [made(0, 600), made(1, 600, ready=False)], COMPLETE, 500),
    "a change after completion begins a rollout": (
        watched(progress(*COMPLETE, 500), observed=0), [made(0, 600)], UNDER_WAY, 0),
}  # fmt: skip


@pytest.mark.parametrize(("set_", "pods", "said", "since"), PROGRESS.values(), ids=PROGRESS)
def test_progressing(set_, pods, said, since):
    found = conditions(set_, status(set_, pods, REVISIONS, NOW), pods, NOW)[-1]
    assert (found.type, (found.status, found.reason), found.lastTransitionTime) == ("Progressing", said, ago(since))


#: pods that are ready, what they must be by maxUnavailable -> Available
AVAILABLE = {
    "none is there": ([], None, "False"),
    "one may be down": ([0], None, "True"),
    "all are there": ([0, 1], None, "True"),
    "however many may be down, one must be there": ([], 2, "False"),
}


@pytest.mark.parametrize(("ready", "most", "truth"), AVAILABLE.values(), ids=AVAILABLE)
def test_available(ready, most, truth):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": most}}
    set_, pods = watched(**({"updateStrategy": _strategy(strategy)} if most else {})), [made(n) for n in ready]
    found = conditions(set_, status(set_, pods, REVISIONS, NOW), pods, NOW)[0]
    assert (found.type, found.status, found.message) == (
        "Available", truth, f"{len(ready)} of 2 pods are available, 1 must be")  # fmt: skip


def _strategy(tree):
    return msgspec.convert(tree, StatefulSetUpdateStrategy)


def test_a_set_that_did_not_opt_in_has_no_conditions_of_ours_and_keeps_those_of_others():
    other = StatefulSetCondition(type="Mine", status="True")
    set_ = replace(watched(other, progress(*COMPLETE, 5)), metadata=a_set().metadata)
    assert conditions(set_, status(set_, [], REVISIONS, NOW), [], NOW) == [other]
    assert next_deadline(set_, set_.status, [], NOW) is None


def test_a_set_under_way_is_looked_at_when_its_deadline_is_over():
    set_ = watched(progress(*UNDER_WAY, 50))
    assert next_deadline(set_, set_.status, [made(0, 20, ready=False)], NOW) == NOW + timedelta(seconds=40)


def a_claim(name, size, phase="Bound", deleting=False):
    claim = PersistentVolumeClaim(status=PersistentVolumeClaimStatus(phase=phase))
    meta = replace(claim.metadata, name=name, uid="u", deletionTimestamp=ago(1) if deleting else "")
    resources = VolumeResourceRequirements(requests={"storage": size})
    return replace(claim, metadata=meta, spec=replace(claim.spec, resources=resources))


#: annotations, claim -> steps
GROWTH = {
    "a claim that asks for less grows": (
        {EXPAND: "true"}, a_claim("d-db-0", "1Gi"), ["patch persistentvolumeclaim d-db-0: grows to 2Gi"]),
    "a claim that asks for as much in other words stays": ({EXPAND: "true"}, a_claim("d-db-0", "2048Mi"), []),
    "a claim that asks for more stays": ({EXPAND: "true"}, a_claim("d-db-0", "3Gi"), []),
    "a claim without a volume cannot grow yet": ({EXPAND: "true"}, a_claim("d-db-0", "1Gi", "Pending"), []),
    "a claim that goes stays": ({EXPAND: "true"}, a_claim("d-db-0", "1Gi", deleting=True), []),
    "a claim of a pod that is not wanted stays": ({EXPAND: "true"}, a_claim("d-db-1", "1Gi"), []),
    "a set that did not opt in leaves its claims": ({EXPAND: "false"}, a_claim("d-db-0", "1Gi"), []),
}  # fmt: skip


@pytest.mark.parametrize(("annotations", "claim", "steps"), GROWTH.values(), ids=GROWTH)
def test_growth(annotations, claim, steps):
    set_ = a_set(meta={"annotations": annotations}, volumeClaimTemplates=[a_claim("d", "2Gi")])
    assert [str(step) for step in grown(set_, {claim.metadata.name: claim})] == steps


COLLECTED = PodCondition(type="DisruptionTarget", status="True", reason="DeletionByPodGC")


def collected(pod):
    return replace(pod, status=replace(pod.status, conditions=[COLLECTED]))


def still_running(pod):
    state = ContainerState(running=ContainerStateRunning(startedAt=ago(60)))
    return replace(pod, status=replace(pod.status, containerStatuses=[ContainerStatus(name="c", state=state)]))


#: the pod that went -> whether its successor may run beside it
DEPARTURES = {
    "it still ran, for all that was known": (a_pod(0, node="n1", uid="old"), True),
    "its node had said that it ended": (a_pod(0, node="n1", uid="old", phase="Failed"), False),
    "its node was gone, and it was taken for dead": (
        collected(a_pod(0, node="n1", uid="old", phase="Failed")), True),
    "somebody else than its node said that it ended": (
        still_running(a_pod(0, node="n1", uid="old", phase="Failed")), True),
    "it never had a node": (a_pod(0, phase="Pending", uid="old"), False),
    "it is granted no time at all": (a_pod(0, node="n1", uid="old", terminationGracePeriodSeconds=0), False),
}  # fmt: skip


@pytest.mark.parametrize(("pod", "told"), DEPARTURES.values(), ids=DEPARTURES)
def test_a_successor_of_a_pod_that_nobody_saw_end_is_told_of_once(pod, told):
    set_, departed = a_set(), Departed()
    owned = replace(pod, metadata=replace(pod.metadata, ownerReferences=a_pod(0, owner=set_).metadata.ownerReferences))
    departed.observe(owned, None)
    assert list(departed.told(set_, [a_pod(1, uid="new")])) == []
    said = list(departed.told(set_, [a_pod(0, uid="new")]))
    assert [event.reason for event in said] == ["UnconfirmedPredecessor"] * told
    assert all("uid old" in event.message and "node n1" in event.message for event in said)
    assert list(departed.told(set_, [a_pod(0, uid="new")])) == []
