"""What one pass over a CronJob does, rule by rule."""

from datetime import UTC, datetime, timedelta

import pytest

from knarr.controllers.cronjob_plan import SCHEDULED, plan
from knarr.kinds.types.batch_v1 import (
    CronJob,
    CronJobSpec,
    CronJobStatus,
    Job,
    JobCondition,
    JobSpec,
    JobStatus,
    JobTemplateSpec,
)
from knarr.kinds.types.core_v1 import ObjectReference
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.revisions import controller_reference
from knarr.meta import clock

NOW = datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)
NOON = 29454480  #: minutes since the epoch


def ago(**distance):
    return clock.timestamp(NOW - timedelta(**distance))


def a_cron(schedule="0 * * * *", *, last="", active=(), created=None, deleting=False, successful="", **spec):
    """A CronJob that was made half an hour ago; `active` are names of Jobs."""
    template = JobTemplateSpec(
        metadata=ObjectMeta(labels={"app": "x"}, annotations={"a": "b"}), spec=JobSpec(parallelism=2)
    )
    return CronJob(
        metadata=ObjectMeta(
            name="c",
            namespace="n",
            uid="cron",
            creationTimestamp=created or ago(minutes=30),
            deletionTimestamp=ago() if deleting else "",
        ),
        spec=CronJobSpec(
            **{
                "schedule": schedule,
                "concurrencyPolicy": "Allow",
                "jobTemplate": template,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 1,
                **spec,
            }
        ),
        status=CronJobStatus(
            active=[ObjectReference(kind="Job", namespace="n", name=name, uid=name) for name in active],
            lastScheduleTime=last,
            lastSuccessfulTime=successful,
        ),
    )


def a_job(name, end="", *, started=60, completed=30):
    """A Job of the CronJob, with its name as uid, that has ended or has not."""
    conditions = [JobCondition(type=end, status="True")] if end else []
    return Job(
        metadata=ObjectMeta(name=name, namespace="n", uid=name, ownerReferences=[controller_reference(a_cron())]),
        status=JobStatus(
            conditions=conditions,
            startTime=ago(seconds=started),
            completionTime=ago(seconds=completed) if end == "Complete" else "",
        ),
    )


def lines(planned):
    made = [f"create job {planned.start.metadata.name}"] if planned.start else []
    return [*(str(step) for step in planned.steps), *made]


def told(reason, message):
    return f"event on cronjob c: {reason}: {message}"


STARTED = [f"create job c-{NOON}"]
FORBIDDEN = told(
    "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid"
)
TOO_MANY = told(
    "TooManyMissedTimes",
    "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
)
PLANS = {
    "schedule: a time that is due starts a Job": (a_cron(), [], STARTED),
    "schedule: none is due before the first": (a_cron("30 * * * *", created=ago(minutes=20)), [], []),
    "schedule: none is due twice": (a_cron(last=ago(seconds=5)), [], []),
    "schedule: nor while its Job is active already": (
        a_cron(active=[f"c-{NOON}"]),
        [a_job(f"c-{NOON}")],
        [],
    ),
    "schedule: @every counts from the last time": (
        a_cron("@every 10m", last=ago(minutes=11)),
        [],
        [f"create job c-{NOON - 1}"],
    ),
    "missed: only the last of several is made up for": (a_cron("*/10 * * * *", created=ago(hours=2)), [], STARTED),
    "missed: more than a hundred are told of, and the last is made up for": (
        a_cron("* * * * *", created=ago(hours=2)),
        [],
        [TOO_MANY, *STARTED],
    ),
    "missed: a deadline makes them fewer": (
        a_cron("* * * * *", created=ago(hours=2), startingDeadlineSeconds=200),
        [],
        STARTED,
    ),
    "deadline: what is longer ago is not made up for": (
        a_cron("30 11 * * *", created=ago(hours=1), startingDeadlineSeconds=600),
        [],
        [],
    ),
    "deadline: what is not is": (
        a_cron("55 11 * * *", created=ago(hours=1), startingDeadlineSeconds=600),
        [],
        [f"create job c-{NOON - 5}"],
    ),
    "suspend: nothing is started": (a_cron(suspend=True), [], []),
    "suspend: what was started is followed": (
        a_cron(suspend=True, active=["a"]),
        [a_job("a", "Complete")],
        [told("SawCompletedJob", "Saw completed job: a, status: Complete")],
    ),
    "deletion: nothing is started": (a_cron(deleting=True), [], []),
    "Allow: beside those that run": (a_cron(active=["a"]), [a_job("a")], STARTED),
    "Forbid: not while one runs": (a_cron(active=["a"], concurrencyPolicy="Forbid"), [a_job("a")], [FORBIDDEN]),
    "Forbid: once it has ended": (
        a_cron(active=["a"], concurrencyPolicy="Forbid"),
        [a_job("a", "Failed")],
        [told("SawCompletedJob", "Saw completed job: a, status: Failed"), *STARTED],
    ),
    "Replace: in place of those that run": (
        a_cron(active=["a"], concurrencyPolicy="Replace"),
        [a_job("a")],
        ["delete job a: replaced", *STARTED],
    ),
    "active: a Job that is no more": (
        a_cron(last=ago(seconds=5), active=["gone"]),
        [],
        [told("MissingJob", "Active job went missing: gone")],
        {"missing": {"gone"}},
    ),
    "active: one that the cache does not show yet stays": (a_cron(last=ago(seconds=5), active=["late"]), [], []),
    "active: a Job that was not started": (
        a_cron(last=ago(seconds=5)),
        [a_job("x")],
        [told("UnexpectedJob", "Saw a job that the controller did not create or forgot: x")],
    ),
    "schedule: a change makes up for nothing": (a_cron(), [], [], {"rescheduled": True}),
    "schedule: one that never comes is told of": (
        a_cron("0 0 31 2 *"),
        [],
        [
            told(
                "InvalidSchedule",
                "invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1 second",
            )
        ],
    ),
    "schedule: one that is none is told of": (
        a_cron("x"),
        [],
        [told("UnparseableSchedule", 'unparseable schedule: "x" : expected exactly 5 fields, found 1: [x]')],
    ),
    "time zone: one that is none is told of": (
        a_cron(timeZone="Mars/Olympus"),
        [],
        [told("UnknownTimeZone", 'invalid timeZone: "Mars/Olympus": unknown time zone Mars/Olympus')],
    ),
    "time zone: its clock counts": (
        a_cron("0 13 * * *", timeZone="Europe/Berlin"),
        [],
        STARTED,
    ),
}


