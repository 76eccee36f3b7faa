"""What a Job promises, on virtual time: as many successes as asked for, each pod counted once, whatever fails."""

import asyncio
import contextlib
import itertools
import json
import random

import pytest

from knarr.client.transport import TransportError
from knarr.controllers import garbage_collector, job, job_orphans, pod_gc, ttl_after_finished
from knarr.controllers.job_pods import TRACKING
from knarr.kinds.job import end_of
from knarr.kinds.types.batch_v1 import Job
from knarr.kinds.types.core_v1 import Event, Pod
from knarr.loop.runner import run
from knarr.meta import clock
from knarr.meta.errors import InternalError, NotFound
from knarr.scheduler import scheduler
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

SPACE = "default"
WRITES = ("POST", "PUT", "PATCH", "DELETE")
OTHERS = (job_orphans.CONTROLLER, ttl_after_finished.CONTROLLER)


def manifest(completions=4, parallelism=2, *, after="", code="0", labels=None, **spec):
    """A Job whose pods end so many seconds after they started, with this code, or never."""
    marks = {"knarr.dev/simulated-exit-after": after, "knarr.dev/simulated-exit-code": code} if after else {}
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "c", "image": "img:1"}],
    }
    template = {"metadata": {"labels": labels or {"app": "x"}, "annotations": marks}, "spec": pod}
    body = {"completions": completions, "parallelism": parallelism, **spec, "template": template}
    return json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": body})


def live(story, nodes=3):
    """Go through a story with all that a Job needs."""

    async def main():
        controllers = [job.controller(), *OTHERS, garbage_collector.controller(), pod_gc.controller()]
        async with Cluster(controllers, nodes, services=[scheduler.run]) as cluster:
            return await story(cluster)

    return virtual_time.run(main(), seed=5)


async def the_job(cluster):
    return await cluster.api.get(Job, "j", SPACE)


async def pods_of(cluster):
    return sorted((await cluster.api.list(Pod, SPACE)).items, key=lambda pod: pod.metadata.creationTimestamp)


async def told(cluster):
    """What the Job's events say, in the order of their first time."""
    await cluster.context.recorder.flush()
    events = [e for e in (await cluster.api.list(Event, SPACE)).items if e.involvedObject.kind == "Job"]
    return [f"{e.type} {e.reason}" for e in sorted(events, key=lambda e: e.metadata.creationTimestamp)]


def counts(status):
    """The numbers of a status that say anything, and whether it started."""
    names = ("active", "ready", "terminating", "succeeded", "failed")
    found = {name: value for name in names if (value := getattr(status, name)) is not None}
    return found | ({"started": True} if status.startTime else {})


def conditions(found):
    return [(each.type, each.status, each.reason) for each in found.status.conditions]


class Statuses:
    """The Job's statuses in order, as its watchers see them."""

    def __init__(self, cluster):
        self.seen = []
        cluster.context.informers.of(Job).on_change(self._changed)

    def _changed(self, old, new):
        if new is not None and (not self.seen or counts(new.status) != self.seen[-1]):
            self.seen.append(counts(new.status))


def test_a_job_that_never_ends_is_suspended_and_resumed_as_upstream_was_seen_to_do_it():
    async def story(cluster):
        statuses = Statuses(cluster)
        found = []
        await cluster.apply(manifest())
        for suspend in (True, False, None):
            await cluster.settled()
            found.append(statuses.seen[:])
            statuses.seen.clear()
            if suspend is not None:
                await cluster.api.patch(Job, "j", SPACE, {"spec": {"suspend": suspend}})
        return found, await told(cluster), conditions(await the_job(cluster))

    (created, suspended, resumed), events, held = live(story, nodes=10)
    running = [{"active": 2, "ready": ready, "terminating": 0, "started": True} for ready in (0, 2)]
    assert created == [{}, *running]
    assert suspended == [running[1], {"ready": 0, "terminating": 2}, {"ready": 0, "terminating": 0}]
    assert resumed == [{"ready": 0, "terminating": 0}, *running]
    assert events == [
        *["Normal SuccessfulCreate"] * 2,
        *["Normal SuccessfulDelete"] * 2,
        "Normal Suspended",
        *["Normal SuccessfulCreate"] * 2,
        "Normal Resumed",
    ]
    assert held == [("Suspended", "False", "JobResumed")]


