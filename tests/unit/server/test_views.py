"""One object in two forms: written in either, read in both."""

import msgspec
import pytest

from knarr.kinds import horizontalpodautoscaler_v1
from knarr.kinds.types import autoscaling_v1, autoscaling_v2, core_v1, events_v1
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.testing.cluster import Cluster

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
OLD = {
    "apiVersion": "autoscaling/v1",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "x"},
    "spec": {"maxReplicas": 5, "targetCPUUtilizationPercentage": 60, "scaleTargetRef": TARGET},
}
ABOUT = core_v1.ObjectReference(kind="Pod", namespace="default", name="p")


@pytest.fixture
async def cluster():
    async with Cluster([]) as made:
        yield made


async def test_an_old_autoscaler_is_a_new_one(cluster):
    await cluster.apply(msgspec.convert(OLD, autoscaling_v1.HorizontalPodAutoscaler))
    new = await cluster.api.get(autoscaling_v2.HorizontalPodAutoscaler, "x", "default")
    assert [metric.resource.target.averageUtilization for metric in new.spec.metrics] == [60]
    old = await cluster.api.get(autoscaling_v1.HorizontalPodAutoscaler, "x", "default")
    assert (old.spec.minReplicas, old.spec.targetCPUUtilizationPercentage) == (1, 60)
    assert old.metadata.resourceVersion == new.metadata.resourceVersion


async def test_a_patch_is_made_on_the_form_that_is_asked_for(cluster):
    await cluster.apply(msgspec.convert(OLD, autoscaling_v1.HorizontalPodAutoscaler))
    patch = {"spec": {"targetCPUUtilizationPercentage": 70}}
    old = await cluster.api.patch(autoscaling_v1.HorizontalPodAutoscaler, "x", "default", patch)
    new = await cluster.api.get(autoscaling_v2.HorizontalPodAutoscaler, "x", "default")
    assert old.spec.targetCPUUtilizationPercentage == 70
    assert new.spec.metrics[0].resource.target.averageUtilization == 70


async def test_both_groups_list_and_select_the_same_events(cluster):
    event = core_v1.Event(
        metadata=ObjectMeta(name="e", namespace="default"), involvedObject=ABOUT, reason="R", message="m", type="Normal"
    )
    await cluster.api.create(event)
    found = await cluster.api.list(events_v1.Event, "default", fields="regarding.name=p")
    assert [(e.metadata.name, e.note, e.regarding.name) for e in found.items] == [("e", "m", "p")]
    assert (await cluster.api.list(events_v1.Event, "default", fields="regarding.name=q")).items == []


async def test_a_new_event_is_seen_by_watches_of_both_groups(cluster):
    seen = {}
    old = await cluster.api.list(core_v1.Event, "default")
    new = events_v1.Event(
        metadata=ObjectMeta(name="e", namespace="default"),
        regarding=ABOUT,
        note="n",
        reason="R",
        action="A",
        type="Normal",
        eventTime="2026-01-01T00:00:00.000000Z",
        reportingController="c.example/d",
        reportingInstance="i",
    )
    await cluster.api.create(new)
    for type_ in (core_v1.Event, events_v1.Event):
        async for change in cluster.api.watch(type_, "default", resource_version=old.resource_version):
            seen[type_] = change.object
            break
    assert (seen[core_v1.Event].message, seen[core_v1.Event].reportingComponent) == ("n", "c.example/d")
    assert (seen[events_v1.Event].note, seen[events_v1.Event].apiVersion) == ("n", "events.k8s.io/v1")


NEW = {
    "metadata": {"name": "x", "annotations": {"a": "b"}},
    "spec": {
        "maxReplicas": 5,
        "metrics": [
            {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue"}}},
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 5}},
            },
        ],
        "behavior": {"scaleDown": {"selectPolicy": "Disabled"}},
    },
    "status": {"currentReplicas": 1, "desiredReplicas": 2, "conditions": [{"type": "AbleToScale", "status": "True"}]},
}


def test_what_the_old_form_has_no_field_for_survives_in_annotations():
    old = horizontalpodautoscaler_v1.outward(NEW)
    assert old["spec"] == {"maxReplicas": 5, "targetCPUUtilizationPercentage": 5}
    back = horizontalpodautoscaler_v1.inward(old)
    back["spec"]["metrics"].reverse()  # the old form's own number comes first
    assert back == NEW


def test_an_annotation_of_another_form_is_ignored():
    spoilt = {"metadata": {"annotations": {horizontalpodautoscaler_v1.METRICS: "{"}}, "spec": {"maxReplicas": 1}}
    assert "metrics" not in horizontalpodautoscaler_v1.inward(spoilt)["spec"]
