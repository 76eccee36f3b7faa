"""What one pass over a Job does to its pods, rule by rule."""

import pytest

from knarr.controllers.job_backoff import Failures
from knarr.controllers.job_plan import plan
from knarr.controllers.job_pods import FAILURES, IGNORED_FAILURES, INDEX, TRACKING, index_prefix
from knarr.kinds.types.core_v1 import EnvVar
from knarr.loop.steps import Create, Wait
from tests.unit.controllers.jobs import NOW, a_job, a_pod, ago, failing, lines, on_codes, one_pass, snapshot

ENDING = "the job ends"


def pods(*names, **facts):
    return [a_pod(name, **facts) for name in names]


def remove(*names, reason="surplus"):
    return [*(f"patch pod {n}: tracked no longer" for n in names), *(f"delete pod {n}: {reason}" for n in names)]


CREATE = "create pod j-"
PLANS = {
    "parallelism: as many pods at once": (a_job(10, 3), [], [CREATE] * 3),
    "parallelism: those that are missing": (a_job(10, 3), pods("a", "b"), [CREATE]),
    "parallelism: enough is enough": (a_job(10, 2), pods("a", "b"), []),
    "parallelism: none when it is zero": (a_job(10, 0), [], []),
    "parallelism: when it shrinks, the surplus goes and counts as nothing": (
        a_job(10, 1),
        [a_pod("a"), a_pod("b", ready=False)],
        remove("b"),
    ),
    "completions: never more pods than are left to succeed": (
        a_job(4, 3, status={"succeeded": 3}),
        [],
        [CREATE],
    ),
    "completions: pods that just succeeded count at once": (
        a_job(2, 2),
        [a_pod("a", "Succeeded"), a_pod("b")],
        [],
    ),
    "completions: a pod that the status names counts once": (
        a_job(3, 3, uncounted=(["a"], [])),
        [a_pod("a", "Succeeded")],
        [CREATE] * 2,
    ),
    "completions: a pod whose finalizer is gone is in the numbers": (
        a_job(3, 3, status={"succeeded": 1}),
        [a_pod("a", "Succeeded", tracked=False)],
        [CREATE] * 2,
    ),
    "work queue: all work until one succeeds": (a_job(None, 3), pods("a"), [CREATE] * 2),
    "work queue: after a success no new ones": (
        a_job(None, 3),
        [a_pod("a", "Succeeded"), a_pod("b")],
        [],
    ),
    "burst: five hundred a pass": (a_job(2000, 2000), [], [CREATE] * 500),
    "failed pods are replaced": (a_job(2, 2), [a_pod("a", "Failed", ended=11), a_pod("b")], [CREATE]),
    "expectations: a stale cache creates nothing": (a_job(2, 2), [], [], {"trusted": False}),
    "deletion: a Job on its way out creates nothing": (a_job(2, 2, deleting=True), [], []),
    "suspend: all pods go": (
        a_job(2, 2, suspend=True, conditions=["Suspended"]),
        pods("a", "b"),
        remove("a", "b", reason="suspended"),
    ),
    "suspend: nothing is created": (a_job(2, 2, suspend=True, conditions=["Suspended"]), [], []),
    "indexed: the lowest indexes first": (
        a_job(5, 3, indexed=True),
        [],
        ["create pod j-0-", "create pod j-1-", "create pod j-2-"],
    ),
    "indexed: an index that succeeded is done": (
        a_job(5, 3, indexed=True, status={"completedIndexes": "0,2", "succeeded": 2}),
        [a_pod("x", index=1)],
        ["create pod j-3-", "create pod j-4-"],
    ),
    "indexed: one that just succeeded is too": (
        a_job(2, 2, indexed=True),
        [a_pod("x", "Succeeded", index=0)],
        ["create pod j-1-"],
    ),
    "indexed: of two pods of an index the better one stays": (
        a_job(2, 2, indexed=True),
        [a_pod("x", index=0), a_pod("y", index=0, ready=False), a_pod("z", index=1)],
        remove("y"),
    ),
    "indexed: a pod without an index goes": (
        a_job(2, 2, indexed=True),
        [a_pod("x"), a_pod("y", index=0)],
        remove("x"),
    ),
    "elastic: an index beyond the completions goes": (
        a_job(1, 1, indexed=True),
        [a_pod("x", index=0), a_pod("y", index=1)],
        remove("y"),
    ),
    "elastic: more completions, more indexes": (
        a_job(3, 3, indexed=True),
        [a_pod("x", index=0), a_pod("y", index=1)],
        ["create pod j-2-"],
    ),
    "replacement: a pod on its way out is replaced": (a_job(1, 1), pods("a", deleting=True), [CREATE]),
    "replacement: or, if only failed ones are, not before it has ended": (
        a_job(1, 1, podReplacementPolicy="Failed"),
        pods("a", deleting=True),
        [],
    ),
    "replacement: a failure policy asks for the same": (
        a_job(1, 1, **failing(on_codes("Count", 5))),
        pods("a", deleting=True),
        [],
    ),
    "replacement: nor is its index taken by another": (
        a_job(2, 2, indexed=True, podReplacementPolicy="Failed"),
        [a_pod("x", index=0, deleting=True)],
        ["create pod j-1-"],
    ),
    "end: all pods go, and count": (
        a_job(3, 3, conditions=["FailureTarget"]),
        pods("a", "b"),
        [f"delete pod a: {ENDING}", f"delete pod b: {ENDING}"],
    ),
}


