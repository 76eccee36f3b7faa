"""Admission webhooks, asked over a real socket with TLS on loopback."""

import asyncio
import base64
import json
import ssl
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from knarr.app import certificates
from knarr.client.transport import Request, User
from knarr.kinds.types.admissionregistration_v1 import ServiceReference, WebhookClientConfig
from knarr.kinds.types.core_v1 import ConfigMap, Node, Pod, Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta.errors import ApiError
from knarr.server.admission.webhook_client import CallFailed, place_of, post
from knarr.testing.cluster import Cluster

JSON = {"content-type": "application/json"}
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}
SERVED = "hook.shop.svc"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return certificates.ensure(tmp_path_factory.mktemp("pki"), hosts=["127.0.0.1", SERVED], nodes=[])


class Hook:
    """A webhook server: `answers` by path, each from a request to a response; `asked` are the requests it saw."""

    def __init__(self, port, bundle):
        self.port, self.bundle, self.answers, self.asked = port, bundle, {}, []

    def configuration(self, kind, path, answer, **more):
        """A configuration with one webhook at that path."""
        self.answers[path] = answer
        hook = {
            "name": f"{path}.example.com",
            "clientConfig": {"url": f"https://127.0.0.1:{self.port}/{path}", "caBundle": self.bundle},
            "rules": [RULE],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **more,
        }
        api = "admissionregistration.k8s.io/v1"
        return json.dumps({"apiVersion": api, "kind": kind, "metadata": {"name": path}, "webhooks": [hook]})

    async def handle(self, request):
        review = await request.json()
        path = request.path.strip("/")
        self.asked.append((path, review["request"]))
        answer = self.answers[path](review["request"])
        if asyncio.iscoroutine(answer):
            answer = await answer
        response = {"uid": review["request"]["uid"], **answer}
        return web.json_response({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response})


@asynccontextmanager
async def serving(pki):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.server.certificate, pki.server.key)
    application = web.Application()
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    hook = Hook(0, base64.b64encode(pki.ca.read_bytes()).decode())
    application.router.add_post("/{path:.*}", hook.handle)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    hook.port = runner.addresses[0][1]
    try:
        yield hook
    finally:
        await runner.cleanup()


@pytest.fixture
async def hook(pki):
    async with serving(pki) as found:
        yield found


@pytest.fixture
async def cluster():
    async with Cluster([]) as found:
        yield found


def allow(request):
    return {"allowed": True}


def deny(message, code=403, **more):
    return lambda request: {"allowed": False, "status": {"message": message, "code": code, **more}}


def patch(*operations):
    text = base64.b64encode(json.dumps(operations).encode()).decode()
    return lambda request: {"allowed": True, "patchType": "JSONPatch", "patch": text}


def label(key, value="yes"):
    return patch(
        {"op": "add", "path": "/metadata/labels", "value": {}},
        {"op": "add", "path": f"/metadata/labels/{key}", "value": value},
    )


async def create(cluster, name="x", query=(), **more):
    body = json.dumps({"metadata": {"name": name}, **more}).encode()
    return await cluster.api.raw("POST", "/api/v1/namespaces/default/configmaps", query=query, body=body, headers=JSON)


DENIALS = {
    "a message and a code": (deny("no thanks", 418), "denied the request: no thanks", 418),
    "a code that is no failure": (deny("no", 200), "denied the request: no", 400),
    "a reason alone": (deny("", 0, reason="Because"), "denied the request: Because", 400),
    "nothing at all": (lambda request: {"allowed": False}, "denied the request without explanation", 400),
}


@pytest.mark.parametrize(("answer", "message", "code"), DENIALS.values(), ids=DENIALS)
async def test_a_refusal_reads_and_codes_as_upstream(cluster, hook, answer, message, code):
    await cluster.apply(hook.configuration("ValidatingWebhookConfiguration", "deny", answer))
    body = b'{"metadata":{"name":"x"}}'
    request = Request("POST", "/api/v1/namespaces/default/configmaps", [], dict(JSON), body, User("system:admin"))
    answered = await cluster.handler.handle(request)
    status = json.loads(answered.body)
    assert (answered.status, status["code"]) == (code, code)
    assert status["message"] == f'admission webhook "deny.example.com" {message}'


