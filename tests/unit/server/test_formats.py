"""One cluster asked in every form: objects, lists, watches, discovery and errors."""

import asyncio
import struct

import msgspec
import pytest
import yaml

from knarr.client.transport import Request, User
from knarr.kinds import yaml_text
from knarr.server import watches
from knarr.server.protobuf import answers, read
from knarr.testing.cluster import Cluster
from tests.unit.server import independent_codec

PROTOBUF = "application/vnd.kubernetes.protobuf"
CONFIGS = "/api/v1/namespaces/default/configmaps"
UNKNOWN = "k8s.io.apimachinery.pkg.runtime.Unknown"


@pytest.fixture
async def cluster():
    async with Cluster([]) as made:
        yield made


async def ask(cluster, path, accept="", *, method="GET", body=b"", query=(), content="application/json", **headers):
    sent = {"accept": accept, "content-type": content, "user-agent": "test", **headers}
    return await cluster.handler.handle(Request(method, path, list(query), sent, body, User()))


async def config(cluster, name="x", size=1):
    body = msgspec.json.encode({"metadata": {"name": name}, "data": {"a": "b" * size}})
    answer = await ask(cluster, CONFIGS, method="POST", body=body)
    assert answer.status == 201, answer.body
    return msgspec.json.decode(answer.body)


def opened(answer):
    """The kind and the message of an answer."""
    assert answer.headers["content-type"] == PROTOBUF
    envelope = independent_codec.message(UNKNOWN, answer.body[4:])
    return envelope.typeMeta.kind, envelope.raw


async def test_an_object_is_the_same_in_every_form(cluster):
    made = await config(cluster)
    as_protobuf = await ask(cluster, f"{CONFIGS}/x", PROTOBUF)
    as_yaml = await ask(cluster, f"{CONFIGS}/x", "application/yaml")
    assert read.read(as_protobuf.body, "ConfigMap") == made
    assert as_yaml.headers["content-type"] == "application/yaml"
    assert yaml_text.load(as_yaml.body.decode(), 100) == (made, [])


async def test_an_object_is_written_and_answered_in_protobuf(cluster):
    tree = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x"}, "data": {"a": "b"}}
    body = answers.encode(msgspec.json.encode(tree))
    answer = await ask(cluster, CONFIGS, f"{PROTOBUF}, */*", method="POST", body=body, content=PROTOBUF)
    assert answer.status == 201
    assert read.read(answer.body, "ConfigMap")["data"] == {"a": "b"}


@pytest.mark.parametrize("accept", [PROTOBUF, "application/yaml"])
async def test_a_list_in_another_form(cluster, accept):
    await config(cluster, "a")
    await config(cluster, "b")
    answer = await ask(cluster, CONFIGS, accept)
    if accept == PROTOBUF:
        kind, raw = opened(answer)
        found = independent_codec.message("k8s.io.api.core.v1.ConfigMapList", raw)
        assert (kind, [item.metadata.name for item in found.items]) == ("ConfigMapList", ["a", "b"])
    else:
        assert [item["metadata"]["name"] for item in yaml.safe_load(answer.body)["items"]] == ["a", "b"]


async def test_metadata_alone(cluster):
    await config(cluster)
    accept = f"{PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    kind, raw = opened(await ask(cluster, CONFIGS, accept))
    found = independent_codec.message("k8s.io.apimachinery.pkg.apis.meta.v1." + kind, raw)
    assert [item.metadata.name for item in found.items] == ["x"]


@pytest.mark.parametrize("accept", [PROTOBUF, "application/yaml"])
async def test_an_error_is_told_in_the_form_asked_for(cluster, accept):
    answer = await ask(cluster, f"{CONFIGS}/none", accept)
    assert (answer.status, answer.headers["content-type"]) == (404, accept)
    if accept == PROTOBUF:
        found = independent_codec.message("k8s.io.apimachinery.pkg.apis.meta.v1.Status", opened(answer)[1])
        assert (found.code, found.reason, found.details.name) == (404, "NotFound", "none")
    else:
        assert yaml.safe_load(answer.body)["reason"] == "NotFound"


async def test_who_takes_nothing_that_is_served_is_told_so_in_json(cluster):
    answer = await ask(cluster, CONFIGS, "text/html")
    found = msgspec.json.decode(answer.body)
    assert (answer.status, found["reason"]) == (406, "NotAcceptable")


