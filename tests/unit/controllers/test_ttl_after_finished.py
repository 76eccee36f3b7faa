"""When a Job that is over is deleted."""

import pytest

from knarr.controllers.ttl_after_finished import plan
from knarr.kinds.types.batch_v1 import Job, JobCondition, JobSpec, JobStatus
from knarr.kinds.types.meta_v1 import ObjectMeta
from tests.unit.controllers.jobs import NOW, ago


def a_job(ttl, type_="Complete", *, over=60, status="True", deleting=False):
    condition = JobCondition(type=type_, status=status, lastTransitionTime=ago(over))
    return Job(
        metadata=ObjectMeta(name="j", deletionTimestamp=ago(0) if deleting else ""),
        spec=JobSpec(ttlSecondsAfterFinished=ttl),
        status=JobStatus(conditions=[condition]),
    )


CASES = {
    "when its time is up": (a_job(60), ["delete job j: over for 60 s"]),
    "at once with no time at all": (a_job(0, over=0), ["delete job j: over for 0 s"]),
    "a failed one too": (a_job(60, "Failed"), ["delete job j: over for 60 s"]),
    "not before": (a_job(61), ["wait for j: deleted 61 s after its end"]),
    "never without a time to live": (a_job(None), []),
    "never while it is not over": (a_job(0, "Suspended"), []),
    "nor when it only will be": (a_job(0, "SuccessCriteriaMet"), []),
    "nor twice": (a_job(0, deleting=True), []),
}


@pytest.mark.parametrize("job, steps", CASES.values(), ids=CASES)
def test_plan(job, steps):
    assert [str(step) for step in plan(job, NOW)] == steps


def test_its_pods_go_first():
    (step,) = plan(a_job(0), NOW)
    assert step.propagation == "Foreground"
