"""What a Job's status says after a pass, when it ends and why, and that every pod counts once whatever fails."""

import pytest
from msgspec.structs import replace

from knarr.controllers.job_counting import closed, counted
from knarr.controllers.job_pods import TRACKING
from tests.unit.controllers.jobs import (
    a_condition,
    a_job,
    a_pod,
    ago,
    failing,
    lines,
    on_codes,
    on_condition,
    one_pass,
    shown,
    succeeding,
)

REACHED = "SuccessCriteriaMet CompletionsReached, Complete CompletionsReached"
DONE = ["event on job j: Completed: Job completed"]


def failed_by(reason):
    return f"FailureTarget {reason}, Failed {reason}"


def told(reason, message):
    return [f"event on job j: {reason}: {message}"]


LIMIT = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
PER_INDEX = {"indexed": True, "backoffLimitPerIndex": 1}
STATUSES = {
    "active and ready pods": (a_job(2, 2), [a_pod("a"), a_pod("b", ready=False)], "active 2, ready 1"),
    "a pod that is to be created is active": (a_job(2, 2), [a_pod("a")], "active 2, ready 1"),
    "one that could not be created is not": (a_job(2, 2), [], "active 1", {"undone": [0]}),
    "a deleted pod is on its way out": (a_job(2, 1), [a_pod("a"), a_pod("b")], "active 1, ready 1, terminating 1"),
    "one that could not be deleted is active": (
        a_job(2, 1),
        [a_pod("a"), a_pod("b")],
        "active 2, ready 2",
        {"undone": [1]},
    ),
    "a pod that succeeded": (
        a_job(2, 1, status={"failed": 1}),
        [a_pod("a", "Succeeded")],
        "active 1, succeeded 1, failed 1",
    ),
    "a pod that failed": (a_job(2, 1), [a_pod("a", "Failed", ended=11)], "active 1, failed 1"),
    "a deleted pod counts as failed, for it may never say so": (
        a_job(2, 1),
        [a_pod("a", deleting=True)],
        "active 1, terminating 1, failed 1",
    ),
    "unless only failed ones are replaced": (
        a_job(2, 1, podReplacementPolicy="Failed"),
        [a_pod("a", deleting=True)],
        "terminating 1",
    ),
    "indexes that succeeded": (
        a_job(9, 2, indexed=True, status={"completedIndexes": "0,3", "succeeded": 2}),
        [a_pod("a", "Succeeded", index=1), a_pod("b", "Succeeded", index=2), a_pod("c", "Succeeded", index=2)],
        "active 2, succeeded 4, completedIndexes 0-3",
    ),
    "an index that is not wanted does not count": (
        a_job(2, 2, indexed=True),
        [a_pod("a", "Succeeded", index=2), a_pod("b", "Failed", index=5)],
        "active 2",
    ),
    "elastic: fewer completions forget the indexes beyond": (
        a_job(3, 3, indexed=True, status={"completedIndexes": "0,3-5", "succeeded": 4}),
        [],
        "active 2, succeeded 1, completedIndexes 0",
    ),
    "an index fails with its last pod": (
        a_job(3, 1, **PER_INDEX),
        [a_pod("a", "Failed", index=0, failures=1)],
        "active 1, failed 1, failedIndexes 0",
    ),
    "a failed pod counts once another takes over its index": (
        a_job(3, 3, **PER_INDEX),
        [a_pod("a", "Failed", index=0, failures=0, ended=1), a_pod("b", index=1), a_pod("c", index=2)],
        "active 2, ready 2",
    ),
    "and then it does": (
        a_job(3, 3, **PER_INDEX),
        [a_pod("a", "Failed", index=0, failures=0), a_pod("b", index=0)],
        "active 3, ready 1, failed 1",
    ),
}


@pytest.mark.parametrize("case", STATUSES.values(), ids=STATUSES)
def test_status(case):
    job, pods, status, *facts = case
    assert shown(one_pass(job, pods, **(facts[0] if facts else {}))[2].status) == status