@pytest.mark.parametrize(("accept", "code"), [(PROTOBUF, 406), (f"{PROTOBUF},application/json", 200)])
async def test_a_kind_without_numbers_is_json_or_nothing(cluster, accept, code):
    answer = await ask(cluster, "/apis/resource.k8s.io/v1/deviceclasses", accept)
    assert (answer.status, answer.headers["content-type"]) == (code, "application/json" if code == 200 else PROTOBUF)


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1"])
async def test_discovery_in_protobuf(cluster, path):
    kind, raw = opened(await ask(cluster, path, PROTOBUF))
    found = independent_codec.message("k8s.io.apimachinery.pkg.apis.meta.v1." + kind, raw)
    assert found.ListFields()


async def test_versions_and_paths_are_always_json(cluster):
    for path in ("/version", "/"):
        assert (await ask(cluster, path, PROTOBUF)).headers["content-type"] == "application/json"


async def frames(stream):
    """The events of a watch in protobuf."""
    buffer = b""
    async for piece in stream:
        buffer += piece
        while len(buffer) >= 4 and len(buffer) >= 4 + (size := struct.unpack(">I", buffer[:4])[0]):
            event = independent_codec.message("k8s.io.apimachinery.pkg.apis.meta.v1.WatchEvent", buffer[4 : 4 + size])
            yield event.type, read.read(event.object.raw, "")
            buffer = buffer[4 + size :]


async def watch(cluster, accept=f"{PROTOBUF};stream=watch", **query):
    answer = await ask(cluster, CONFIGS, accept, query=[("watch", "1"), *query.items()])
    return answer, frames(answer.stream)


async def test_a_watch_in_protobuf(cluster):
    made = await config(cluster)
    answer, events = await watch(cluster)
    assert answer.headers["content-type"] == f"{PROTOBUF};stream=watch"
    assert await anext(events) == ("ADDED", made)
    await ask(cluster, f"{CONFIGS}/x", method="DELETE")
    kind, last = await anext(events)
    assert (kind, last["metadata"]["name"]) == ("DELETED", "x")
    await events.aclose()


async def test_a_watch_that_is_too_old_ends_in_a_status(cluster):
    cluster.registry.resource(cluster.registry.kinds.by_kind("", "v1", "ConfigMap")).floor = 1 << 40
    _, events = await watch(cluster, resourceVersion="1")
    kind, found = await anext(events)
    assert (kind, found["kind"], found["code"]) == ("ERROR", "Status", 410)


async def test_a_watch_event_is_encoded_once_for_all_who_watch(cluster, monkeypatch):
    encoded = []

    def counted(type_, raw):
        encoded.append(type_)
        return answers.encode(raw)

    monkeypatch.setattr(watches.answers, "event", counted)
    streams = [(await watch(cluster))[0].stream for _ in range(5)]
    waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await config(cluster, "shared")
    assert len(set(await asyncio.gather(*waiting))) == 1
    assert encoded == ["ADDED"]
    for stream in streams:
        await stream.aclose()


@pytest.mark.parametrize("accept", [PROTOBUF, "application/yaml", "application/json"])
async def test_a_large_answer_is_written_while_others_are_served(cluster, accept, monkeypatch):
    threads = []

    async def in_thread(work):
        threads.append(accept)
        return work()

    monkeypatch.setattr(asyncio, "to_thread", in_thread)
    await config(cluster, "large", size=200_000)
    answer = await ask(cluster, CONFIGS, accept, **{"accept-encoding": "gzip"})
    assert (threads, answer.headers["content-encoding"]) == ([accept], "gzip")
    await ask(cluster, f"{CONFIGS}/none", accept)
    assert len(threads) == 1


PODS = "/api/v1/namespaces/default/pods"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "image": "i"}], "serviceAccountName": "default"},
}
REVIEW = {
    "apiVersion": "authorization.k8s.io/v1",
    "kind": "SubjectAccessReview",
    "spec": {
        "user": "u",
        "extra": {"k": ["a", "b"]},
        "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"},
    },
}
SCALE = {
    "apiVersion": "autoscaling/v1",
    "kind": "Scale",
    "metadata": {"name": "d", "namespace": "default"},
    "spec": {"replicas": 3},
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    },
}
BINDING = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
EVICTION = {
    "apiVersion": "policy/v1",
    "kind": "Eviction",
    "metadata": {"name": "p"},
    "deleteOptions": {"gracePeriodSeconds": 0, "preconditions": {"uid": "wrong"}},
}
EPHEMERAL = {"spec": {"ephemeralContainers": [{"name": "e", "image": "i", "targetContainerName": "c"}]}}
WRITES = {
    "a review": ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", REVIEW, 201, "SubjectAccessReview"),
    "a scale": ("PUT", "/apis/apps/v1/namespaces/default/deployments/d/scale", SCALE, 200, "Scale"),
    "a binding": ("POST", f"{PODS}/p/binding", BINDING, 201, "Status"),
    "an eviction": ("POST", f"{PODS}/p/eviction", EVICTION, 409, "Status"),
    "options of a delete": (
        "DELETE",
        f"{PODS}/p",
        {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "wrong"}},
        409,
        "Status",
    ),
    "a status": ("PUT", f"{PODS}/p/status", {"status": {"phase": "Running", "message": "m"}}, 200, "Pod"),
    "an ephemeral container": ("PUT", f"{PODS}/p/ephemeralcontainers", EPHEMERAL, 200, "Pod"),
}