@pytest.mark.parametrize("case", PLANS.values(), ids=PLANS)
def test_plan(case):
    cron, jobs, steps, *facts = case
    assert lines(plan(cron, jobs, NOW, **(facts[0] if facts else {}))) == steps


AGAIN = {
    "a moment after the next time": (a_cron(last=ago(seconds=5)), "2026-01-01T13:00:00.1"),
    "not before one that has come already": (a_cron("30 * * * *"), "2026-01-01T12:30:00.1"),
    "never while suspended": (a_cron(suspend=True), None),
    "in the time zone": (a_cron("0 14 * * *", timeZone="Europe/Berlin"), "2026-01-01T13:00:00.1"),
    "even after a schedule was changed": (a_cron("15 * * * *"), "2026-01-01T12:15:00.1"),
}


@pytest.mark.parametrize("cron, when", AGAIN.values(), ids=AGAIN)
def test_when_it_looks_again(cron, when):
    again = plan(cron, [], NOW).again
    assert again == (datetime.fromisoformat(f"{when}00000+00:00") if when else None)


def test_a_job_is_made_of_the_template():
    job = plan(a_cron(timeZone="Europe/Berlin"), [], NOW).start
    meta = job.metadata
    assert meta.name == f"c-{NOON}"
    assert meta.labels == {"app": "x"}
    assert meta.annotations == {"a": "b", SCHEDULED: "2026-01-01T13:00:00+01:00"}
    assert (meta.ownerReferences[0].kind, meta.ownerReferences[0].controller) == ("CronJob", True)
    assert job.spec.parallelism == 2


def test_the_timestamp_of_a_job_is_in_utc_without_a_time_zone():
    assert plan(a_cron(), [], NOW).start.metadata.annotations[SCHEDULED] == "2026-01-01T12:00:00Z"


DONE = [a_job(f"s{n}", "Complete", started=1000 - n) for n in range(5)]
LOST = [a_job(f"f{n}", "Failed", started=1000 - n) for n in range(3)]
HISTORIES = {
    "the oldest beyond the limits go": ({}, ["s0", "s1", "f0", "f1"]),
    "none are kept with a limit of zero": (
        {"successfulJobsHistoryLimit": 0, "failedJobsHistoryLimit": 3},
        ["s0", "s1", "s2", "s3", "s4"],
    ),
    "all are kept without a limit": ({"successfulJobsHistoryLimit": None, "failedJobsHistoryLimit": None}, []),
}


@pytest.mark.parametrize("limits, gone", HISTORIES.values(), ids=HISTORIES)
def test_history(limits, gone):
    planned = plan(a_cron(suspend=True, **limits), [*DONE, *LOST], NOW)
    assert lines(planned) == [f"delete job {name}: beyond the history's limit" for name in gone]
    assert all(step.propagation == "Background" for step in planned.steps)


SUCCESSES = {
    "the first": ("", [a_job("a", "Complete", completed=30)], ago(seconds=30)),
    "a later one": (ago(seconds=60), [a_job("a", "Complete", completed=30)], ago(seconds=30)),
    "not an earlier one": (ago(seconds=10), [a_job("a", "Complete", completed=30)], ago(seconds=10)),
    "not one that failed": ("", [a_job("a", "Failed")], ""),
}


@pytest.mark.parametrize("before, jobs, after", SUCCESSES.values(), ids=SUCCESSES)
def test_the_last_success(before, jobs, after):
    assert plan(a_cron(successful=before, suspend=True), jobs, NOW).status.lastSuccessfulTime == after


def test_what_is_replaced_is_active_no_more():
    planned = plan(a_cron(active=["a"], concurrencyPolicy="Replace"), [a_job("a")], NOW)
    assert planned.status.active == []
    assert planned.steps[0].note.done == ("SuccessfulDelete", "Deleted job {name}")
