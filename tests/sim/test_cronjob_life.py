"""What a CronJob promises, on virtual time: one Job for each time, in its time zone, whatever fails."""

import asyncio
import json
from collections import Counter

from knarr.client.transport import TransportError
from knarr.controllers import cronjob, garbage_collector, job, job_orphans
from knarr.kinds.job import end_of
from knarr.kinds.types.batch_v1 import CronJob, Job
from knarr.kinds.types.core_v1 import Event, Pod
from knarr.meta.errors import InternalError
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

SPACE = "default"
EPOCH = int(virtual_time.EPOCH) // 60  #: the minute at which virtual time begins


def manifest(schedule="* * * * *", *, name="c", after="5", code="0", **spec):
    """A CronJob whose Jobs' pods end so many seconds after they started, with this code."""
    marks = {"knarr.dev/simulated-exit-after": after, "knarr.dev/simulated-exit-code": code}
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "c", "image": "img:1"}],
    }
    template = {"spec": {"backoffLimit": 0, "template": {"metadata": {"annotations": marks}, "spec": pod}}}
    body = {"schedule": schedule, **spec, "jobTemplate": template}
    return json.dumps({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": body})


def live(story, nodes=2):
    async def main():
        controllers = [cronjob.controller(), job.controller(), job_orphans.CONTROLLER, garbage_collector.controller()]
        async with Cluster(controllers, nodes, services=[scheduler.run]) as cluster:
            return await story(cluster)

    return virtual_time.run(main(), seed=5)


async def jobs_of(cluster):
    """The ends of the Jobs by the minute they are for, counted from the beginning."""
    jobs = (await cluster.api.list(Job, SPACE)).items
    return {int(found.metadata.name.rpartition("-")[2]) - EPOCH: end_of(found) for found in jobs}


async def told(cluster):
    await cluster.context.recorder.flush()
    events = [e for e in (await cluster.api.list(Event, SPACE)).items if e.involvedObject.kind == "CronJob"]
    return Counter({e.reason: e.count for e in events}) if events else Counter()


class Started:
    """All Jobs that were ever created, by the minute they are for."""

    def __init__(self, cluster):
        self.minutes = []
        cluster.context.informers.of(Job).on_change(self._changed)

    def _changed(self, old, new):
        if old is None and new is not None:
            self.minutes.append(int(new.metadata.name.rpartition("-")[2]) - EPOCH)


def test_one_job_a_minute_and_a_history_of_three():
    async def story(cluster):
        started = Started(cluster)
        await cluster.apply(manifest())
        await asyncio.sleep(370)
        return started.minutes, await jobs_of(cluster), (await cluster.api.get(CronJob, "c", SPACE)).status

    minutes, kept, status = live(story)
    assert minutes == [1, 2, 3, 4, 5, 6]
    assert kept == dict.fromkeys((4, 5, 6), "Complete")
    assert status.active == []
    assert (status.lastScheduleTime, status.lastSuccessfulTime) == ("2026-01-01T00:06:00Z", "2026-01-01T00:06:05Z")


def test_of_failures_one_is_kept():
    async def story(cluster):
        await cluster.apply(manifest(code="1"))
        await asyncio.sleep(250)
        return await jobs_of(cluster)

    assert live(story) == {4: "Failed"}


def test_forbid_starts_late_what_it_could_not_start_in_time():
    async def story(cluster):
        started = Started(cluster)
        await cluster.apply(manifest(after="90", concurrencyPolicy="Forbid"))
        await asyncio.sleep(400)
        return started.minutes, await told(cluster)

    minutes, events = live(story)
    assert minutes == [1, 2, 4, 5]  # the third was missed while the second ran
    assert events["JobAlreadyActive"] >= 3


def test_replace_leaves_one_job_and_its_pods():
    async def story(cluster):
        await cluster.apply(manifest(after="500", concurrencyPolicy="Replace"))
        await asyncio.sleep(250)
        pods = (await cluster.api.list(Pod, SPACE)).items
        return await jobs_of(cluster), len(pods)

    assert live(story) == ({4: ""}, 1)


def test_what_was_missed_in_suspension_is_made_up_for_once():
    async def story(cluster):
        started = Started(cluster)
        await cluster.apply(manifest(suspend=True))
        await asyncio.sleep(630)
        await cluster.api.patch(CronJob, "c", SPACE, {"spec": {"suspend": False}})
        await asyncio.sleep(20)
        return started.minutes

    assert live(story) == [10]


def test_a_job_whose_answer_was_lost_is_found_again():
    async def story(cluster):
        started = Started(cluster)
        cluster.faults.lose_answer(when=lambda request: request.method == "POST" and request.path.endswith("/jobs"))
        await cluster.apply(manifest(after="100"))
        await asyncio.sleep(90)
        status = (await cluster.api.get(CronJob, "c", SPACE)).status
        return started.minutes, [active.name for active in status.active], status.lastScheduleTime

    assert live(story) == ([1], [f"c-{EPOCH + 1}"], "2026-01-01T00:01:00Z")


def test_a_status_that_could_not_be_written_starts_nothing_twice():
    async def story(cluster):
        started = Started(cluster)

        def writes_status(request):
            return request.path.endswith("/cronjobs/c/status")

        cluster.faults.fail(InternalError("no"), when=writes_status, times=3)
        cluster.faults.fail(TransportError("no"), when=writes_status)
        await cluster.apply(manifest(after="10"))
        await asyncio.sleep(170)
        return started.minutes, await jobs_of(cluster)

    assert live(story) == ([1, 2], {1: "Complete", 2: "Complete"})


def test_many_that_are_due_at_once_all_start():
    async def story(cluster):
        for number in range(60):
            await cluster.apply(manifest("1 0 * * *", name=f"c{number}"))
        await asyncio.sleep(65)
        return len((await cluster.api.list(Job, SPACE)).items)

    assert live(story) == 60
