"""Ten thousand random mutations of valid manifests: never a 500, and a refused request changes nothing.

Each example mutates one manifest in a few places and sends it as a create and as an update of the unmutated object.
Examples are derived from a fixed seed, so a failure is the same failure again, and hypothesis shrinks it.
"""

import asyncio
import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knarr.client.transport import Request, Response, User
from knarr.testing.cluster import Cluster

Tree = dict[str, Any]

EXAMPLES = 1700  #: of each manifest, so ten thousand in all
LABELS = {"app": "db"}
CONTAINER = {
    "name": "c",
    "image": "img:1",
    "ports": [{"containerPort": 80, "name": "web"}],
    "env": [{"name": "A", "value": "b"}],
    "resources": {"requests": {"cpu": "10m", "memory": "1Mi"}},
    "readinessProbe": {"httpGet": {"path": "/", "port": "web"}},
    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
}
POD_SPEC = {"containers": [CONTAINER], "volumes": [{"name": "data", "emptyDir": {}}]}
CLAIM_SPEC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
MANIFESTS: dict[str, Tree] = {
    "/api/v1/namespaces/default/pods": {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x", "labels": LABELS, "annotations": {"a.example.com/b": "c"}},
        "spec": POD_SPEC,
    },
    "/apis/apps/v1/namespaces/default/statefulsets": {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "x", "labels": LABELS},
        "spec": {
            "serviceName": "db",
            "replicas": 3,
            "minReadySeconds": 1,
            "ordinals": {"start": 2},
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1, "maxUnavailable": "50%"}},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
            "selector": {"matchLabels": LABELS, "matchExpressions": [{"key": "app", "operator": "Exists"}]},
            "template": {"metadata": {"labels": LABELS}, "spec": POD_SPEC},
            "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": CLAIM_SPEC}],
        },
    },
    "/api/v1/namespaces/default/services": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x"},
        "spec": {"clusterIP": "None", "selector": LABELS, "ports": [{"name": "web", "port": 80, "targetPort": "web"}]},
    },
    "/api/v1/namespaces/default/persistentvolumeclaims": {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "x"},
        "spec": {**CLAIM_SPEC, "storageClassName": "local-path", "volumeMode": "Filesystem"},
    },
    "/api/v1/persistentvolumes": {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "x"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "nfs": {"server": "nfs.example.com", "path": "/exports"},
        },
    },
    "/api/v1/namespaces/default/configmaps": {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x"},
        "data": {"a": "b"},
        "binaryData": {"c": "AAAA"},
    },
}
UNKNOWN = ("unknownField", "spec", "metadata", "items", "$patch", "")
SCALARS: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, -(2**63), 1e300, 0.5, "", "x", "A_B", "a.b", " ", "1", "-1", "1Gi", "x%",
    "101%", "None", "Always", "\u0000", "é" * 300, "a" * 300, [], {}, [None], [[]], {"": ""}, {"x": {"y": []}}, "1.2.3",
    "$(X)",
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into a tree, its root aside."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [found for key in keys for found in [(*path, key), *places(value[key], (*path, key))]]


def mutate(tree: Tree, rng: random.Random) -> Tree:
    """A copy with one to three changes: a value replaced, removed, doubled or moved, or an unknown one added."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, 3)):
        known = places(tree)
        if not known:
            break
        *way, last = rng.choice(known)
        parent: Any = tree
        for key in way:
            parent = parent[key]
        change = rng.choice(("replace", "replace", "remove", "unknown", "copy", "double"))
        if change == "remove":
            del parent[last]
        elif change == "unknown" and isinstance(parent, dict):
            parent[rng.choice(UNKNOWN)] = copy.deepcopy(rng.choice(SCALARS))
        elif change == "double" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]))
        elif change == "copy":
            value: Any = tree
            for key in rng.choice(known):
                value = value[key] if isinstance(value, dict | list) and _has(value, key) else value
            parent[last] = copy.deepcopy(value)
        else:
            parent[last] = copy.deepcopy(rng.choice(SCALARS))
    return tree


def _has(value: dict[Any, Any] | list[Any], key: Any) -> bool:
    return key in value if isinstance(value, dict) else isinstance(key, int) and key < len(value)


async def send(cluster: Cluster, method: str, path: str, body: Tree | None = None, **query: str) -> Response:
    data = json.dumps(body).encode() if body is not None else b""
    headers = {"content-type": "application/json", "accept": "application/json"}
    return await cluster.handler.handle(Request(method, path, list(query.items()), headers, data, User()))


async def removed(cluster: Cluster, path: str) -> None:
    """Take away what is at the path, whatever keeps it."""
    await send(cluster, "DELETE", path, gracePeriodSeconds="0")
    if (await send(cluster, "GET", path)).status == 200:
        patch = Request("PATCH", path, [], {"content-type": "application/merge-patch+json"}, b"", User())
        patch.body = json.dumps({"metadata": {"finalizers": None}}).encode()
        await cluster.handler.handle(patch)


async def check(cluster: Cluster, base: str, manifest: Tree, rng: random.Random) -> tuple[int, int]:
    """One example; the codes of the create and of the update."""
    validation = rng.choice(("Strict", "Warn", "Ignore"))
    mutated, update = mutate(manifest, rng), mutate(manifest, rng)
    before = cluster.store.revision
    created = await send(cluster, "POST", base, mutated, fieldValidation=validation)
    assert created.status < 500, (mutated, created.body)
    if created.status >= 400:
        assert cluster.store.revision == before, f"refused with {created.status}, but something was written: {mutated}"
        assert json.loads(created.body)["kind"] == "Status"
    else:
        place = f"{base}/{json.loads(created.body)['metadata']['name']}"
        assert (await send(cluster, "GET", place)).body == created.body
        await removed(cluster, place)
    return created.status, await _update(cluster, base, manifest, update, validation)


async def _update(cluster: Cluster, base: str, manifest: Tree, update: Tree, validation: str) -> int:
    created = await send(cluster, "POST", base, manifest)
    assert created.status == 201, created.body
    place = f"{base}/x"
    try:
        updated = await send(cluster, "PUT", place, update, fieldValidation=validation)
        assert updated.status < 500, updated.body
        now = await send(cluster, "GET", place)
        if updated.status >= 400:
            assert now.body == created.body, f"refused with {updated.status}, but the object changed"
        return updated.status
    finally:
        await removed(cluster, place)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as found:
        yield found


@pytest.fixture(scope="module")
def cluster(runner: asyncio.Runner) -> Iterator[Cluster]:
    async def enter() -> Cluster:
        return await Cluster([]).__aenter__()

    found = runner.run(enter())
    yield found
    runner.run(found.__aexit__(None, None, None))


@pytest.mark.parametrize("base", MANIFESTS, ids=lambda base: base.rpartition("/")[2])
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(rng=st.randoms(use_true_random=False))
def test_a_mutated_manifest_is_taken_or_refused_and_never_breaks_the_server(
    runner: asyncio.Runner, cluster: Cluster, base: str, rng: random.Random
) -> None:
    runner.run(check(cluster, base, MANIFESTS[base], rng))
