"""Autoscalers of a whole cluster, on virtual time: a load that comes and goes, and metrics that are not there."""

import asyncio
import re
from itertools import pairwise

import pytest

from knarr.controllers.horizontalpodautoscaler_metrics import Metrics
from knarr.kinds.types.apps_v1 import Deployment
from knarr.kinds.types.autoscaling_v2 import HorizontalPodAutoscaler
from knarr.kinds.types.core_v1 import Event
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {knarr.dev/simulated-load: "%s"}}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: web, resources: {requests: {cpu: 200m, memory: 100Mi}}}]}
"""
SCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: %s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: %s, name: web}
  minReplicas: 1
  maxReplicas: 20
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
"""


def scaler(name="web", kind="Deployment", **spec):
    lines = "".join(f"  {key}: {value}\n" for key, value in spec.items())
    return SCALER % (name, kind) + lines


async def replicas(cluster):
    return (await cluster.api.get(Deployment, "web", "default")).spec.replicas


async def status_of(cluster, name="web"):
    return (await cluster.api.get(HorizontalPodAutoscaler, name, "default")).status


async def conditions(cluster, name="web"):
    return {each.type: (each.status, each.reason) for each in (await status_of(cluster, name)).conditions}


async def load(cluster, cores):
    annotations = {"knarr.dev/simulated-load": cores}
    await cluster.api.patch(Deployment, "web", "default", {"metadata": {"annotations": annotations}})


async def told(cluster, reason):
    await cluster.context.recorder.flush()
    return [each.message for each in (await cluster.api.list(Event, "default", fields=f"reason={reason}")).items]


def test_replicas_follow_a_load_up_at_once_and_down_after_five_minutes():
    async def main():
        async with Cluster() as cluster:
            await cluster.apply(WEB % ("1", 1), scaler())
            await asyncio.sleep(180)
            assert await replicas(cluster) == 10
            status = await status_of(cluster)
            assert (status.currentReplicas, status.desiredReplicas) == (10, 10)
            current = status.currentMetrics[0].resource.current
            assert (current.averageUtilization, current.averageValue) == (50, "100m")
            assert await conditions(cluster) == {
                "AbleToScale": ("True", "ReadyForNewScale"),
                "ScalingActive": ("True", "ValidMetricFound"),
                "ScalingLimited": ("False", "DesiredWithinRange"),
                "ScaledToZero": ("False", "NotScaledToZero"),
            }
            await load(cluster, "200m")
            await asyncio.sleep(285)
            assert await replicas(cluster) == 10
            assert (await conditions(cluster))["AbleToScale"] == ("True", "ScaleDownStabilized")
            await asyncio.sleep(60)
            assert await replicas(cluster) == 2
            reason = "cpu resource utilization (percentage of request) above target"
            assert await told(cluster, "SuccessfulRescale") == [
                f"New size: 4; reason: {reason}",
                f"New size: 8; reason: {reason}",
                f"New size: 10; reason: {reason}",
                "New size: 2; reason: All metrics below target",
            ]

    virtual_time.run(main(), seed=1)


def test_policies_bound_how_fast_replicas_come_and_go():
    async def main():
        behavior = (
            "{scaleUp: {policies: [{type: Pods, value: 1, periodSeconds: 60}]}, "
            "scaleDown: {stabilizationWindowSeconds: 0, policies: [{type: Pods, value: 2, periodSeconds: 60}]}}"
        )
        async with Cluster() as cluster:
            await cluster.apply(WEB % ("1", 1), scaler(behavior=behavior))
            seen = []
            for _ in range(4):
                await asyncio.sleep(60)
                seen.append(await replicas(cluster))
            assert [after - before for before, after in pairwise(seen)] == [1, 1, 1]
            assert (await conditions(cluster))["ScalingLimited"] == ("True", "ScaleUpLimit")
            await load(cluster, "1m")
            await asyncio.sleep(20)
            assert await replicas(cluster) == seen[-1] - 2
            assert (await conditions(cluster))["ScalingLimited"][0] == "True"

    virtual_time.run(main(), seed=2)


def test_bounds_hold_whatever_the_load():
    async def main():
        async with Cluster() as cluster:
            await cluster.apply(WEB % ("50", 30), scaler())
            await asyncio.sleep(20)
            assert await replicas(cluster) == 20
            assert "New size: 20; reason: Current number of replicas above Spec.MaxReplicas" in await told(
                cluster, "SuccessfulRescale"
            )
            await asyncio.sleep(120)
            assert (await conditions(cluster))["ScalingLimited"] == ("True", "TooManyReplicas")

    virtual_time.run(main(), seed=3)


def test_what_is_scaled_to_zero_by_hand_stays_there():
    async def main():
        async with Cluster() as cluster:
            await cluster.apply(WEB % ("1", 0), scaler())
            await asyncio.sleep(60)
            assert await replicas(cluster) == 0
            assert (await conditions(cluster))["ScalingActive"] == ("False", "ScalingDisabled")

    virtual_time.run(main(), seed=4)