async def test_a_webhook_learns_what_is_asked(cluster, hook):
    await cluster.apply(hook.configuration("ValidatingWebhookConfiguration", "see", allow))
    await create(cluster, data={"a": "b"})
    await cluster.api.patch(ConfigMap, "x", "default", {"data": {"a": "c"}})
    await cluster.api.delete(ConfigMap, "x", "default")
    made, changed, gone = (request for _, request in hook.asked)
    assert [r["operation"] for r in (made, changed, gone)] == ["CREATE", "UPDATE", "DELETE"]
    assert made["object"]["data"] == {"a": "b"} and made["oldObject"] is None
    assert made["object"]["kind"] == "ConfigMap" and made["object"]["apiVersion"] == "v1"
    assert (changed["oldObject"]["data"], changed["object"]["data"]) == ({"a": "b"}, {"a": "c"})
    assert gone["object"] is None and gone["oldObject"]["metadata"]["name"] == "x"
    assert made["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert made["userInfo"]["username"] == "system:admin" and made["namespace"] == "default"
    assert made["options"]["kind"] == "CreateOptions" and made["dryRun"] is False


async def test_patches_are_carried_out_in_the_order_of_names(cluster, hook):
    add = patch({"op": "add", "path": "/data", "value": {"first": "1"}})
    await cluster.apply(
        hook.configuration(
            "MutatingWebhookConfiguration", "b", patch({"op": "add", "path": "/data/second", "value": "2"})
        )
    )
    await cluster.apply(hook.configuration("MutatingWebhookConfiguration", "a", add))
    await create(cluster)
    assert (await cluster.api.get(ConfigMap, "x", "default")).data == {"first": "1", "second": "2"}
    assert [path for path, _ in hook.asked] == ["a", "b"]


async def test_a_webhook_is_asked_again_when_a_later_one_changed_the_object(cluster, hook):
    kind = "MutatingWebhookConfiguration"
    await cluster.apply(hook.configuration(kind, "a", allow, reinvocationPolicy="IfNeeded"))
    await cluster.apply(hook.configuration(kind, "b", label("later"), reinvocationPolicy="IfNeeded"))
    await cluster.apply(hook.configuration(kind, "c", allow))
    await create(cluster)
    assert [path for path, _ in hook.asked] == ["a", "b", "c", "a"]
    assert hook.asked[-1][1]["object"]["metadata"]["labels"] == {"later": "yes"}


async def test_what_a_webhook_adds_is_defaulted_and_validated(cluster, hook):
    rule = {**RULE, "resources": ["pods"]}
    extra = patch({"op": "add", "path": "/spec/containers/-", "value": {"name": "sidecar", "image": "s"}})
    await cluster.apply(hook.configuration("MutatingWebhookConfiguration", "side", extra, rules=[rule]))
    await cluster.apply("{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: i}]}}")
    pod = await cluster.api.get(Pod, "p", "default")
    assert [c.terminationMessagePath for c in pod.spec.containers] == ["/dev/termination-log"] * 2
    assert pod.spec.containers[1].volumeMounts[0].mountPath.startswith("/var/run/secrets")  # by the second round


SELECTED = {
    "another resource": ({"rules": [{**RULE, "resources": ["secrets"]}]}, False),
    "another operation": ({"rules": [{**RULE, "operations": ["DELETE"]}]}, False),
    "a subresource alone": ({"rules": [{**RULE, "resources": ["configmaps/status"]}]}, False),
    "every resource with its subresources": ({"rules": [{**RULE, "resources": ["*/*"]}]}, True),
    "cluster-wide kinds alone": ({"rules": [{**RULE, "scope": "Cluster"}]}, False),
    "labels of the object": ({"objectSelector": {"matchLabels": {"mine": "1"}}}, True),
    "labels it has not": ({"objectSelector": {"matchLabels": {"mine": "2"}}}, False),
    "the namespace's own label": (
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}},
        True,
    ),
    "another namespace": ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}, False),
}


@pytest.mark.parametrize(("more", "asked"), SELECTED.values(), ids=SELECTED)
async def test_a_webhook_is_asked_for_what_it_selects(cluster, hook, more, asked):
    await cluster.apply(hook.configuration("ValidatingWebhookConfiguration", "some", allow, **more))
    body = json.dumps({"metadata": {"name": "x", "labels": {"mine": "1"}}}).encode()
    await cluster.api.raw("POST", "/api/v1/namespaces/default/configmaps", body=body, headers=JSON)
    assert bool(hook.asked) is asked


@pytest.mark.parametrize("policy", ["Equivalent", "Exact"])
async def test_another_version_of_the_kind_is_shown_in_the_version_that_was_named(cluster, hook, policy):
    rule = {**RULE, "apiGroups": ["autoscaling"], "apiVersions": ["v1"], "resources": ["horizontalpodautoscalers"]}
    await cluster.apply(
        hook.configuration("ValidatingWebhookConfiguration", "old", allow, rules=[rule], matchPolicy=policy)
    )
    await cluster.apply(
        "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h},"
        " spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}}}"
    )
    if policy == "Exact":
        assert not hook.asked
    else:
        _, request = hook.asked[0]
        assert request["object"]["apiVersion"] == "autoscaling/v1"
        assert (request["kind"]["version"], request["requestKind"]["version"]) == ("v1", "v2")


