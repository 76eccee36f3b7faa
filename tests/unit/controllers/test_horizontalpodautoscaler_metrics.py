"""How metrics are asked for, and what the answers say: against a server that answers from a table."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from knarr.client.api import Api
from knarr.client.scales import Scales
from knarr.client.transport import InProcess, Response
from knarr.controllers.horizontalpodautoscaler_metrics import Metrics
from knarr.controllers.horizontalpodautoscaler_replicas import Incalculable, Sample
from knarr.kinds.types.autoscaling_v2 import CrossVersionObjectReference, MetricIdentifier
from knarr.kinds.types.meta_v1 import LabelSelector

WHEN = "2026-01-01T00:00:00Z"
CUSTOM = "/apis/custom.metrics.k8s.io"
SAMPLES = {
    "v1beta2": {"metric": {"name": "q"}, "windowSeconds": 30},
    "v1beta1": {"metricName": "q", "window": 30},
}


def value(name, amount, **more):
    return {"describedObject": {"kind": "Pod", "name": name}, "timestamp": WHEN, "value": amount, **more}


def served(*versions):
    return {CUSTOM: {"kind": "APIGroup", "versions": [{"version": each} for each in versions]}}


def api(answers, asked):
    async def handle(request):
        asked.append((request.path, dict(request.query)))
        if request.path not in answers:
            return Response(404, {}, b"404 page not found\n")
        return Response(200, {}, json.dumps(answers[request.path]).encode())

    return Api(InProcess(handle))


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
async def test_a_custom_metric_of_pods(version):
    asked = []
    path = f"{CUSTOM}/{version}/namespaces/n/pods/%2A/q"
    answers = served(version) | {path: {"items": [value("a", "1500m", **SAMPLES[version])]}}
    selected = MetricIdentifier(name="q", selector=LabelSelector(matchLabels={"kind": "fast"}))
    found = await Metrics(Scales()).pods(api(answers, asked), "n", "app=web", selected)
    assert found == {"a": Sample(1500, datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=30))}
    assert asked[-1] == (path, {"labelSelector": "app=web", "metricLabelSelector": "kind=fast"})


async def test_a_custom_metric_of_an_object_is_asked_for_by_its_resource():
    asked = []
    resources = {"resources": [{"name": "ingresses", "kind": "Ingress", "namespaced": True}]}
    answers = served("v1beta1", "v1beta2") | {
        "/apis/networking.k8s.io": {"kind": "APIGroup", "versions": [{"version": "v1"}]},
        "/apis/networking.k8s.io/v1": resources,
        f"{CUSTOM}/v1beta2/namespaces/n/ingresses.networking.k8s.io/front/q": {"items": [value("front", "7")]},
    }
    about = CrossVersionObjectReference(apiVersion="networking.k8s.io/v1", kind="Ingress", name="front")
    assert await Metrics(Scales()).object(api(answers, asked), "n", about, MetricIdentifier(name="q")) == 7000


async def test_a_namespace_is_only_asked_about_itself():
    answers = served("v1beta1") | {f"{CUSTOM}/v1beta1/namespaces/n/metrics/q": {"items": [value("n", "7")]}}
    about = CrossVersionObjectReference(apiVersion="v1", kind="Namespace", name="another")
    assert await Metrics(Scales()).object(api(answers, []), "n", about, MetricIdentifier(name="q")) == 7000


async def test_the_values_of_an_external_metric_are_added_up():
    asked = []
    path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/n/q"
    values = [{"metricName": "q", "timestamp": WHEN, "value": amount} for amount in ("1", "250m")]
    metric = MetricIdentifier(name="q", selector=LabelSelector(matchLabels={"queue": "in"}))
    assert await Metrics(Scales()).external(api({path: {"items": values}}, asked), "n", metric) == 1250
    assert asked == [(path, {"labelSelector": "queue=in"})]


def of_pod(name, **containers):
    listed = [{"name": each, "usage": {"cpu": amount}} for each, amount in containers.items()]
    return {"metadata": {"name": name, "namespace": "n"}, "timestamp": WHEN, "window": "1m0s", "containers": listed}


PODS = "/apis/metrics.k8s.io/v1beta1/namespaces/n/pods"


async def test_what_pods_use_is_the_sum_of_their_containers_or_of_one():
    answers = {PODS: {"items": [of_pod("a", web="100m", log="20m"), of_pod("b", web="1", log="0")]}}
    metrics = Metrics(Scales())
    whole = await metrics.resource(api(answers, []), "n", "app=web", "cpu", "")
    assert {name: sample.value for name, sample in whole.items()} == {"a": 120, "b": 1000}
    one = await metrics.resource(api(answers, []), "n", "app=web", "cpu", "log")
    assert {name: sample.value for name, sample in one.items()} == {"a": 20, "b": 0}
    assert await metrics.resource(api(answers, []), "n", "app=web", "memory", "") == {}


#: sentence -> answers, why nothing is known
MISSING = {
    "nobody serves them": (
        {},
        "unable to fetch metrics from resource metrics API: "
        "the server could not find the requested resource (get pods.metrics.k8s.io)",
    ),
    "there are none": ({PODS: {"items": []}}, "no metrics returned from resource metrics API"),
}


@pytest.mark.parametrize("answers, why", MISSING.values(), ids=MISSING)
async def test_metrics_that_are_missing(answers, why):
    with pytest.raises(Incalculable) as error:
        await Metrics(Scales()).resource(api(answers, []), "n", "app=web", "cpu", "")
    assert str(error.value) == why