#: sentence -> spec of the scaler, condition, its reason, event, what it says
FAILURES = {
    "a metric of pods that nobody serves": (
        {"metrics": "[{type: Pods, pods: {metric: {name: q}, target: {type: AverageValue, averageValue: 1}}}]"},
        ("ScalingActive", "FailedGetPodsMetric"),
        "unable to get metric q: unable to fetch metrics from custom metrics API: "
        "no custom metrics API (custom.metrics.k8s.io) registered",
    ),
    "an external metric that nobody serves": (
        {"metrics": "[{type: External, external: {metric: {name: q}, target: {type: Value, value: 1}}}]"},
        ("ScalingActive", "FailedGetExternalMetric"),
        "unable to get external metric default/q/nil: unable to fetch metrics from external metrics API: "
        "the server could not find the requested resource (get q.external.metrics.k8s.io)",
    ),
    "a container that pods do not have": (
        {
            "metrics": "[{type: ContainerResource, containerResource: "
            "{name: cpu, container: d, target: {type: Utilization, averageUtilization: 50}}}]"
        },
        ("ScalingActive", "FailedGetContainerResourceMetric"),
        "failed to get cpu utilization: unable to get metrics for resource cpu: failed to get container metrics: "
        "container d not present in metrics for pod default/",
    ),
    "a target that is not there": (
        {"kind": "StatefulSet"},
        ("AbleToScale", "FailedGetScale"),
        'statefulsets.apps "web" not found',
    ),
    "a target of a kind that is not there": (
        {"kind": "Boat"},
        ("AbleToScale", "FailedGetScale"),
        'no matches for kind "Boat" in group "apps"',
    ),
}


@pytest.mark.parametrize("given, condition, message", FAILURES.values(), ids=FAILURES)
def test_what_cannot_be_known_is_said_and_changes_nothing(given, condition, message):
    async def main():
        async with Cluster() as cluster:
            kind = given.get("kind", "Deployment")
            manifest = SCALER % ("web", kind)
            if "metrics" in given:
                manifest = manifest[: manifest.index("  metrics")] + f"  metrics: {given['metrics']}\n"
            await cluster.apply(WEB % ("1", 3), manifest)
            await asyncio.sleep(60)
            assert await replicas(cluster) == 3
            type_, reason = condition
            assert (await conditions(cluster))[type_] == ("False", reason)
            assert any(text.startswith(message) for text in await told(cluster, reason))

    virtual_time.run(main(), seed=5)


def test_two_autoscalers_of_the_same_pods_do_nothing():
    async def main():
        async with Cluster() as cluster:
            await cluster.apply(WEB % ("1", 1), scaler("web"), scaler("other"))
            await asyncio.sleep(20)
            before = await replicas(cluster)
            await asyncio.sleep(60)
            assert await replicas(cluster) == before
            for name in ("web", "other"):
                assert (await conditions(cluster, name))["ScalingActive"] == ("False", "AmbiguousSelector")
            assert "pods by selector app=web are controlled by multiple HPAs: [{other default} {web default}]" in (
                await told(cluster, "AmbiguousSelector")
            )

    virtual_time.run(main(), seed=6)


def test_a_changed_autoscaler_is_looked_at_at_once():
    async def main():
        async with Cluster() as cluster:
            await cluster.apply(WEB % ("0", 1), scaler())
            await asyncio.sleep(16)
            await cluster.apply(scaler().replace("minReplicas: 1", "minReplicas: 4"))
            await asyncio.sleep(1)
            assert await replicas(cluster) == 4

    virtual_time.run(main(), seed=7)


def test_a_target_without_work_goes_to_none_and_comes_back_with_it(monkeypatch):
    queue = [30_000]

    async def length(*_):
        return queue[0]

    monkeypatch.setattr(Metrics, "external", length)
    metrics = "[{type: External, external: {metric: {name: q}, target: {type: AverageValue, averageValue: 10}}}]"
    wanted = scaler(behavior="{scaleDown: {stabilizationWindowSeconds: 60}}")
    wanted = re.sub("metrics: .*", f"metrics: {metrics}", wanted).replace("minReplicas: 1", "minReplicas: 0")

    async def main():
        async with Cluster() as cluster:
            await cluster.apply(WEB % ("0", 1), wanted)
            await asyncio.sleep(60)
            assert await replicas(cluster) == 3
            queue[0] = 0
            await asyncio.sleep(150)
            assert await replicas(cluster) == 0
            assert (await conditions(cluster))["ScaledToZero"] == ("True", "ScaledToZero")
            queue[0] = 15_000
            await asyncio.sleep(60)
            assert await replicas(cluster) == 2
            assert (await conditions(cluster))["ScaledToZero"] == ("False", "NotScaledToZero")
            await cluster.api.patch(Deployment, "web", "default", {"spec": {"replicas": 0}})
            await asyncio.sleep(60)
            assert await replicas(cluster) == 0
            assert (await conditions(cluster))["ScalingActive"] == ("False", "ScalingDisabled")

    virtual_time.run(main(), seed=1)