FAILURES = {
    "nobody listens": ({"clientConfig": {"url": "https://127.0.0.1:9/"}}, "failed to call webhook: Post"),
    "the certificate is another's": (
        {"clientConfig": {"url": "https://127.0.0.1:{port}/a"}},
        "certificate verify failed",
    ),
    "it takes too long": ({"timeoutSeconds": 1}, "context deadline exceeded"),
}


@pytest.mark.parametrize(("more", "message"), FAILURES.values(), ids=FAILURES)
async def test_a_webhook_that_cannot_be_asked_refuses_by_its_policy(cluster, hook, more, message):
    async def slow(request):
        await asyncio.sleep(30)

    kind = "ValidatingWebhookConfiguration"
    more = json.loads(json.dumps(more).replace("{port}", str(hook.port)))
    await cluster.apply(hook.configuration(kind, "a", slow, failurePolicy="Fail", **more))
    with pytest.raises(ApiError) as refused:
        await create(cluster)
    assert str(refused.value).startswith('Internal error occurred: failed calling webhook "a.example.com": ')
    assert message in str(refused.value)
    await cluster.apply(hook.configuration(kind, "a", slow, failurePolicy="Ignore", **more))
    await create(cluster)


WRONG = {
    "another uid": ({"uid": "x", "allowed": True}, 'expected response.uid="'),
    "a patch of a judge": ({"allowed": True, "patch": "W10="}, "may not return response.patch"),
}


@pytest.mark.parametrize(("answer", "message"), WRONG.values(), ids=WRONG)
async def test_an_answer_that_cannot_be_is_a_failure(cluster, hook, answer, message):
    await cluster.apply(hook.configuration("ValidatingWebhookConfiguration", "a", lambda request: answer))
    with pytest.raises(ApiError, match="received invalid webhook response") as refused:
        await create(cluster)
    assert message in str(refused.value)


async def test_warnings_reach_the_client(cluster, hook):
    warned = {"allowed": True, "warnings": ["think twice"]}
    await cluster.apply(hook.configuration("ValidatingWebhookConfiguration", "a", lambda request: warned))
    assert (await create(cluster)).headers["warning"] == '299 - "think twice"'


async def test_a_dry_run_asks_only_who_does_no_harm(cluster, hook):
    kind, query = "ValidatingWebhookConfiguration", [("dryRun", "All")]
    await cluster.apply(hook.configuration(kind, "a", allow, sideEffects="NoneOnDryRun"))
    await create(cluster, query=query)
    assert hook.asked[0][1]["dryRun"] is True


async def test_configurations_of_webhooks_are_beyond_webhooks(cluster, hook):
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"]}
    kind = "ValidatingWebhookConfiguration"
    await cluster.apply(hook.configuration(kind, "a", deny("all"), rules=[rule]))
    await cluster.apply(hook.configuration(kind, "b", allow))
    assert not hook.asked


class World:
    def __init__(self, *objects):
        self.objects = objects

    async def get(self, type_, namespace, name):
        return next((o for o in self.objects if type(o) is type_ and o.metadata.name == name), None)

    async def list(self, type_, namespace=""):
        return [o for o in self.objects if type(o) is type_]


async def test_a_service_is_asked_at_its_endpoint_under_its_name(hook):
    hook.answers["review"] = allow
    about = ObjectMeta(name="hook", namespace="shop")
    slice_ = EndpointSlice(
        metadata=ObjectMeta(name="s", namespace="shop", labels={"kubernetes.io/service-name": "hook"}),
        addressType="IPv4",
        endpoints=[Endpoint(addresses=["127.0.0.1"])],
        ports=[EndpointPort(name="https", port=hook.port)],
    )
    service = Service(metadata=about, spec=ServiceSpec(ports=[ServicePort(name="https", port=443)]))
    config = WebhookClientConfig(
        service=ServiceReference(name="hook", namespace="shop", path="review"), caBundle=hook.bundle
    )
    place = await place_of(config, World(service, slice_))
    assert place.url == "https://hook.shop.svc:443/review"
    review = {"apiVersion": "admission.k8s.io/v1", "request": {"uid": "u"}}
    assert json.loads(await post(place, config.caBundle, review, 60.0))["response"] == {"uid": "u", "allowed": True}
    with pytest.raises(CallFailed, match='no endpoints available for service "hook"'):
        await place_of(config, World(service))