@pytest.mark.parametrize(("method", "path", "tree", "code", "kind"), WRITES.values(), ids=WRITES)
async def test_bodies_of_subresources_in_protobuf(cluster, method, path, tree, code, kind):
    for where, made in ((PODS, POD), ("/apis/apps/v1/namespaces/default/deployments", DEPLOYMENT)):
        assert (await ask(cluster, where, method="POST", body=msgspec.json.encode(made))).status == 201
    if kind == "Pod":
        now = msgspec.json.decode((await ask(cluster, f"{PODS}/p")).body)
        tree = {**now, **{key: {**now[key], **value} for key, value in tree.items()}}
    body = answers.encode(msgspec.json.encode(tree))
    answer = await ask(cluster, path, PROTOBUF, method=method, body=body, content=PROTOBUF)
    found = read.read(answer.body, kind)
    assert (answer.status, found["kind"]) == (code, kind), found
    if kind == "SubjectAccessReview":
        assert found["spec"]["extra"] == REVIEW["spec"]["extra"]
    elif kind == "Scale":
        assert found["spec"]["replicas"] == 3
    elif path.endswith("ephemeralcontainers"):
        assert found["spec"]["ephemeralContainers"][0]["targetContainerName"] == "c"
    elif path.endswith("status"):
        assert found["status"]["message"] == "m"


@pytest.mark.parametrize("path", [f"{PODS}/none/log", "/api/v1/namespaces/default/services/none/proxy/"])
async def test_streams_take_any_accept_header(cluster, path):
    assert (await ask(cluster, path, "text/plain")).status == 404


async def test_a_patch_is_no_protobuf(cluster):
    await config(cluster)
    answer = await ask(cluster, f"{CONFIGS}/x", method="PATCH", body=b"k8s\0", content=PROTOBUF)
    assert answer.status == 415


async def test_a_kind_without_numbers_does_not_come_in_protobuf(cluster):
    body = answers.envelope("resource.k8s.io/v1", "DeviceClass", b"")
    path = "/apis/resource.k8s.io/v1/deviceclasses"
    answer = await ask(cluster, path, method="POST", body=body, content=PROTOBUF)
    assert (answer.status, msgspec.json.decode(answer.body)["reason"]) == (415, "UnsupportedMediaType")


MERGE = "application/merge-patch+json"
TWICE = b'{"data":{"a":"1","a":"2"},"datta":{}}'
COMPLAINTS = ['duplicate field "data.a"', 'unknown field "datta"']


PATCHES = {
    MERGE: r"{\"data\":{\"a\":\"2\"},\"datta\":{}}",
    "application/strategic-merge-patch+json": "map[data:map[a:2] datta:map[]]",
}


@pytest.mark.parametrize("content", PATCHES)
async def test_a_patch_that_says_a_thing_twice_is_refused_or_warned_of(cluster, content):
    await config(cluster)
    query = [("fieldValidation", "Strict")]
    answer = await ask(cluster, f"{CONFIGS}/x", method="PATCH", body=TWICE, content=content, query=query)
    found = msgspec.json.decode(answer.body)
    assert (answer.status, found["reason"], found["details"]["causes"][0]["field"]) == (422, "Invalid", "patch")
    assert found["message"].startswith(f' "" is invalid: patch: Invalid value: "{PATCHES[content]}": strict decoding')
    assert "strict decoding error: " + ", ".join(COMPLAINTS) in found["message"]
    answer = await ask(cluster, f"{CONFIGS}/x", method="PATCH", body=TWICE, content=content)
    told = [text.replace('\\"', '"') for text in answer.headers["warning"].split("\n")]
    assert told == [f'299 - "{text}"' for text in COMPLAINTS]


async def test_what_is_wrong_with_a_body_is_told_in_its_order(cluster):
    body = b'{"metadata":{"name":"y","lables":{},"name":"z"},"datta":1,"data":{"a":"1","a":"2"}}'
    query = [("fieldValidation", "Strict")]
    answer = await ask(cluster, CONFIGS, method="POST", body=body, query=query)
    complaints = ['unknown field "metadata.lables"', 'duplicate field "metadata.name"']
    complaints += ['unknown field "datta"', 'duplicate field "data.a"']
    assert msgspec.json.decode(answer.body)["message"].endswith(f"strict decoding error: {', '.join(complaints)}")