def test_an_indexed_job_completes_with_one_pod_for_each_index():
    async def story(cluster):
        await cluster.apply(manifest(5, 2, after="3", completionMode="Indexed"))
        await cluster.settled(quiet=10)
        return await the_job(cluster), await pods_of(cluster), await told(cluster)

    found, pods, events = live(story)
    assert found.status.completedIndexes == "0-4"
    assert (found.status.succeeded, found.status.failed) == (5, None)
    reached = ("True", "CompletionsReached")
    assert conditions(found) == [("SuccessCriteriaMet", *reached), ("Complete", *reached)]
    assert sorted(pod.spec.hostname for pod in pods) == [f"j-{n}" for n in range(5)]
    assert all(pod.metadata.generateName == f"{pod.spec.hostname}-" for pod in pods)
    assert not any(TRACKING in pod.metadata.finalizers for pod in pods)
    assert events[-1] == "Normal Completed"


def test_a_failing_job_backs_off_longer_each_time_and_gives_up_at_its_limit():
    async def story(cluster):
        await cluster.apply(manifest(1, 1, after="1", code="3", backoffLimit=3))
        await cluster.settled(quiet=700)
        return await the_job(cluster), await pods_of(cluster), await told(cluster)

    found, pods, events = live(story)
    assert (found.status.failed, found.status.succeeded) == (4, None)
    assert conditions(found)[-1] == ("Failed", "True", "BackoffLimitExceeded")
    times = [clock.parse(pod.metadata.creationTimestamp) for pod in pods]
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(times)]
    assert [round(gap, -1) for gap in gaps] == [10, 20, 40]
    assert events[-1] == "Warning BackoffLimitExceeded"


def test_each_index_may_fail_so_often_and_the_others_go_on():
    async def story(cluster):
        await cluster.apply(manifest(3, 3, after="1", code="1", completionMode="Indexed", backoffLimitPerIndex=1))
        await cluster.settled(quiet=100)
        return await the_job(cluster), await pods_of(cluster)

    found, pods = live(story)
    assert (found.status.failedIndexes, found.status.failed) == ("0-2", 6)
    assert len(pods) == 6
    assert conditions(found)[-1] == ("Failed", "True", "FailedIndexes")


def test_a_job_that_takes_too_long_is_ended():
    async def story(cluster):
        await cluster.apply(manifest(2, 2, activeDeadlineSeconds=30))
        await cluster.settled(quiet=60)
        return await the_job(cluster), await pods_of(cluster), await told(cluster)

    found, pods, events = live(story)
    assert conditions(found) == [(t, "True", "DeadlineExceeded") for t in ("FailureTarget", "Failed")]
    assert (found.status.failed, found.status.active, found.status.terminating) == (2, None, 0)
    assert not pods
    assert events[-1] == "Warning DeadlineExceeded"


def test_a_job_goes_with_its_pods_when_its_time_is_up():
    async def story(cluster):
        await cluster.apply(manifest(1, 1, after="1", ttlSecondsAfterFinished=60))
        await asyncio.sleep(50)
        there = len(await pods_of(cluster))
        await asyncio.sleep(30)
        with pytest.raises(NotFound):
            await the_job(cluster)
        return there, await pods_of(cluster)

    assert live(story) == (1, [])


def test_pods_that_a_user_deletes_are_failures_and_are_replaced():
    async def story(cluster):
        await cluster.apply(manifest(2, 2))
        await cluster.settled()
        first, _ = await pods_of(cluster)
        await cluster.api.delete(Pod, first.metadata.name, SPACE)
        await cluster.settled(quiet=30)
        return (await the_job(cluster)).status, [pod.metadata.uid for pod in await pods_of(cluster)], first

    status, uids, first = live(story)
    assert (status.active, status.failed) == (2, 1)
    assert len(uids) == 2
    assert first.metadata.uid not in uids


