"""A server of further APIs on loopback behind an APIService: asked over TLS, believed in discovery, followed by an
autoscaler; and what is said while it is not there."""

import asyncio
import base64
import json
import ssl
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from knarr.client.discovery import discover
from knarr.client.transport import InProcess, Request, User
from knarr.controllers import deployment, horizontalpodautoscaler, replicaset
from knarr.kinds.types.apiregistration_v1 import APIService
from knarr.kinds.types.apps_v1 import Deployment
from knarr.loop.runner import run
from knarr.meta.errors import ServiceUnavailable
from knarr.scheduler import scheduler
from knarr.server import aggregation_availability, issuing
from knarr.server.server import Settings
from knarr.testing.cluster import Cluster

GROUP, VERSION = "external.metrics.k8s.io", "v1beta1"
ROOT = f"/apis/{GROUP}/{VERSION}"
RESOURCES = {
    "kind": "APIResourceList",
    "groupVersion": f"{GROUP}/{VERSION}",
    "resources": [{"name": "queue", "namespaced": True, "kind": "ExternalMetricValueList", "verbs": ["get"]}],
}
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: adapter, namespace: default}
spec: {type: ExternalName, externalName: localhost}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: web}]}}
"""
SCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 10
  metrics: [{type: External, external: {metric: {name: queue}, target: {type: AverageValue, averageValue: "10"}}}]
"""
PATIENCE = 60.0  #: seconds


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Nobody gives up only because the machine is busy: this is real time."""
    monkeypatch.setattr(aggregation_availability, "SECONDS", PATIENCE)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    hosts = ["127.0.0.1", "adapter.default.svc"]
    return issuing.ensure(tmp_path_factory.mktemp("pki"), hosts=hosts, nodes=[])


class Adapter:
    """The server: it takes only whom the front proxy's authority signed, and remembers who asked."""

    def __init__(self):
        self.port, self.queue, self.asked, self.broken = 0, 35, [], False

    async def handle(self, request):
        self.asked.append(request)
        if self.broken:
            return web.Response(status=500)
        if request.path == ROOT:
            return web.json_response(RESOURCES)
        if request.path == f"{ROOT}/namespaces/default/queue":
            value = {"metricName": "queue", "value": str(self.queue), "timestamp": "2026-01-01T00:00:00Z"}
            body = {"kind": "ExternalMetricValueList", "apiVersion": f"{GROUP}/{VERSION}", "items": [value]}
            # in two pieces, as a long answer comes
            answer = web.StreamResponse(headers={"content-type": "application/json"})
            await answer.prepare(request)
            text = json.dumps(body).encode()
            await answer.write(text[:20])
            await asyncio.sleep(0.02)
            await answer.write(text[20:])
            return answer
        if request.path == "/openapi/v2":
            paths = {f"{ROOT}/namespaces/{{namespace}}/queue": {}, "/apis/apps/v1/stolen": {}}
            return web.json_response({"swagger": "2.0", "paths": paths, "definitions": {"Queue": {}}})
        if request.path == "/openapi/v3":
            where = f"apis/{GROUP}/{VERSION}"
            return web.json_response({"paths": {where: {"serverRelativeURL": f"/openapi/v3/{where}?hash=1"}}})
        return web.json_response({"path": request.path}, status=200 if request.path.startswith("/openapi") else 404)


@asynccontextmanager
async def serving(pki):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pki.front_proxy_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pki.server.certificate, pki.server.key)
    adapter = Adapter()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", adapter.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "localhost", 0, ssl_context=context).start()
    adapter.port = runner.addresses[0][1]
    try:
        yield adapter
    finally:
        await runner.cleanup()


def registration(adapter, pki, **spec):
    bundle = base64.b64encode(pki.ca.read_bytes()).decode()
    service = {"name": "adapter", "namespace": "default", "port": adapter.port}
    about = {"group": GROUP, "version": VERSION, "groupPriorityMinimum": 100, "versionPriority": 100}
    spec = {"service": service, "caBundle": bundle, **about, **spec}
    api = "apiregistration.k8s.io/v1"
    return json.dumps(
        {"apiVersion": api, "kind": "APIService", "metadata": {"name": f"{VERSION}.{GROUP}"}, "spec": spec}
    )


