"""Conversion webhooks, asked over a real socket with TLS on loopback: custom resources in versions that differ."""

import asyncio
import base64
import json
import ssl

import pytest
from aiohttp import web

from knarr.app import certificates
from knarr.client.transport import Request, User
from knarr.testing.cluster import Cluster

JSON = {"content-type": "application/json"}
V1, V2 = "example.com/v1", "example.com/v2"
URL = "/apis/{}/namespaces/default/boats"


class Webhook:
    """v1 has `spec.crew`, v2 `spec.sailors`; `asked` are the numbers of objects of each review."""

    def __init__(self, bundle):
        self.port, self.bundle, self.asked, self.twist = 0, bundle, [], lambda response: response

    async def handle(self, request):
        review = await request.json()
        asked = review["request"]
        self.asked.append(len(asked["objects"]))
        objects = [self.converted(each, asked["desiredAPIVersion"]) for each in asked["objects"]]
        response = {"uid": asked["uid"], "convertedObjects": objects, "result": {"status": "Success"}}
        return web.json_response({**review, "response": self.twist(response)})

    def converted(self, tree, version):
        spec, before = dict(tree["spec"]), {V1: "crew", V2: "sailors"}
        if (old := before[tree["apiVersion"]]) in spec:
            spec[before[version]] = spec.pop(old)
        metadata = tree["metadata"] | {"annotations": {"was": tree["apiVersion"]}}
        return tree | {"apiVersion": version, "spec": spec, "metadata": metadata}

    def definition(self, stored="v1", **more):
        def version(name, field):
            spec = {"type": "object", "properties": {field: {"type": "integer"}, "flag": {"type": "string"}}}
            schema = {"type": "object", "properties": {"spec": spec}}
            columns = [{"name": "Number", "type": "integer", "jsonPath": f".spec.{field}"}]
            return {
                "name": name,
                "served": True,
                "storage": name == stored,
                "schema": {"openAPIV3Schema": schema},
                "additionalPrinterColumns": columns,
            }

        config = {"url": f"https://127.0.0.1:{self.port}/", "caBundle": self.bundle}
        webhook = {"clientConfig": config, "conversionReviewVersions": ["v1"]}
        spec = {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "boats", "singular": "boat", "kind": "Boat", "listKind": "BoatList"},
            "versions": [version("v1", "crew"), version("v2", "sailors")],
            "conversion": {"strategy": "Webhook", "webhook": webhook},
        }
        head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
        return json.dumps({**head, "metadata": {"name": "boats.example.com"}, "spec": spec | more})


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return certificates.ensure(tmp_path_factory.mktemp("pki"), hosts=["127.0.0.1"], nodes=[])


@pytest.fixture
async def webhook(pki):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.server.certificate, pki.server.key)
    found = Webhook(base64.b64encode(pki.ca.read_bytes()).decode())
    application = web.Application()
    application.router.add_post("/", found.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    found.port = runner.addresses[0][1]
    yield found
    await runner.cleanup()


@pytest.fixture
async def cluster(webhook):
    async with Cluster([]) as found:
        await found.apply(webhook.definition())
        await served(found, "boats")
        yield found


async def served(cluster, word):
    """Discovery has a word."""
    async with asyncio.timeout(60):
        while word not in str(await ask(cluster, "GET", "/apis/example.com/v2")):  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0)


async def ask(cluster, verb, path, tree=None, media="application/json", query=(), accept="application/json"):
    body = b"" if tree is None else json.dumps(tree).encode()
    headers = {"content-type": media, "accept": accept}
    answer = await cluster.handler.handle(Request(verb, path, list(query), headers, body, User()))
    return answer.status, json.loads(answer.body)


def boat(name="a", version=V1, **spec):
    return {"apiVersion": version, "kind": "Boat", "metadata": {"name": name}, "spec": spec}


async def make(cluster, *names, version=V1, **spec):
    for name in names:
        status, found = await ask(cluster, "POST", URL.format(version), boat(name, version, **spec))
        assert status == 201, found
    return found


async def test_a_version_that_is_not_stored_goes_in_and_out_through_the_webhook(cluster):
    made = await make(cluster, "a", version=V2, sailors=3)
    assert (made["apiVersion"], made["spec"]) == (V2, {"sailors": 3})
    for version, spec in ((V1, {"crew": 3}), (V2, {"sailors": 3})):
        status, found = await ask(cluster, "GET", URL.format(version) + "/a")
        assert (status, found["apiVersion"], found["spec"]) == (200, version, spec)


async def test_only_the_other_version_asks(cluster, webhook):
    await make(cluster, "a", crew=3)
    await ask(cluster, "GET", URL.format(V1))
    assert webhook.asked == []


async def test_a_list_is_converted_at_once(cluster, webhook):
    await make(cluster, "a", "b", "c", crew=3)
    _, found = await ask(cluster, "GET", URL.format(V2))
    assert [each["spec"] for each in found["items"]] == [{"sailors": 3}] * 3
    assert webhook.asked == [3]