ENDS = {
    "completions: reached": (a_job(1), [a_pod("a", "Succeeded")], f"succeeded 1, {REACHED}", DONE),
    "completions: none are wanted": (a_job(0), [], REACHED, DONE),
    "completions: too many are told of": (
        a_job(1),
        [a_pod("a", "Succeeded"), a_pod("b", "Succeeded")],
        f"succeeded 2, {REACHED}",
        told("TooManySucceededPods", "Too many succeeded pods running after completion count reached") + DONE,
    ),
    "completions: not while a pod is active": (
        a_job(1, 1),
        [a_pod("a", "Succeeded"), a_pod("b")],
        "terminating 1, succeeded 1, SuccessCriteriaMet CompletionsReached",
        ["patch pod b: tracked no longer", "delete pod b: surplus"],
    ),
    "completions: nor on its way out": (
        a_job(1, conditions=["SuccessCriteriaMet"], status={"succeeded": 1}),
        [a_pod("b", deleting=True, tracked=False)],
        "terminating 1, succeeded 1, SuccessCriteriaMet Why",
        [],
    ),
    "completions: but when it is gone": (
        a_job(1, conditions=["SuccessCriteriaMet"], status={"succeeded": 1}),
        [],
        "succeeded 1, SuccessCriteriaMet Why, Complete Why",
        DONE,
    ),
    "work queue: one succeeded and no other is left": (
        a_job(None, 3),
        [a_pod("a", "Succeeded"), a_pod("b", "Failed")],
        f"succeeded 1, failed 1, {REACHED}",
        DONE,
    ),
    "back-off limit: one failure more than it": (
        a_job(3, 1, backoffLimit=1, status={"failed": 1}),
        [a_pod("a", "Failed")],
        f"failed 2, {failed_by(LIMIT[0])}",
        told(*LIMIT),
    ),
    "back-off limit: not as many as it": (
        a_job(3, 1, backoffLimit=1),
        [a_pod("a", "Failed")],
        "active 1, failed 1",
        ["create pod j-"],
    ),
    "back-off limit: other pods fail with the Job, once they are gone": (
        a_job(3, 2, backoffLimit=0),
        [a_pod("a", "Failed"), a_pod("b")],
        "terminating 1, failed 2, FailureTarget BackoffLimitExceeded",
        ["delete pod b: the job ends"],
    ),
    "back-off limit: restarts in place count together": (
        a_job(3, 2, restart="OnFailure", backoffLimit=3),
        [a_pod("a", restarts=2), a_pod("b", restarts=1)],
        "terminating 2, failed 2, FailureTarget BackoffLimitExceeded",
        ["delete pod a: the job ends", "delete pod b: the job ends"],
    ),
    "back-off limit: restarts are no matter with restartPolicy Never": (
        a_job(1, 1, backoffLimit=1),
        [a_pod("a", restarts=2)],
        "active 1, ready 1",
        [],
    ),
    "deadline: passed": (
        a_job(1, 1, activeDeadlineSeconds=100),
        [],
        failed_by("DeadlineExceeded"),
        told("DeadlineExceeded", "Job was active longer than specified deadline"),
    ),
    "deadline: not while suspended": (
        a_job(1, 1, activeDeadlineSeconds=10, suspend=True, conditions=["Suspended"]),
        [],
        "Suspended JobSuspended",
        [],
    ),
    "maxFailedIndexes: one more": (
        a_job(5, 2, **PER_INDEX, maxFailedIndexes=0),
        [a_pod("a", "Failed", index=3, failures=1)],
        f"failed 1, failedIndexes 3, {failed_by('MaxFailedIndexesExceeded')}",
        told("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"),
    ),
    "backoffLimitPerIndex: all indexes ended and some failed": (
        a_job(2, 2, **PER_INDEX, status={"completedIndexes": "0", "succeeded": 1}),
        [a_pod("a", "Failed", index=1, failures=1)],
        f"succeeded 1, failed 1, completedIndexes 0, failedIndexes 1, {failed_by('FailedIndexes')}",
        told("FailedIndexes", "Job has failed indexes"),
    ),
    "the known cause stands": (
        a_job(3, 1, backoffLimit=0, conditions=["FailureTarget"]),
        [a_pod("a", "Failed")],
        f"failed 1, {failed_by('Why')}",
        told("Why", "because"),
    ),
    "a stale cache lets no Job end": (
        a_job(3, 1, backoffLimit=0),
        [a_pod("a", "Failed")],
        "failed 1",
        [],
        {"trusted": False},
    ),
    "a pod that could not be deleted lets it go on": (
        a_job(3, 2, backoffLimit=0),
        [a_pod("a", "Failed"), a_pod("b")],
        "active 1, ready 1, failed 1",
        ["delete pod b: the job ends"],
        {"undone": [0]},
    ),
}


@pytest.mark.parametrize("case", ENDS.values(), ids=ENDS)
def test_ends(case):
    job, pods, status, said, *facts = case
    facts = facts[0] if facts else {}
    assert shown(one_pass(job, pods, **facts)[2].status) == status
    assert lines(job, pods, **facts) == said


def test_only_a_completed_job_has_a_completion_time():
    assert one_pass(a_job(0))[2].status.completionTime == ago(0)
    assert one_pass(a_job(1, activeDeadlineSeconds=1))[2].status.completionTime == ""