@asynccontextmanager
async def living(pki, *controllers, nodes=0):
    cluster = Cluster(list(controllers), nodes=nodes, services=[scheduler.run] if nodes else [])
    cluster.settings = Settings(front_proxy=pki.front_proxy)
    async with cluster, asyncio.TaskGroup() as tasks:
        watching = [
            tasks.create_task(run(each, cluster.context))
            for each in aggregation_availability.controllers(cluster.handler.aggregation)
        ]
        yield cluster
        for task in watching:
            task.cancel()


async def until(holds):
    async with asyncio.timeout(PATIENCE):
        while not (found := await holds()):  # noqa: ASYNC110 (the adapter lives in real time)
            await asyncio.sleep(0.02)
    return found


async def available(cluster, status="True", reason=""):
    """The condition once it has a status, and a reason where one is given."""

    async def holds():
        entry = await cluster.api.get(APIService, f"{VERSION}.{GROUP}")
        found = next((c for c in entry.status.conditions if c.type == "Available"), None)
        return found if found and found.status == status and reason in ("", found.reason) else None

    return await until(holds)


async def test_an_autoscaler_follows_a_metric_of_another_server(pki):
    controllers = (deployment.CONTROLLER, replicaset.controller(), horizontalpodautoscaler.controller())
    async with serving(pki) as adapter, living(pki, *controllers, nodes=1) as cluster:
        await cluster.apply(SERVICE, DEPLOYMENT, registration(adapter, pki))
        said = await available(cluster)
        assert (said.reason, said.message) == ("Passed", "all checks passed")
        await cluster.apply(SCALER)

        async def scaled():
            return (await cluster.api.get(Deployment, "web", "default")).spec.replicas == 4

        await until(scaled)


async def test_who_asks_is_said_in_headers_that_the_client_cannot_set(pki):
    async with serving(pki) as adapter, living(pki) as cluster:
        await cluster.apply(SERVICE, registration(adapter, pki))
        await available(cluster)
        user = User("jörg", "7", ("system:masters", "dev"), {"example.com/Scope": ("a", "b")})
        headers = {"x-remote-user": "root", "x-remote-group": "system:nodes", "authorization": "Bearer secret"}
        headers["x-remote-extra-admin"] = "yes"
        sent = Request("GET", f"{ROOT}/namespaces/default/queue", [("labelSelector", "a=b")], headers)
        answer = await InProcess(cluster.handler.handle, user).send(sent)
        assert answer.status == 200
        asked = next(r for r in reversed(adapter.asked) if "queue" in r.path)
        assert asked.headers.getall("X-Remote-User")[0].encode("utf-8", "surrogateescape").decode() == "jörg"
        assert set(asked.headers.getall("X-Remote-Group")) == {"system:masters", "dev", "system:authenticated"}
        assert asked.headers.getall("X-Remote-Uid") == ["7"]
        assert asked.headers.getall("X-Remote-Extra-example.com%2FScope") == ["a", "b"]
        assert asked.query == {"labelSelector": "a=b"}
        assert "authorization" not in asked.headers and "X-Remote-Extra-Admin" not in asked.headers


async def test_discovery_and_openapi_name_what_it_serves(pki):
    async with serving(pki) as adapter, living(pki) as cluster:
        await cluster.apply(SERVICE, registration(adapter, pki))
        await available(cluster)

        async def body(path):
            return json.loads((await cluster.api.raw("GET", path)).body)

        assert GROUP in [group["name"] for group in (await body("/apis"))["groups"]]
        assert (await body(f"/apis/{GROUP}"))["preferredVersion"]["version"] == VERSION
        assert await body(ROOT) == RESOURCES
        found = await discover(cluster.api)
        assert [(r.plural, r.verbs) for r in found.resources if r.group == GROUP] == [("queue", ("get",))]
        whole = await body("/openapi/v2")
        assert f"{ROOT}/namespaces/{{namespace}}/queue" in whole["paths"] and "Queue" in whole["definitions"]
        assert "/apis/apps/v1/stolen" not in whole["paths"] and "/apis/apps/v1/deployments" in whole["paths"]
        place = f"apis/{GROUP}/{VERSION}"
        assert (await body("/openapi/v3"))["paths"][place] == {"serverRelativeURL": f"/openapi/v3/{place}?hash=1"}
        assert await body(f"/openapi/v3/{place}") == {"path": f"/openapi/v3/{place}"}