POD = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: i}]}}"
ELSEWHERE = {
    "an eviction": ("pods/eviction", "CREATE", "POST", "eviction", {}, "Eviction"),
    "a binding": ("pods/binding", "CREATE", "POST", "binding", {"target": {"name": "n"}}, "Binding"),
    "a command": ("pods/exec", "CONNECT", "POST", "exec?command=ls&command=-l&stdin=1", {}, "PodExecOptions"),
}


@pytest.mark.parametrize(("resource", "operation", "method", "path", "body", "kind"), ELSEWHERE.values(), ids=ELSEWHERE)
async def test_a_webhook_is_asked_about(cluster, hook, resource, operation, method, path, body, kind):
    rule = {**RULE, "resources": [resource], "operations": [operation]}
    await cluster.apply(hook.configuration("ValidatingWebhookConfiguration", "a", deny("no"), rules=[rule]), POD)
    path, _, query = path.partition("?")
    pairs = [tuple(pair.split("=")) for pair in query.split("&") if pair]
    with pytest.raises(ApiError, match="denied the request: no"):
        url = f"/api/v1/namespaces/default/pods/p/{path}"
        await cluster.api.raw(method, url, query=pairs, body=json.dumps(body).encode(), headers=JSON)
    asked = hook.asked[0][1]
    assert (asked["operation"], asked["kind"]["kind"], asked["subResource"]) == (operation, kind, path)
    assert asked["resource"]["resource"] == "pods"
    if kind == "PodExecOptions":
        assert (asked["object"]["command"], asked["object"]["stdin"]) == (["ls", "-l"], True)


async def test_a_bound_pod_takes_over_where_its_node_is(cluster):
    zone = "topology.kubernetes.io/zone"
    node = f"{{apiVersion: v1, kind: Node, metadata: {{name: n, labels: {{{zone}: z, other: x}}}}}}"
    await cluster.apply(POD, node)
    body = json.dumps({"target": {"name": "n"}}).encode()
    await cluster.api.raw("POST", "/api/v1/namespaces/default/pods/p/binding", body=body, headers=JSON)
    assert (await cluster.api.get(Pod, "p", "default")).metadata.labels == {zone: "z"}


CONDITIONS = {
    "what the author may do": (
        ["!authorizer.group('').resource('pods').namespace('default').check('create').allowed()"],
        "Fail",
        False,
    ),
    "what an account may not do": (
        ["!authorizer.serviceAccount('default', 'x').group('').resource('pods').check('create').allowed()"],
        "Fail",
        True,
    ),
    "one that holds": (["object.metadata.name == 'x'"], "Fail", True),
    "one that does not": (["request.operation == 'DELETE'", "object.no.such == 1"], "Fail", False),
    "one that fails": (["object.no.such == 1"], "Fail", "resulted in error"),
    "one that fails and may": (["object.no.such == 1"], "Ignore", False),
    "one without an old object": (["oldObject == null && request.userInfo.username == 'system:admin'"], "Fail", True),
}


@pytest.mark.parametrize(("expressions", "policy", "asked"), CONDITIONS.values(), ids=CONDITIONS)
async def test_a_webhook_is_asked_by_its_conditions(cluster, hook, expressions, policy, asked):
    conditions = [{"name": f"c{n}", "expression": text} for n, text in enumerate(expressions)]
    more = {"matchConditions": conditions, "failurePolicy": policy}
    await cluster.apply(hook.configuration("ValidatingWebhookConfiguration", "a", allow, **more))
    if isinstance(asked, str):
        with pytest.raises(ApiError, match=asked):
            await create(cluster)
    else:
        await create(cluster)
        assert bool(hook.asked) is asked


async def test_no_packet_is_sent_to_pods_of_simulated_nodes():
    service = Service(metadata=ObjectMeta(name="hook"), spec=ServiceSpec(ports=[ServicePort(name="https", port=443)]))
    slice_ = EndpointSlice(
        metadata=ObjectMeta(name="hook-x", labels={"kubernetes.io/service-name": "hook"}),
        addressType="IPv4",
        endpoints=[Endpoint(addresses=["10.244.0.7"], nodeName="n")],
        ports=[EndpointPort(name="https", port=8443)],
    )
    node = Node(metadata=ObjectMeta(name="n", labels={"knarr.dev/runtime": "simulated"}))
    config = WebhookClientConfig(service=ServiceReference(name="hook", namespace="shop", port=443))
    with pytest.raises(CallFailed, match="its node is simulated, nobody listens"):
        await place_of(config, World(service, slice_, node))
    assert (await place_of(config, World(service, slice_))).address == "10.244.0.7:8443"
