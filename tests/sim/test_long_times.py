"""What takes minutes, hours and days in a real cluster, in its own time."""

from datetime import datetime

import pytest
import yaml

from knarr.controllers import node_lifecycle
from knarr.kinds.types.batch_v1 import Job
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.meta import clock
from knarr.testing.cluster import Cluster
from knarr.testing.history import RecordedStore
from knarr.testing.virtual_time import run

CRON = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: hourly}
spec:
  schedule: "@hourly"
  jobTemplate:
    spec:
      template:
        metadata: {annotations: {knarr.dev/simulated-exit-after: "30"}}
        spec: {restartPolicy: Never, containers: [{name: main, image: "app:1"}]}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "app:1"}]}
"""


class Begun:
    """When each object under a prefix was first written."""

    def __init__(self, prefix):
        self.prefix, self.times = prefix, []

    def __call__(self, event):
        if event.key.startswith(self.prefix) and event.created == event.revision:
            self.times.append(clock.now())


def test_four_hours_of_an_hourly_job():
    async def main():
        store, begun = RecordedStore(), Begun("/registry/batch/jobs/")
        store.listeners.append(begun)
        async with Cluster(store=store, heartbeat=600) as cluster:
            await cluster.apply(CRON)
            await cluster.advance(hours=4, minutes=1)
            return begun.times, (await cluster.api.list(Job, "default")).items

    times, jobs = run(main())
    assert [(each.hour, each.minute, each.second) for each in times] == [(hour, 0, 0) for hour in range(1, 5)]
    assert [job.status.succeeded for job in jobs] == [1, 1, 1]  # the limit of history


def test_a_week_of_a_daily_job_with_a_heartbeat_a_day():
    async def main():
        store, begun, beats = RecordedStore(), Begun("/registry/batch/jobs/"), []
        store.listeners.append(begun)
        store.listeners.append(lambda event: beats.append(event) if "/leases/" in event.key else None)
        async with Cluster(store=store, heartbeat=86400) as cluster:
            await cluster.apply(CRON.replace("@hourly", "@daily"))
            await cluster.advance(days=7, minutes=1)
            node = (await cluster.api.list(Node)).items[0]
            ready = [each.status for each in node.status.conditions if each.type == "Ready"]
            return begun.times, len(beats), ready

    times, beats, ready = run(main())
    assert [(each.day, each.hour) for each in times] == [(day, 0) for day in range(2, 9)]
    assert beats <= 10
    assert ready == ["True"]


def test_a_node_may_be_silent_for_five_heartbeats():
    async def main():
        async with Cluster([node_lifecycle.controller(100)], 1, heartbeat=100) as cluster:
            await cluster.stop_node("node-0")
            seen = []
            for seconds in (450, 100):
                await cluster.advance(seconds=seconds)
                node = await cluster.api.get(Node, "node-0")
                seen += [each.status for each in node.status.conditions if each.type == "Ready"]
            return seen

    assert run(main()) == ["True", "Unknown"]


def test_a_heartbeat_of_no_length_is_refused():
    with pytest.raises(ValueError, match="heartbeat 0: must be 1 second or more"):
        Cluster(heartbeat=0)


def test_a_pod_leaves_a_dead_node_when_its_toleration_ends():
    async def main():
        store, begun = RecordedStore(), Begun("/registry/core/pods/")
        store.listeners.append(begun)
        async with Cluster(nodes=2, store=store) as cluster:
            await cluster.apply(DEPLOYMENT)
            await cluster.settled()
            pod = (await cluster.api.list(Pod, "default")).items[0]
            await cluster.stop_node(pod.spec.nodeName)
            node = f"/registry/core/nodes/{pod.spec.nodeName}"
            await cluster.advance(minutes=7)
            tainted = [event for event in await store.history(node) if b"NoExecute" in event.value]
            return begun.times, yaml.safe_load(tainted[0].value)

    (_, replaced), node = run(main(), seed=1)
    (taint,) = [each for each in node["spec"]["taints"] if each["effect"] == "NoExecute"]
    added = datetime.fromisoformat(str(taint["timeAdded"]))
    assert 300 <= (replaced - added).total_seconds() < 302