async def test_a_table_has_the_columns_of_its_version(cluster):
    await make(cluster, "a", crew=3)
    _, found = await ask(cluster, "GET", URL.format(V2), accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert [row["cells"] for row in found["rows"]] == [["a", 3]]


async def test_metadata_alone_needs_no_webhook(cluster, webhook):
    await make(cluster, "a", crew=3)
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    _, found = await ask(cluster, "GET", URL.format(V2), accept=accept)
    assert (found["items"][0]["metadata"]["name"], webhook.asked) == ("a", [])


CHANGES = {
    "an update": ("PUT", boat(version=V2, sailors=5), "application/json", ()),
    "a merge patch": ("PATCH", {"spec": {"sailors": 5}}, "application/merge-patch+json", ()),
    "a JSON patch": (
        "PATCH",
        [{"op": "replace", "path": "/spec/sailors", "value": 5}],
        "application/json-patch+json",
        (),
    ),
    "an apply": (
        "PATCH",
        boat(version=V2, sailors=5),
        "application/apply-patch+yaml",
        (("fieldManager", "me"), ("force", "true")),
    ),
}


@pytest.mark.parametrize(("verb", "body", "media", "query"), CHANGES.values(), ids=CHANGES)
async def test_the_other_version_is_changed_by(cluster, verb, body, media, query):
    await make(cluster, "a", crew=3)
    status, found = await ask(cluster, verb, URL.format(V2) + "/a", body, media, query)
    assert (status, found["spec"]) == (200, {"sailors": 5}), found
    _, found = await ask(cluster, "GET", URL.format(V1) + "/a")
    assert found["spec"] == {"crew": 5}


async def test_labels_and_annotations_are_the_webhooks_to_change_the_rest_is_not(cluster, webhook):
    await make(cluster, "a", crew=3)
    _, found = await ask(cluster, "GET", URL.format(V2) + "/a")
    _, stored = await ask(cluster, "GET", URL.format(V1) + "/a")
    assert found["metadata"].pop("annotations") == {"was": V1}
    assert found["metadata"] == stored["metadata"]


async def test_a_made_up_name_needs_no_second_question(cluster, webhook):
    tree = boat(version=V2, sailors=3) | {"metadata": {"generateName": "a-"}}
    status, found = await ask(cluster, "POST", URL.format(V2), tree)
    assert (status, found["spec"], found["metadata"]["name"][:2]) == (201, {"sailors": 3}, "a-")


async def test_a_deletion_shows_the_object_in_its_version(cluster):
    tree = boat(crew=3)
    tree["metadata"]["finalizers"] = ["example.com/held"]
    await ask(cluster, "POST", URL.format(V1), tree)
    status, found = await ask(cluster, "DELETE", URL.format(V2) + "/a")
    assert (status, found["spec"]) == (200, {"sailors": 3})


async def test_a_watch_is_converted(cluster):
    await make(cluster, "a", crew=3)
    query = [("watch", "true"), ("resourceVersion", "0")]
    answer = await cluster.handler.handle(Request("GET", URL.format(V2), query, {}, b"", User()))
    line = json.loads(await anext(answer.stream))
    await answer.stream.aclose()
    assert (line["type"], line["object"]["spec"]) == ("ADDED", {"sailors": 3})


FAILURES = {
    "it refuses": ({"result": {"status": "Failure", "message": "no"}}, "no"),
    "it answers another": ({"uid": "x"}, 'expected response.uid="'),
    "it loses objects": ({"convertedObjects": []}, "returned 0 objects, expected 1"),
    "it does not convert": (
        {"convertedObjects": [boat(crew=3)]},
        f"returned invalid converted object at index 0: invalid groupVersion (expected {V2}, received {V1})",
    ),
    "it renames": (
        {"convertedObjects": [boat("b", V2, sailors=3)]},
        "returned invalid converted object at index 0: name must be a, not b",
    ),
}


@pytest.mark.parametrize(("twist", "why"), FAILURES.values(), ids=FAILURES)
async def test_a_webhook_fails_when(cluster, webhook, twist, why):
    await make(cluster, "a", crew=3)
    webhook.twist = lambda response: response | twist
    for path in (URL.format(V2), URL.format(V2) + "/a"):
        status, found = await ask(cluster, "GET", path)
        assert status == 500
        assert found["message"].startswith(f"conversion webhook for {V1}, Kind=Boat failed: {why}")


async def test_a_watch_tells_of_a_failing_webhook_and_ends(cluster, webhook):
    await make(cluster, "a", crew=3)
    webhook.twist = lambda response: {}
    query = [("watch", "true"), ("resourceVersion", "0")]
    answer = await cluster.handler.handle(Request("GET", URL.format(V2), query, {}, b"", User()))
    lines = [json.loads(piece) async for piece in answer.stream]
    assert [(line["type"], line["object"]["code"]) for line in lines] == [("ERROR", 500)]


async def test_what_is_stored_stays_readable_when_another_version_is_to_be_stored(cluster, webhook):
    await make(cluster, "a", crew=3)
    names = {"plural": "boats", "singular": "boat", "kind": "Boat", "listKind": "BoatList", "shortNames": ["newer"]}
    await cluster.apply(webhook.definition(stored="v2", names=names))
    await served(cluster, "newer")
    for version, spec in ((V1, {"crew": 3}), (V2, {"sailors": 3})):
        _, found = await ask(cluster, "GET", URL.format(version) + "/a")
        assert found["spec"] == spec