EXIT_CODES = {
    "In: one of them": (on_codes("FailJob", 3, 42), {"code": 42}, True),
    "In: none of them": (on_codes("FailJob", 3), {"code": 42}, False),
    "NotIn: another": (on_codes("FailJob", 3, operator="NotIn"), {"code": 42}, True),
    "NotIn: one of them": (on_codes("FailJob", 42, operator="NotIn"), {"code": 42}, False),
    "a success is no failure": (on_codes("FailJob", 42, operator="NotIn"), {"code": 0}, False),
    "of the named container": (on_codes("FailJob", 42, container="c"), {"code": 42}, True),
    "not of another": (on_codes("FailJob", 42, container="d"), {"code": 42}, False),
    "a condition": (on_condition("FailJob", "DisruptionTarget"), {"conditions": ["DisruptionTarget"]}, True),
    "a condition of another status": (
        on_condition("FailJob", "DisruptionTarget", "False"),
        {"conditions": ["DisruptionTarget"]},
        False,
    ),
    "no such condition": (on_condition("FailJob", "DisruptionTarget"), {}, False),
}


@pytest.mark.parametrize("rule, pod, matches", EXIT_CODES.values(), ids=EXIT_CODES)
def test_failure_policy_matches(rule, pod, matches):
    job = one_pass(a_job(3, 1, **failing(rule)), [a_pod("a", "Failed", **pod)])[2]
    assert ("PodFailurePolicy" in shown(job.status)) == matches


IGNORE = on_condition("Ignore", "DisruptionTarget")
ACTIONS = {
    "FailJob, by a code": (
        a_job(3, 1, **failing(on_codes("FailJob", 42))),
        [a_pod("a", "Failed", code=42)],
        f"failed 1, {failed_by('PodFailurePolicy')}",
        "Container c for pod n/a failed with exit code 42 matching FailJob rule at index 0",
    ),
    "FailJob, by a condition": (
        a_job(3, 1, **failing(IGNORE, on_condition("FailJob", "ConfigIssue"))),
        [a_pod("a", "Failed", conditions=["ConfigIssue"])],
        f"failed 1, {failed_by('PodFailurePolicy')}",
        "Pod n/a has condition ConfigIssue matching FailJob rule at index 1",
    ),
    "Ignore: the failure does not count": (
        a_job(3, 1, backoffLimit=0, **failing(IGNORE)),
        [a_pod("a", "Failed", conditions=["DisruptionTarget"])],
        "active 1",
        "",
    ),
    "Count: it does": (
        a_job(3, 1, backoffLimit=1, **failing(on_codes("Count", 1), on_codes("FailJob", 1))),
        [a_pod("a", "Failed")],
        "active 1, failed 1",
        "",
    ),
    "FailIndex: the index fails at once": (
        a_job(3, 1, indexed=True, backoffLimitPerIndex=5, **failing(on_codes("FailIndex", 9))),
        [a_pod("a", "Failed", index=0, failures=0, code=9)],
        "active 1, failed 1, failedIndexes 0",
        "",
    ),
    "the first rule that matches decides": (
        a_job(3, 1, **failing(on_codes("Ignore", 42), on_codes("FailJob", 42))),
        [a_pod("a", "Failed", code=42)],
        "active 1",
        "",
    ),
    "no rule matches: it counts": (
        a_job(3, 1, **failing(on_codes("Ignore", 42))),
        [a_pod("a", "Failed", code=1)],
        "active 1, failed 1",
        "",
    ),
}


@pytest.mark.parametrize("job, pods, status, message", ACTIONS.values(), ids=ACTIONS)
def test_failure_policy_actions(job, pods, status, message):
    after = one_pass(job, pods)[2].status
    assert shown(after) == status
    assert [each.message for each in after.conditions if each.type == "Failed"] == ([message] if message else [])


SUCCESSES = {
    "all of the indexes named": ([("0,2", None)], "0,2,4", "Matched rules at index 0"),
    "not only some": ([("0,2", None)], "0,4", ""),
    "so many of those named": ([("0-4", 2)], "1,3", "Matched rules at index 0"),
    "not fewer": ([("0-4", 3)], "1,3", ""),
    "others do not count": ([("0-1", 1)], "3-4", ""),
    "so many of all": ([("", 3)], "0,2,4", "Matched rules at index 0"),
    "the first rule that is met": ([("9", None), ("", 1)], "0", "Matched rules at index 1"),
}


