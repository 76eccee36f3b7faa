"""What ReplicaSets and ReplicationControllers do: their plan and status, case by case."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from knarr.controllers.replicaset import KIND as SETS
from knarr.controllers.replicationcontroller import KIND as CONTROLLERS
from knarr.kinds.types.apps_v1 import ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus
from knarr.kinds.types.core_v1 import (
    Container,
    PodCondition,
    PodSpec,
    PodTemplateSpec,
    ReplicationController,
    ReplicationControllerSpec,
)
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta
from knarr.loop.replication import BURST, next_availability, plan, status
from knarr.meta import clock
from knarr.testing.builders import a_pod

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = {"app": "x"}
TEMPLATE = PodTemplateSpec(
    metadata=ObjectMeta(labels=LABELS), spec=PodSpec(containers=[Container(name="c", image="i")])
)


def a_set(replicas=3, *, deleting=False, failing=False, min_ready=None, name="r"):
    told = ReplicaSetCondition(type="ReplicaFailure", status="True", reason="FailedCreate", message="before")
    return ReplicaSet(
        metadata=ObjectMeta(
            name=name, namespace="n", uid="r", generation=4, deletionTimestamp="2026-01-01T00:00:00Z" * deleting
        ),
        spec=ReplicaSetSpec(
            replicas=replicas, selector=LabelSelector(matchLabels=LABELS), template=TEMPLATE, minReadySeconds=min_ready
        ),
        status=ReplicaSetStatus(conditions=[told] if failing else []),
    )


def pods(*states, since=3600):
    """A pod for each state: "ready", "running" or "pending"."""
    return [pod(f"p{number}", state, since) for number, state in enumerate(states)]


def pod(name, state, since):
    made = a_pod(name, labels=LABELS, node="n" * (state != "pending"), phase="Running", ready=state == "ready")
    time = clock.timestamp(NOW - timedelta(seconds=since))
    condition = PodCondition(type="Ready", status="True" if state == "ready" else "False", lastTransitionTime=time)
    phase = "Pending" if state == "pending" else "Running"
    return replace(made, status=replace(made.status, phase=phase, conditions=[condition]))


CREATE = "create pod r-"
PLANS = {
    "missing pods are created": (a_set(3), pods("ready"), [CREATE] * 2),
    "none are missing": (a_set(2), pods("ready", "pending"), []),
    "surplus pods go, the unready first": (a_set(1), pods("ready", "running", "ready"), ["delete pod p1: surplus"]),
    "nothing is wanted": (a_set(0), pods("ready"), ["delete pod p0: surplus"]),
    "without a number it is one": (a_set(None), [], [CREATE]),
    "an owner that goes does nothing": (a_set(3, deleting=True), [], []),
}


@pytest.mark.parametrize(("owner", "found", "wanted"), PLANS.values(), ids=PLANS)
def test_plan(owner, found, wanted):
    steps = [str(step) for step in plan(owner, found, found, NOW)]
    assert steps[: len(wanted)] == wanted
    assert len(steps) == abs((1 if owner.spec.replicas is None else owner.spec.replicas) - len(found)) * (
        not owner.metadata.deletionTimestamp
    )


def test_one_pass_does_no_more_than_a_burst():
    assert len(plan(a_set(2 * BURST), [], [], NOW)) == BURST


def test_a_pod_is_made_of_the_template_and_belongs_to_the_owner():
    (step,) = plan(a_set(1), [], [], NOW)
    made = step.obj
    assert (made.metadata.generateName, made.metadata.labels, made.spec) == ("r-", LABELS, TEMPLATE.spec)
    (owner,) = made.metadata.ownerReferences
    assert (owner.kind, owner.name, owner.uid, owner.controller, owner.blockOwnerDeletion) == (
        "ReplicaSet", "r", "r", True, True,
    )  # fmt: skip


def test_what_is_done_and_what_fails_is_told():
    (step,) = plan(a_set(1), [], [], NOW)
    assert step.note.done == ("SuccessfulCreate", "Created pod: {name}")
    assert step.note.failed == ("FailedCreate", "Error creating: {error}")
    (step,) = plan(a_set(0), pods("ready"), [], NOW)
    assert step.note.done == ("SuccessfulDelete", "Deleted pod: {name}")
    assert step.note.failed == ("FailedDelete", "Error deleting: {error}")


def counted(owner, found, leaving=(), failure=None, kind=SETS):
    return status(kind, owner, found, leaving, failure, NOW)


FAILURES = {
    "too few": (a_set(2), pods("ready"), "FailedCreate no"),
    "too many": (a_set(0), pods("ready"), "FailedDelete no"),
    "as many as wanted": (a_set(1), pods("ready"), None),
    "it is told already": (a_set(2, failing=True), pods("ready"), "FailedCreate before"),
}


class TestStatus:
    def test_pods_are_counted_by_what_they_have_come_to(self):
        found = [*pods("ready", "ready", "running", "pending"), *pods("ready", since=5)]
        made = counted(a_set(5, min_ready=10), found, pods("running"))
        assert made == ReplicaSetStatus(
            replicas=5,
            fullyLabeledReplicas=5,
            readyReplicas=3,
            availableReplicas=2,
            terminatingReplicas=1,
            observedGeneration=4,
        )

    def test_a_pod_without_all_of_the_templates_labels_is_not_fully_labeled(self):
        owner, (found,) = a_set(1), pods("ready")
        asks = replace(TEMPLATE, metadata=replace(TEMPLATE.metadata, labels={**LABELS, "more": "than is selected"}))
        owner = replace(owner, spec=replace(owner.spec, template=asks))
        full = replace(found, metadata=replace(found.metadata, labels=asks.metadata.labels))
        assert counted(owner, [found, full]).fullyLabeledReplicas == 1
        assert counted(owner, [found]).fullyLabeledReplicas is None

    def test_replication_controllers_do_not_count_pods_that_end(self):
        owner = ReplicationController(
            metadata=ObjectMeta(name="r"),
            spec=ReplicationControllerSpec(replicas=1, selector=LABELS, template=TEMPLATE),
        )
        assert not hasattr(counted(owner, pods("ready"), pods("running"), kind=CONTROLLERS), "terminatingReplicas")

    @pytest.mark.parametrize(("owner", "found", "wanted"), FAILURES.values(), ids=FAILURES)
    def test_a_failure_becomes_a_condition(self, owner, found, wanted):
        conditions = counted(owner, found, failure=ValueError("no")).conditions
        assert [f"{c.reason} {c.message}" for c in conditions if c.type == "ReplicaFailure"] == [wanted] * bool(wanted)

    def test_a_pass_without_failure_takes_it_back(self):
        assert counted(a_set(2, failing=True), pods("ready")).conditions == []


def test_a_ready_pod_is_looked_at_again_when_it_becomes_available():
    owner = a_set(2, min_ready=10)
    assert next_availability(owner, [*pods("ready", since=4), *pods("ready", since=7)], NOW) == NOW + timedelta(
        seconds=3
    )
    assert next_availability(owner, pods("ready", "pending"), NOW) is None
