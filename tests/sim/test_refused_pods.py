"""Workloads whose pods, sets or jobs a webhook refuses: what is said of it, how often it is tried, and how it ends."""

import json

import msgspec
import pytest

from knarr.kinds.types.admissionregistration_v1 import ValidatingWebhookConfiguration
from knarr.kinds.types.apps_v1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from knarr.kinds.types.batch_v1 import CronJob, Job
from knarr.kinds.types.core_v1 import Event, Pod, ReplicationController
from knarr.server.admission import webhook_client
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster
from tests.sim.stories import SPACE, manifest

KINDS = {
    "Deployment": Deployment,
    "ReplicaSet": ReplicaSet,
    "ReplicationController": ReplicationController,
    "StatefulSet": StatefulSet,
    "DaemonSet": DaemonSet,
    "Job": Job,
}
DENIED = 'admission webhook "no.example.com" denied the request: not these'
MISSING = (
    'Internal error occurred: failed calling webhook "no.example.com": failed to call webhook: '
    'Post "https://guard.shop.svc:443/?timeout=10s": service "guard" not found'
)


def webhook(resource, group="", **config):
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE"], "resources": [resource]}
    hook = {
        "name": "no.example.com",
        "clientConfig": config or {"url": "https://guard.example.com/"},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    about = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return json.dumps({**about, "metadata": {"name": "no"}, "webhooks": [hook]})


@pytest.fixture
def denies(monkeypatch):
    """Webhooks that answer at once, as no socket does on virtual time, and refuse."""

    async def post(place, bundle, review, seconds):
        answer = {"uid": review["request"]["uid"], "allowed": False, "status": {"message": "not these", "code": 403}}
        return msgspec.json.encode({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer})

    monkeypatch.setattr(webhook_client, "post", post)


def told(main):
    """Live through a story in a whole cluster with a node on virtual time."""

    async def live():
        async with Cluster(nodes=1) as cluster:
            cluster.faults.record()
            await cluster.settled()
            await main(cluster)

    virtual_time.run(live())


def workload(kind, **spec):
    counts = {"DaemonSet": {}, "Job": {"parallelism": 5, "completions": 5}}
    pod = {"restartPolicy": "Never"} if kind == "Job" else {}
    found = manifest(kind, "web", {**counts.get(kind, {"replicas": 5}), **spec}, **pod)
    if kind == "StatefulSet":
        found["spec"]["serviceName"] = "web"
    return json.dumps(found)


async def events(cluster, reason):
    await cluster.context.recorder.flush()
    found = (await cluster.api.list(Event, SPACE)).items
    return [event for event in found if event.reason == reason]


def writes(cluster, since=0):
    """What was written but for the nodes' heartbeats and events."""
    return [
        request
        for request in cluster.faults.requests[since:]
        if request.method != "GET" and not any(part in request.path for part in ("/leases/", "/events", "/nodes/"))
    ]


async def writes_in(cluster, **span):
    before = len(cluster.faults.requests)
    await cluster.advance(**span)
    return len(writes(cluster, before))


def conditions(obj):
    return {c.type: (c.status, c.reason, c.message) for c in obj.status.conditions}


async def refused(cluster, kind, message):
    """Whether a workload whose pods are refused says so, and tries ever more seldom."""
    await cluster.apply(workload(kind))
    first = await writes_in(cluster, minutes=1)
    assert 3 <= first <= 40, "at once, then with growing pauses"
    assert await writes_in(cluster, minutes=20) <= 20
    assert (await cluster.api.list(Pod, SPACE)).items == []
    assert any(message in event.message for event in await events(cluster, "FailedCreate"))
    if kind in ("Deployment", "ReplicaSet", "ReplicationController"):
        said = conditions(await cluster.api.get(KINDS[kind], "web", SPACE))["ReplicaFailure"]
        assert said[:2] == ("True", "FailedCreate") and message in said[2]


@pytest.mark.parametrize("kind", KINDS)
def test_pods_that_a_webhook_refuses_are_asked_for_ever_more_seldom_and_come_when_it_is_gone(kind, denies):
    async def main(cluster):
        await cluster.apply(webhook("pods"))
        await cluster.settled()
        await refused(cluster, kind, DENIED)
        await cluster.api.delete(ValidatingWebhookConfiguration, "no")
        await cluster.advance(minutes=20)
        assert len((await cluster.api.list(Pod, SPACE)).items) == (1 if kind == "DaemonSet" else 5)
        assert "ReplicaFailure" not in conditions(await cluster.api.get(KINDS[kind], "web", SPACE))

    told(main)


@pytest.mark.parametrize("kind", KINDS)
def test_pods_that_a_webhook_would_have_to_judge_that_is_not_there_are_refused(kind):
    async def main(cluster):
        await cluster.apply(webhook("pods", service={"name": "guard", "namespace": "shop"}))
        await cluster.settled()
        await refused(cluster, kind, MISSING)

    told(main)


def test_a_deployment_whose_set_a_webhook_refuses_says_that_it_does_not_progress(denies):
    async def main(cluster):
        await cluster.apply(webhook("replicasets", "apps"))
        await cluster.settled()
        await cluster.apply(workload("Deployment"))
        assert await writes_in(cluster, minutes=1) <= 40
        assert await writes_in(cluster, minutes=20) <= 20
        web = await cluster.api.get(Deployment, "web", SPACE)
        status, reason, message = conditions(web)["Progressing"]
        assert (status, reason) == ("False", "ReplicaSetCreateError")
        assert message.startswith('Failed to create new replica set "web-') and DENIED in message
        await cluster.api.delete(ValidatingWebhookConfiguration, "no")
        await cluster.advance(minutes=20)
        web = await cluster.api.get(Deployment, "web", SPACE)
        assert (web.status.readyReplicas, conditions(web)["Progressing"][1]) == (5, "NewReplicaSetAvailable")

    told(main)


def test_a_schedule_whose_jobs_a_webhook_refuses_says_so_and_goes_on_with_the_next_time(denies):
    async def main(cluster):
        await cluster.apply(webhook("jobs", "batch"))
        await cluster.settled()
        template = {"spec": json.loads(workload("Job"))["spec"]}
        spec = {"schedule": "*/10 * * * *", "jobTemplate": template}
        await cluster.apply(
            json.dumps({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "web"}, "spec": spec})
        )
        assert await writes_in(cluster, minutes=30) <= 60
        assert any(DENIED in event.message for event in await events(cluster, "FailedCreate"))
        assert (await cluster.api.get(CronJob, "web", SPACE)).status.active == []
        await cluster.api.delete(ValidatingWebhookConfiguration, "no")
        await cluster.advance(minutes=20)
        assert (await cluster.api.list(Job, SPACE)).items != []

    told(main)
