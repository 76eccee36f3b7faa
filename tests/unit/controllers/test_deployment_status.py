"""What a Deployment's sets amount to: counts, and the conditions that tell whether it gets anywhere."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from knarr.controllers.deployment_sets import UNLIMITED
from knarr.controllers.deployment_status import is_complete, next_check, status
from knarr.kinds.types.apps_v1 import DeploymentCondition, DeploymentStatus
from knarr.meta import clock
from tests.unit.controllers.deployments import a_deployment, a_set

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DONE, GOING, LATE = "NewReplicaSetAvailable", "ReplicaSetUpdated", "ProgressDeadlineExceeded"


def before(reason=GOING, status_="True", *, ago=0, **counts):
    """The status of the pass before, with a Progressing condition last updated `ago` seconds before."""
    time = clock.timestamp(NOW - timedelta(seconds=ago))
    known = DeploymentCondition(
        type="Progressing", status=status_, reason=reason, lastUpdateTime=time, lastTransitionTime=time
    )
    return DeploymentStatus(conditions=[known] if reason else [], observedGeneration=1, **counts)


def told(deployment, sets, *, rolling=True, **given):
    """Each condition as "type status reason"."""
    new = next((set_ for set_ in sets if set_.metadata.name == "web-new"), None)
    made = status(deployment, sets, new, NOW, rolling=rolling, **given)
    return {f"{c.type} {c.status} {c.reason}" for c in made.conditions}


def progress(*args, **given):
    return {line for line in told(*args, **given) if line.startswith("Progressing")}


def test_counts_are_those_of_all_sets_and_of_the_new_one():
    sets = [a_set("a", 7, 6, leaving=1), a_set("new", 4, 2, have=3, leaving=2)]
    made = status(a_deployment(generation=3), sets, sets[1], NOW, rolling=True)
    assert replace(made, conditions=[]) == DeploymentStatus(
        observedGeneration=3,
        replicas=10,
        updatedReplicas=3,
        readyReplicas=8,
        availableReplicas=8,
        unavailableReplicas=3,
        terminatingReplicas=3,
    )


AVAILABILITY = {
    "as many as must be available": (a_deployment(), [a_set("new", 10, 8)], "True MinimumReplicasAvailable"),
    "one fewer": (a_deployment(), [a_set("new", 10, 7)], "False MinimumReplicasUnavailable"),
    "old and new count alike": (a_deployment(), [a_set("a", 5), a_set("new", 5, 3)], "True MinimumReplicasAvailable"),
    "with Recreate all must be": (
        a_deployment(recreate=True), [a_set("new", 10, 9)], "False MinimumReplicasUnavailable",
    ),
    "none are wanted": (a_deployment(0), [], "True MinimumReplicasAvailable"),
}  # fmt: skip


@pytest.mark.parametrize(("deployment", "sets", "wanted"), AVAILABILITY.values(), ids=AVAILABILITY)
def test_the_available_condition(deployment, sets, wanted):
    assert f"Available {wanted}" in told(deployment, sets)


HALF = [a_set("a", 5), a_set("new", 5)]
SAME = {"replicas": 10, "updatedReplicas": 5, "readyReplicas": 10, "availableReplicas": 10}
PROGRESS = {
    "done when all are new and available": (a_deployment(), [a_set("new", 10)], {}, f"True {DONE}"),
    "not done while an old pod is there": (
        a_deployment(status=before(**{**SAME, "replicas": 11})),
        [a_set("a", 1), a_set("new", 10)], {}, f"True {GOING}",
    ),
    "going on when there are more new pods": (
        a_deployment(status=before(**{**SAME, "updatedReplicas": 4})), HALF, {}, f"True {GOING}",
    ),
    "going on when there are fewer old pods": (
        a_deployment(status=before(**{**SAME, "replicas": 11})), HALF, {}, f"True {GOING}",
    ),
    "going on when more are ready": (
        a_deployment(status=before(LATE, "False", **{**SAME, "readyReplicas": 9})), HALF, {}, f"True {GOING}",
    ),
    "standing still within the deadline": (
        a_deployment(status=before(ago=599, **SAME)), HALF, {}, f"True {GOING}",
    ),
    "standing still beyond the deadline": (
        a_deployment(status=before(ago=601, **SAME)), HALF, {}, f"False {LATE}",
    ),
    "timed out for good until something moves": (
        a_deployment(status=before(LATE, "False", ago=1, **SAME)), HALF, {}, f"False {LATE}",
    ),
    "a deadline of its own": (
        a_deployment(status=before(ago=11, **SAME), deadline=10), HALF, {}, f"False {LATE}",
    ),
    "what is done does not time out when a pod is lost": (
        a_deployment(status=before(DONE, ago=9999, replicas=10, updatedReplicas=10)), [a_set("new", 10, 1)], {},
        f"True {DONE}",
    ),
    "a set just made": (
        a_deployment(status=before("", replicas=10, readyReplicas=10, availableReplicas=10)),
        [a_set("a", 10), a_set("new", 3, have=0)], {"created": True},
        "True NewReplicaSetCreated",
    ),
    "a set found that was there": (
        a_deployment(status=before("", **SAME)), HALF, {"rolling": False}, "True FoundNewReplicaSet",
    ),
    "a set that could not be made": (
        a_deployment(status=before("")), [], {"failure": "no"}, "False ReplicaSetCreateError",
    ),
    "paused": (
        a_deployment(paused=True, status=before()), HALF, {"rolling": False}, "Unknown DeploymentPaused",
    ),
    "paused after it timed out": (
        a_deployment(paused=True, status=before(LATE, "False")), HALF, {"rolling": False}, f"False {LATE}",
    ),
    "resumed": (
        a_deployment(status=before("DeploymentPaused", "Unknown", **SAME)), HALF, {}, "Unknown DeploymentResumed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("deployment", "sets", "given", "wanted"), PROGRESS.values(), ids=PROGRESS)
def test_the_progressing_condition(deployment, sets, given, wanted):
    assert progress(deployment, sets, **given) == {f"Progressing {wanted}"}


@pytest.mark.parametrize("deadline", [None, UNLIMITED])
def test_without_a_deadline_progress_is_not_judged(deadline):
    late = a_deployment(status=before(ago=9999, **SAME), deadline=deadline)
    assert progress(late, HALF) == set()


def test_a_condition_that_says_the_same_keeps_its_times():
    known = before(DONE, ago=50, replicas=10, updatedReplicas=10)
    sets = [a_set("new", 10)]
    made = status(a_deployment(status=known), sets, sets[0], NOW, rolling=True)
    assert known.conditions[0] in made.conditions


def test_progress_moves_the_update_time_and_not_that_of_the_transition():
    known = before(ago=50, **{**SAME, "readyReplicas": 9})
    made = status(a_deployment(status=known), HALF, HALF[1], NOW, rolling=True)
    (progressing,) = [condition for condition in made.conditions if condition.type == "Progressing"]
    assert progressing.lastUpdateTime == clock.timestamp(NOW)
    assert progressing.lastTransitionTime == known.conditions[0].lastTransitionTime


FAILING = [a_set("a", 7, failure="old"), a_set("new", 3, 0, failure="quota")]


def test_a_set_that_cannot_make_pods_is_told_of_and_the_new_one_first():
    made = status(a_deployment(), FAILING, FAILING[1], NOW, rolling=True)
    (failure,) = [condition for condition in made.conditions if condition.type == "ReplicaFailure"]
    assert (failure.status, failure.reason, failure.message) == ("True", "FailedCreate", "quota")


def test_a_failure_that_is_over_is_taken_back():
    made = status(a_deployment(), FAILING, FAILING[1], NOW, rolling=True)
    assert "ReplicaFailure True FailedCreate" in told(a_deployment(status=made), FAILING)
    assert not any(line.startswith("ReplicaFailure") for line in told(a_deployment(status=made), HALF))


CHECKS = {
    "a second after the deadline, since times have whole seconds": (a_deployment(status=before(ago=100)), 501),
    "never when it is complete": (
        a_deployment(status=before(replicas=10, updatedReplicas=10, availableReplicas=10)), None,
    ),
    "never when it is paused": (a_deployment(paused=True, status=before()), None),
    "never when it timed out": (a_deployment(status=before(LATE, "False")), None),
    "never without a deadline": (a_deployment(status=before(), deadline=None), None),
}  # fmt: skip


@pytest.mark.parametrize(("deployment", "seconds"), CHECKS.values(), ids=CHECKS)
def test_when_progress_is_looked_at_again(deployment, seconds):
    wanted = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert next_check(deployment, deployment.status) == wanted


COMPLETE = DeploymentStatus(observedGeneration=1, replicas=10, updatedReplicas=10, availableReplicas=10)
INCOMPLETE = {
    "an old pod is left": replace(COMPLETE, replicas=11),
    "not all are new": replace(COMPLETE, updatedReplicas=9),
    "not all are available": replace(COMPLETE, availableReplicas=9),
    "the last change was not seen": replace(COMPLETE, observedGeneration=0),
}


def test_complete():
    assert is_complete(a_deployment(), COMPLETE)


@pytest.mark.parametrize("known", INCOMPLETE.values(), ids=INCOMPLETE)
def test_not_complete(known):
    assert not is_complete(a_deployment(), known)