@pytest.mark.parametrize("rules, succeeded, message", SUCCESSES.values(), ids=SUCCESSES)
def test_success_policy(rules, succeeded, message):
    job = a_job(10, 1, indexed=True, **succeeding(*rules), status={"completedIndexes": succeeded})
    after = one_pass(job)[2].status
    assert [each.message for each in after.conditions] == [message] * 2 * bool(message)
    assert [each.reason for each in after.conditions] == ["SuccessPolicy"] * 2 * bool(message)


def test_pods_that_a_success_policy_ends_are_no_failures():
    job = a_job(10, 2, indexed=True, **succeeding(("0", None)), status={"completedIndexes": "0", "succeeded": 1})
    after = one_pass(job, [a_pod("a", index=1)])[2].status
    assert shown(after) == "terminating 1, succeeded 1, completedIndexes 0, SuccessCriteriaMet SuccessPolicy"


SUSPENSIONS = {
    "suspended": (a_job(suspend=True), "Suspended JobSuspended", "", ["Suspended: Job suspended"]),
    "still suspended": (a_job(suspend=True, conditions=["Suspended"], started=None), "Suspended JobSuspended", "", []),
    "resumed": (
        a_job(conditions=["Suspended"], started=None),
        "active 1, not Suspended",
        ago(0),
        ["Resumed: Job resumed"],
    ),
    "never suspended": (a_job(), "active 1", ago(100), []),
}


@pytest.mark.parametrize("job, status, start, events", SUSPENSIONS.values(), ids=SUSPENSIONS)
def test_suspension(job, status, start, events):
    _, _, after, said = one_pass(job)
    assert (shown(after.status), after.status.startTime) == (status, start)
    assert [f"{event.reason}: {event.message}" for event in said] == events


# Every pod counts once


def test_a_pod_is_named_before_it_is_released():
    _, first, last, _ = one_pass(a_job(3, 1), [a_pod("a", "Succeeded"), a_pod("b", "Failed")])
    assert [pod.metadata.uid for pod in first.release] == ["a", "b"]
    assert shown(first.job.status) == "active 1, uncounted succeeded a, uncounted failed b"
    assert shown(last.status) == "active 1, succeeded 1, failed 1"


CRASHES = {
    "before the first write": (a_job(3, 1), True),
    "after the pod was named": (a_job(3, 1, uncounted=(["a"], ["b"])), True),
    "after it was released": (a_job(3, 1, uncounted=(["a"], ["b"])), False),
    "after it was counted": (a_job(3, 1, status={"succeeded": 1, "failed": 1}), False),
}


@pytest.mark.parametrize("job, tracked", CRASHES.values(), ids=CRASHES)
def test_a_pass_goes_on_where_another_stopped(job, tracked):
    pods = [a_pod("a", "Succeeded", tracked=tracked), a_pod("b", "Failed", tracked=tracked, ended=60)]
    assert shown(one_pass(job, pods)[2].status) == "active 1, succeeded 1, failed 1"


def test_what_was_released_but_is_not_seen_so_yet_counts_no_more():
    job = a_job(3, 1, status={"succeeded": 1})
    after = one_pass(job, [a_pod("a", "Succeeded")], released={"a"})[2].status
    assert shown(after) == "active 1, succeeded 1"


def test_what_keeps_its_finalizer_stays_named():
    _, first, _, _ = one_pass(a_job(2, 1), [a_pod("a", "Succeeded"), a_pod("b", "Succeeded")])
    last, events = closed(first.job, first, {"a"})
    assert shown(last.status).startswith("succeeded 1, uncounted succeeded b, SuccessCriteriaMet")
    assert not events
    assert "Complete" not in [each.type for each in last.status.conditions]


def test_a_pass_names_five_hundred_at_most():
    pods = [a_pod(f"p{n:03}", "Succeeded") for n in range(700)]
    _, first, last, _ = one_pass(a_job(700, 700), pods)
    assert len(first.release) == 500
    assert last.status.succeeded == 500
    assert [each.type for each in last.status.conditions] == ["SuccessCriteriaMet"]


def test_counting_nothing_changes_nothing():
    status = a_job(status={"succeeded": 2}).status
    assert counted(status, set()) == status


def test_a_job_on_its_way_out_lets_all_its_pods_go():
    _, first, _, _ = one_pass(a_job(3, 3, deleting=True), [a_pod("a"), a_pod("b", "Failed")])
    assert {pod.metadata.uid for pod in first.release} == {"a", "b"}
    assert all(TRACKING in pod.metadata.finalizers for pod in first.release)


def test_a_condition_that_was_true_is_kept_in_its_place():
    job = a_job(conditions=["Suspended"])
    job = replace(job, status=replace(job.status, conditions=[a_condition("Custom"), *job.status.conditions]))
    after = one_pass(job)[2].status
    assert [each.type for each in after.conditions] == ["Custom", "Suspended"]
