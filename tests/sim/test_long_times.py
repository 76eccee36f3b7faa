"""What takes minutes, hours and days in a real cluster, in its own time."""

from datetime import datetime

import yaml

from knarr.kinds.types.batch_v1 import Job
from knarr.kinds.types.core_v1 import Pod
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
        async with Cluster(store=store) as cluster:
            await cluster.apply(CRON)
            await cluster.advance(hours=4, minutes=1)
            return begun.times, (await cluster.api.list(Job, "default")).items

    times, jobs = run(main())
    assert [(each.hour, each.minute, each.second) for each in times] == [(hour, 0, 0) for hour in range(1, 5)]
    assert [job.status.succeeded for job in jobs] == [1, 1, 1]  # the limit of history


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