@pytest.mark.parametrize(("ignored", "failed"), [(False, 1), (True, None)])
def test_an_evicted_pod_has_not_succeeded_and_counts_as_its_policy_says(ignored, failed):
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    policy = {"podFailurePolicy": {"rules": [rule]}} if ignored else {}

    async def story(cluster):
        patient = manifest(1, 1, after="60", **policy).replace('"terminationGracePeriodSeconds": 0', '"hostname": "x"')
        await cluster.apply(patient)
        await asyncio.sleep(5)
        [pod] = await pods_of(cluster)
        path = f"/api/v1/namespaces/{SPACE}/pods/{pod.metadata.name}/eviction"
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod.metadata.name}}
        await cluster.api.raw("POST", path, body=json.dumps(eviction).encode())
        await asyncio.sleep(30)
        status = (await the_job(cluster)).status
        assert (status.active, status.succeeded, status.failed) == (1, None, failed)
        await asyncio.sleep(60)
        assert end_of(await the_job(cluster)) == "Complete"

    live(story)


def test_pods_that_a_deleted_job_leaves_behind_are_tracked_no_longer():
    async def story(cluster):
        await cluster.apply(manifest(2, 2))
        await cluster.settled()
        await cluster.api.delete(Job, "j", SPACE, propagation="Orphan")
        await cluster.settled(quiet=10)
        return await pods_of(cluster)

    pods = live(story)
    assert [(pod.metadata.ownerReferences, pod.metadata.finalizers) for pod in pods] == [([], [])] * 2


def test_a_pod_that_nobody_manages_is_adopted_and_counted():
    selector = {"manualSelector": True, "selector": {"matchLabels": {"app": "x"}}}

    async def story(cluster):
        spec = {"containers": [{"name": "c", "image": "img:1"}], "restartPolicy": "Never"}
        marks = {"knarr.dev/simulated-exit-after": "20"}
        meta = {"name": "mine", "labels": {"app": "x"}, "annotations": marks}
        await cluster.apply(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}))
        await cluster.apply(manifest(1, 1, **selector))
        await cluster.settled()
        adopted = await cluster.api.get(Pod, "mine", SPACE)
        await cluster.settled(quiet=40)
        return adopted.metadata, (await the_job(cluster)).status, len(await pods_of(cluster))

    meta, status, count = live(story)
    assert meta.ownerReferences[0].name == "j"
    assert meta.finalizers == [TRACKING]
    assert (status.succeeded, count) == (1, 1)


def test_a_job_that_another_controller_manages_is_left_to_it():
    async def story(cluster):
        await cluster.apply(manifest(managedBy="example.com/mine"))
        await cluster.settled()
        return (await the_job(cluster)).status, await pods_of(cluster)

    status, pods = live(story)
    assert counts(status) == {}
    assert not pods


# Whatever fails


class Fragile:
    """A Job controller that dies at its n-th write, before it or with its answer lost, and is started anew."""

    def __init__(self, cluster, dies_at, lost):
        self.cluster, self.left, self.deaths = cluster, dies_at, 0
        order = cluster.faults.lose_answer if lost else self._refuse
        order(when=self._is_the_one)
        self._start()

    def _start(self):
        self.task = asyncio.ensure_future(run(job.controller(), self.cluster.context, 5))

    def _refuse(self, when):
        self.cluster.faults.fail(TransportError("the controller died"), when=when)

    def _is_the_one(self, request):
        if request.method not in WRITES or "/events" in request.path or self.left == 0:
            return False
        self.left -= 1
        if self.left == 0:
            self.deaths += 1
            dead = self.task
            dead.cancel()
            asyncio.get_running_loop().call_later(1.0, self._start)
        return self.left == 0

    async def stop(self):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


#: how the pods of a Job end, in the order of their creation, and then again from the beginning
FATES = ("Succeeded", "Failed", "Succeeded", "Succeeded", "Failed")


async def end_pods(cluster, ended):
    """Play the nodes: end every pod that has not ended, as is its fate."""
    for pod in await pods_of(cluster):
        if pod.metadata.uid not in ended and not pod.metadata.deletionTimestamp:
            phase = FATES[len(ended) % len(FATES)]
            ended[pod.metadata.uid] = phase
            await cluster.api.patch(Pod, pod.metadata.name, SPACE, {"status": {"phase": phase}}, subresource="status")