@pytest.mark.parametrize("case", PLANS.values(), ids=PLANS)
def test_plan(case):
    job, known, steps, *facts = case
    assert [line for line in lines(job, known, **(facts[0] if facts else {})) if "event" not in line] == steps


WAITS = {
    "10 s after a failure": (1, 4, 6),
    "20 s after two": (2, 4, 16),
    "40 s after three": (3, 0, 40),
    "at most 10 min": (40, 0, 600),
    "no longer when it is over": (1, 10, None),
}


@pytest.mark.parametrize("failed, since, left", WAITS.values(), ids=WAITS)
def test_back_off(failed, since, left):
    job = a_job(100, 1, backoffLimit=100)
    known = [a_pod(f"p{n}", "Failed", ended=since) for n in range(failed)]
    (step,) = plan(snapshot(job, known)).steps
    if left is None:
        assert isinstance(step, Create)
    else:
        assert isinstance(step, Wait)
        assert (step.until - NOW).total_seconds() == left


RESETS = {
    "failures add to those before": (Failures(2, NOW), [], [5], 3),
    "a success makes them forgotten": (Failures(5, NOW), [3], [], 0),
    "but not those after it": (Failures(5, NOW), [9], [12, 8, 7], 2),
    "nothing new changes nothing": (Failures(2, NOW), [], [], 2),
}


@pytest.mark.parametrize("before, succeeded, failed, count", RESETS.values(), ids=RESETS)
def test_the_count_of_failures(before, succeeded, failed, count):
    done = [a_pod(f"s{n}", "Succeeded", ended=n) for n in succeeded]
    lost = [a_pod(f"f{n}", "Failed", ended=n) for n in failed]
    assert before.after(done, lost).count == count


def test_a_pod_is_tracked():
    (step,) = plan(snapshot(a_job())).steps
    meta = step.obj.metadata
    assert meta.generateName == "j-"
    assert meta.finalizers == [TRACKING]
    assert meta.ownerReferences[0].controller
    assert step.note.done == ("SuccessfulCreate", "Created pod: {name}")
    assert step.note.failed == ("FailedCreate", "Error creating: {error}")


def test_an_indexed_pod_carries_its_index_everywhere():
    (_, step) = plan(snapshot(a_job(2, 2, indexed=True))).steps
    pod = step.obj
    assert pod.metadata.labels[INDEX] == pod.metadata.annotations[INDEX] == "1"
    assert pod.spec.hostname == "j-1"
    (variable,) = pod.spec.containers[0].env
    assert variable.name == "JOB_COMPLETION_INDEX"
    assert variable.valueFrom.fieldRef.fieldPath == f"metadata.labels['{INDEX}']"


def test_a_container_that_sets_the_index_itself_keeps_its_own():
    job = a_job(1, 1, indexed=True)
    job.spec.template.spec.containers[0].env.append(EnvVar(name="JOB_COMPLETION_INDEX", value="mine"))
    (step,) = plan(snapshot(job)).steps
    assert [variable.value for variable in step.obj.spec.containers[0].env] == ["mine"]


def test_a_long_name_is_cut_before_the_index():
    assert index_prefix("j" * 63, 12) == "j" * 54 + "-12-"


PER_INDEX = {"indexed": True, "backoffLimitPerIndex": 2}
MARKS = {
    "the first pod of an index": ([], {FAILURES: "0"}),
    "one that follows a failure": ([a_pod("x", "Failed", index=0, failures=0)], {FAILURES: "1"}),
    "one that follows the second": ([a_pod("x", "Failed", index=0, failures=1)], {FAILURES: "2"}),
    "of several failures the last counts": (
        [a_pod("x", "Failed", index=0, failures=0, ended=200), a_pod("y", "Failed", index=0, failures=1, ended=50)],
        {FAILURES: "2"},
    ),
}


@pytest.mark.parametrize("known, marks", MARKS.values(), ids=MARKS)
def test_failures_of_an_index(known, marks):
    (step,) = plan(snapshot(a_job(1, 1, **PER_INDEX), known)).steps
    found = step.obj.metadata.annotations
    assert {key: found[key] for key in (FAILURES, IGNORED_FAILURES) if key in found} == marks


def test_an_ignored_failure_is_counted_apart():
    job = a_job(1, 1, **PER_INDEX, **failing(on_codes("Ignore", 7)))
    known = [a_pod("x", "Failed", index=0, failures=1, code=7, ended=60)]
    (step,) = plan(snapshot(job, known)).steps
    assert step.obj.metadata.annotations[FAILURES] == "1"
    assert step.obj.metadata.annotations[IGNORED_FAILURES] == "1"


def test_each_index_backs_off_by_itself():
    known = [a_pod("x", "Failed", index=0, failures=0, ended=1)]
    assert lines(a_job(2, 2, **PER_INDEX), known) == ["create pod j-1-"]
    (step,) = plan(snapshot(a_job(1, 1, **PER_INDEX), known)).steps
    assert isinstance(step, Wait)
    assert (step.until - NOW).total_seconds() == 9


def test_a_deadline_is_waited_for():
    job = a_job(1, 1, activeDeadlineSeconds=160)
    (step,) = plan(snapshot(job, [a_pod()])).steps
    assert (step.until - NOW).total_seconds() == 60


def test_a_job_starts_when_it_is_first_seen():
    _, _, job, _ = one_pass(a_job(started=None))
    assert job.status.startTime == ago(0)


def test_a_suspended_job_does_not_start():
    _, _, job, _ = one_pass(a_job(started=None, suspend=True))
    assert job.status.startTime == ""
