"""Bodies that mean harm: each is refused with a Status, in bounded time, and nothing is written.

`seeds/` holds one body a file, by encoding; what fuzzing finds is added there.
"""

import asyncio
import base64
import gzip
import random
import time
import tracemalloc
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knarr.client.transport import Request, User
from knarr.kinds.decode import decode_json, decode_yaml
from knarr.meta.errors import BadRequest
from knarr.server.protobuf import answers
from knarr.testing.cluster import Cluster

SEEDS = Path(__file__).parent / "seeds"
TYPES = {
    "json": "application/json",
    "yaml": "application/yaml",
    "protobuf": "application/vnd.kubernetes.protobuf",
}
FILES = {f"{path.parent.name} {path.stem}": path for path in sorted(SEEDS.glob("*/*.bin"))}
CONFIGS = "/api/v1/namespaces/default/configmaps"
PATHS = {
    "a pod": ("POST", "/api/v1/namespaces/default/pods"),
    "a deployment": ("POST", "/apis/apps/v1/namespaces/default/deployments"),
    "a review": ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
    "a binding": ("POST", "/api/v1/namespaces/default/pods/none/binding"),
    "an eviction": ("POST", "/api/v1/namespaces/default/pods/none/eviction"),
    "a token": ("POST", "/api/v1/namespaces/default/serviceaccounts/none/token"),
    "an ephemeral container": ("PUT", "/api/v1/namespaces/default/pods/none/ephemeralcontainers"),
    "a scale": ("PUT", "/apis/apps/v1/namespaces/default/deployments/none/scale"),
    "options of a delete": ("DELETE", "/api/v1/namespaces/default/configmaps/none"),
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "UPPER", "labels": {"a": "b"}},
    "spec": {
        "containers": [
            {"name": "c", "image": "i", "ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "1"}}}
        ],
        "volumes": [{"name": "v", "configMap": {"name": "x"}}],
    },
}
GROWTH = 64 * 1024 * 1024  #: bytes of memory that one small body may take
SECONDS = 5.0  #: of the processor that one small body may take; on a busy machine it takes milliseconds


class Server:
    """A server, and a loop that runs while it is asked."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.cluster = self.runner.run(Cluster([]).__aenter__())

    def ask(self, method, path, content, body, query=()):
        headers = {"content-type": content, "user-agent": "test"}
        request = Request(method, path, list(query), headers, body, User())
        return self.runner.run(self.cluster.handler.handle(request))

    def close(self):
        self.runner.run(self.cluster.__aexit__(None, None, None))
        self.runner.close()


@pytest.fixture(scope="module")
def server():
    made = Server()
    yield made
    made.close()


def unbroken(answer):
    """Whether the server kept its countenance; an answer without a reason is one that upstream too gives as 500."""
    return answer.status < 500 or b'"reason"' not in answer.body


def refused(server, method, path, content, body, query=()):
    """The Status that a body gets; whatever it is, nothing was written."""
    before = server.cluster.registry.revision
    answer = server.ask(method, path, content, body, query)
    found = msgspec.json.decode(answer.body)
    assert 400 <= answer.status < 500, (answer.status, found, body[:200])
    assert found["kind"] == "Status"
    assert found["message"]
    assert server.cluster.registry.revision == before
    return found


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_a_saved_body_is_refused(server, path):
    began = time.process_time()
    refused(server, "POST", CONFIGS, TYPES[path.parent.name], path.read_bytes())
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize(("method", "path"), PATHS.values(), ids=PATHS)
def test_saved_bodies_are_refused_wherever_they_go(server, method, path):
    for file in FILES.values():
        if file.stem == "empty" and method == "DELETE":
            continue
        answer = server.ask(method, path, TYPES[file.parent.name], file.read_bytes(), [("dryRun", "All")])
        assert unbroken(answer), (file, answer.body)


@pytest.mark.parametrize(
    "content",
    [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ],
)
def test_saved_bodies_are_refused_as_patches(server, content):
    server.ask("POST", CONFIGS, TYPES["json"], b'{"metadata":{"name":"here"}}')
    for file in FILES.values():
        query = [("dryRun", "All"), *([("fieldManager", "m")] if "apply" in content else [])]
        answer = server.ask("PATCH", f"{CONFIGS}/here", content, file.read_bytes(), query)
        assert unbroken(answer), (file, answer.body)


def mutated(body, rng):
    """A body with a few of its bytes changed, moved, doubled or gone."""
    out = bytearray(body)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(5):
            case 0 if at < len(out):
                out[at] = rng.randrange(256)
            case 1:
                out[at:at] = rng.randbytes(rng.randint(1, 4))
            case 2:
                del out[at : at + rng.randint(1, 8)]
            case 3:
                out[at:at] = out[at : at + rng.randint(1, 40)]
            case _:
                out[at:at] = rng.choice(
                    [b"{", b"[", b'"', b"\xff", b"\x00", b"*a", b"&a ", b"<<: ", b"\x12\x7f", b"1e9"]
                )
    return bytes(out)


POD_JSON = msgspec.json.encode(POD)
BODIES = {
    "json": POD_JSON,
    "yaml": yaml.safe_dump(POD).encode(),
    "protobuf": answers.encode(POD_JSON),
}


@pytest.mark.parametrize("encoding", TYPES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**40))
def test_a_damaged_pod_never_breaks_the_server(server, encoding, seed):
    body = mutated(BODIES[encoding], random.Random(seed))
    answer = server.ask("POST", "/api/v1/namespaces/default/pods", TYPES[encoding], body, [("dryRun", "All")])
    assert unbroken(answer), (answer.body, base64.b64encode(body))


@pytest.mark.parametrize("encoding", TYPES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**40))
def test_a_damaged_seed_never_breaks_the_server(server, encoding, seed):
    rng = random.Random(seed)
    file = rng.choice([file for file in FILES.values() if file.parent.name == encoding])
    body = mutated(file.read_bytes()[:2000], rng)
    answer = server.ask("POST", CONFIGS, TYPES[encoding], body, [("dryRun", "All")])
    assert unbroken(answer), (answer.body, base64.b64encode(body))


@pytest.mark.parametrize(("name", "decode"), [("json", decode_json), ("yaml", decode_yaml)])
def test_a_saved_body_takes_little_memory(name, decode):
    for file in (file for file in FILES.values() if file.parent.name == name):
        body = file.read_bytes()
        tracemalloc.start()
        try:
            decode(body)
        except BadRequest:
            pass
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < GROWTH, file


def test_a_gzipped_body_is_no_json(server):
    refused(server, "POST", CONFIGS, TYPES["json"], gzip.compress(b'{"metadata":{"name":"x"}}'))