async def die_once(dies_at, lost, indexed):
    mode = {"completionMode": "Indexed"} if indexed else {}
    async with Cluster([*OTHERS], 0) as cluster:
        fragile = Fragile(cluster, dies_at, lost)
        ended = {}
        await cluster.apply(manifest(5, 2, backoffLimit=100, **mode))
        for _ in range(200):
            await asyncio.sleep(5)
            if end_of(found := await the_job(cluster)):
                break
            await end_pods(cluster, ended)
        pods = await pods_of(cluster)
        await fragile.stop()
        return fragile.deaths, ended, found, pods


@pytest.mark.parametrize("indexed", [False, True], ids=["pods alike", "indexed pods"])
@pytest.mark.parametrize("lost", [False, True], ids=["before the write", "after it"])
@pytest.mark.parametrize("dies_at", range(1, 21), ids=lambda n: f"at write {n}")
def test_pods_are_counted_once_though_the_controller_dies(dies_at, lost, indexed):
    deaths, ended, found, pods = virtual_time.run(die_once(dies_at, lost, indexed), seed=dies_at)
    assert deaths == 1
    assert end_of(found) == "Complete"
    fates = list(ended.values())
    assert (found.status.succeeded, found.status.failed) == (fates.count("Succeeded"), fates.count("Failed"))
    assert found.status.succeeded == 5
    assert len(pods) == len(ended)
    assert not any(TRACKING in pod.metadata.finalizers for pod in pods)


async def stumble(seed, indexed):
    """A Job whose controller has one of five writes refused, or carried out with the answer lost, or stale to read.

    No answer to a creation is lost: a pod that nobody knows of may be made again before the cache shows it.
    """
    rng = random.Random(seed)
    mode = {"completionMode": "Indexed"} if indexed else {}
    drawn = [None, False]  # the request that was drawn for last: every order asks about it, one draw decides

    def struck(request):
        if drawn[0] is not request:
            write = request.method in WRITES and "/events" not in request.path
            drawn[:] = request, write and rng.random() < 0.2
        return drawn[1]

    async with Cluster([job.controller(), *OTHERS], 0) as cluster:
        for _ in range(100):
            if rng.random() < 0.5:
                cluster.faults.fail(InternalError("not now"), when=struck)
            else:
                cluster.faults.lose_answer(when=lambda request: request.method != "POST" and struck(request))
        ended = {}
        await cluster.apply(manifest(8, 3, backoffLimit=100, **mode))
        for _ in range(400):
            await asyncio.sleep(rng.choice([0.02, 1, 5, 30]))
            if rng.random() < 0.2:
                cluster.faults.cut_streams()
            if end_of(found := await the_job(cluster)):
                break
            await end_pods(cluster, ended)
        return ended, found, await pods_of(cluster)


@pytest.mark.parametrize("indexed", [False, True], ids=["pods alike", "indexed pods"])
@pytest.mark.parametrize("seed", range(6))
def test_pods_are_counted_once_though_writes_fail(seed, indexed):
    ended, found, pods = virtual_time.run(stumble(seed, indexed), seed=seed)
    assert end_of(found) == "Complete"
    fates = list(ended.values())
    assert (found.status.succeeded, found.status.failed or 0) == (fates.count("Succeeded"), fates.count("Failed"))
    assert found.status.succeeded == 8
    assert len(pods) == len(ended)


def test_pods_that_are_refused_are_asked_for_less_and_less_often():
    async def story(cluster):
        asked = []

        def refused(request):
            if request.method == "POST" and request.path.endswith("/pods"):
                asked.append(asyncio.get_running_loop().time())
                return True
            return False

        cluster.faults.fail(InternalError("no pods today"), when=refused, times=10_000)
        await cluster.apply(manifest())
        await asyncio.sleep(60)
        assert 5 <= len(asked) <= 30, "at once, then with growing pauses"
        before = len(asked)
        await asyncio.sleep(600)
        assert 5 <= len(asked) - before <= 12, "a Job waits no longer than a minute"

    live(story)