BROKEN = {
    "the service is not there": ("", {}, "ServiceNotFound", 'service/adapter in "default" is not present'),
    "the service has another port": (
        "{apiVersion: v1, kind: Service, metadata: {name: adapter}, spec: {ports: [{port: 81}]}}",
        {"service": {"name": "adapter", "namespace": "default", "port": 443}},
        "ServicePortError",
        'service/adapter in "default" is not listening on port 443',
    ),
    "nothing is behind the service": (
        "{apiVersion: v1, kind: Service, metadata: {name: adapter}, spec: {ports: [{port: 443}]}}",
        {"service": {"name": "adapter", "namespace": "default"}},
        "EndpointsNotFound",
        'cannot find endpointslices for service/adapter in "default"',
    ),
}


@pytest.mark.parametrize(("service", "spec", "reason", "message"), BROKEN.values(), ids=BROKEN)
async def test_what_cannot_be_reached_is_said(pki, service, spec, reason, message):
    async with living(pki) as cluster:
        await cluster.apply(
            *([service] if service else []),
            registration(
                Adapter(), pki, **{"service": {"name": "adapter", "namespace": "default", "port": 443}, **spec}
            ),
        )
        said = await available(cluster, "False")
        assert (said.reason, said.message) == (reason, message)
        answer = await cluster.handler.handle(Request("GET", f"{ROOT}/namespaces/default/queue", user=User()))
        assert (answer.status, answer.body) == (503, b"service unavailable\n")
        assert f"{GROUP}/{VERSION}" in (await discover(cluster.api)).failed


async def test_a_server_that_fails_is_unavailable_until_it_answers_again(pki):
    async with serving(pki) as adapter, living(pki) as cluster:
        adapter.broken = True
        await cluster.apply(SERVICE, registration(adapter, pki))
        said = await available(cluster, "False", "FailedDiscoveryCheck")
        url = f"https://localhost:{adapter.port}{ROOT}"
        assert said.message == f"failing or missing response from {url}: bad status from {url}: 500"
        with pytest.raises(ServiceUnavailable):
            await cluster.api.raw("GET", f"{ROOT}/namespaces/default/queue")
        adapter.broken = False
        await available(cluster)


async def test_a_server_whose_certificate_another_authority_signed_is_not_asked(pki, tmp_path):
    other = issuing.ensure(tmp_path, hosts=["127.0.0.1"], nodes=[])
    async with serving(pki) as adapter, living(pki) as cluster:
        bundle = base64.b64encode(other.ca.read_bytes()).decode()
        await cluster.apply(SERVICE, registration(adapter, pki, caBundle=bundle))
        await available(cluster)  # somebody is there
        answer = await cluster.handler.handle(Request("GET", f"{ROOT}/namespaces/default/queue", user=User()))
        assert (answer.status, b"certificate verify failed" in answer.body) == (503, True)
        assert not [request for request in adapter.asked if "queue" in request.path]
        await cluster.api.patch(
            APIService, f"{VERSION}.{GROUP}", "", {"spec": {"caBundle": None, "insecureSkipTLSVerify": True}}
        )
        answer = await cluster.handler.handle(Request("GET", f"{ROOT}/namespaces/default/queue", user=User()))
        assert answer.status == 200


async def test_a_path_that_climbs_is_refused(pki):
    async with serving(pki) as adapter, living(pki) as cluster:
        await cluster.apply(SERVICE, registration(adapter, pki))
        await available(cluster)
        for path in (f"{ROOT}/namespaces/mine/../default/queue", f"{ROOT}/namespaces/mine/%2e%2e/default/queue"):
            answer = await cluster.handler.handle(Request("GET", path, user=User()))
            assert answer.status == 400
