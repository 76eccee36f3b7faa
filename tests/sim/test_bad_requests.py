"""Whatever is sent of any kind, by any verb: never a 500, a refusal changes nothing and says where, why and what of.

An example takes a kind's good object (from the tables of its rules), puts a few fields out of place or gives it fields
that its type has, and sends that by one verb. `KNARR_EXAMPLES` is how many of each kind; examples follow from a fixed
seed.
"""

import asyncio
import copy
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from knarr.client.transport import Request, Response, User
from knarr.kinds.kind import Kind, Tree
from knarr.kinds.table import BUILTIN
from knarr.testing.cluster import Cluster
from tests.sim.test_bad_input import SCALARS, mutate
from tests.unit.kinds.test_rules import TABLES

EXAMPLES = int(os.environ.get("KNARR_EXAMPLES", "40"))
JSON = "application/json"
PATCHES = {
    "merge patch": "application/merge-patch+json",
    "strategic merge patch": "application/strategic-merge-patch+json",
    "JSON patch": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
VERBS = ("create", "update", *PATCHES)
KINDS = {f"{kind.kind} in {kind.api_version}": kind for kind in BUILTIN.all() if kind.view is None}


def grown(type_: msgspec.inspect.Type, rng: random.Random, depth: int = 3) -> Any:
    """Some value of a type, not always a sensible one."""
    match type_:
        case msgspec.inspect.UnionType(types=types):
            return grown(rng.choice(types), rng, depth)
        case msgspec.inspect.StructType(fields=fields):
            chosen = rng.sample(fields, min(len(fields), rng.randint(0, 3))) if depth else []
            return {field.encode_name: grown(field.type, rng, depth - 1) for field in chosen}
        case msgspec.inspect.ListType(item_type=item):
            return [grown(item, rng, depth - 1) for _ in range(rng.randint(0, 2))]
        case msgspec.inspect.DictType(value_type=value):
            keys = ("a", "app", "cpu", "storage", "", "a b", "example.com/x")
            return {rng.choice(keys): grown(value, rng, depth - 1) for _ in range(rng.randint(0, 2))}
        case msgspec.inspect.BoolType():
            return rng.random() < 0.5
        case msgspec.inspect.IntType():
            return rng.choice((0, 1, -1, 2, 80, 65536, 2**31 - 1, 2**31, 2**63 - 1))
        case msgspec.inspect.StrType():
            found = rng.choice(("", "a", "A b", "example.com/x", "1", "1Gi", "-1", "Always", "10.0.0.1", "x" * 300))
            return rng.choice((found, "2026-01-01T00:00:00Z", "AAAA"))
        case _:
            return copy.deepcopy(rng.choice(SCALARS))


def with_more(tree: Tree, type_: msgspec.inspect.Type, rng: random.Random) -> Tree:
    """A copy in which some object has another field of its type, or another value of one."""
    tree = copy.deepcopy(tree)
    here: Any = tree
    while True:
        if isinstance(type_, msgspec.inspect.UnionType):
            type_ = next(kind for kind in type_.types if not isinstance(kind, msgspec.inspect.NoneType))
        if isinstance(type_, msgspec.inspect.ListType) and isinstance(here, list) and here:
            here, type_ = rng.choice(here), type_.item_type
            continue
        if not isinstance(type_, msgspec.inspect.StructType) or not isinstance(here, dict):
            return tree
        field = rng.choice(type_.fields)
        if isinstance(here.get(field.encode_name), dict | list) and rng.random() < 0.8:
            here, type_ = here[field.encode_name], field.type
            continue
        here[field.encode_name] = grown(field.type, rng)
        return tree


def good(kind: Kind) -> Tree:
    tree: Tree = copy.deepcopy(TABLES[kind.kind.lower()].VALID)
    tree["metadata"].pop("namespace", None)
    if kind.kind == "Event":
        tree["involvedObject"]["namespace"] = "default"
    return tree


def spoiled(kind: Kind, rng: random.Random) -> Tree:
    tree = good(kind)
    if rng.random() < 0.5:
        return mutate(tree, rng)
    for _ in range(rng.randint(1, 3)):
        tree = with_more(tree, msgspec.inspect.type_info(kind.type), rng)
    return tree


def path(kind: Kind) -> str:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    return f"{root}/namespaces/default/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"


class Asker:
    """Sends what it is told to one kind's URLs."""

    def __init__(self, cluster: Cluster, kind: Kind) -> None:
        self.cluster, self.kind = cluster, kind
        self.good = good(kind)
        self.place = f"{path(kind)}/{self.good['metadata']['name']}"

    async def send(self, method: str, path: str, body: Any = None, type_: str = JSON, **query: str) -> Response:
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": type_, "accept": JSON, "user-agent": "test"}
        return await self.cluster.handler.handle(Request(method, path, list(query.items()), headers, data, User()))

    async def restore(self) -> None:
        """Have the good object, and nothing else of the kind that a test made."""
        await self.clear(self.place)
        created = await self.send("POST", path(self.kind), self.good)
        assert created.status == 201, created.body

    async def clear(self, place: str) -> None:
        await self.send("DELETE", place, gracePeriodSeconds="0")
        if (await self.send("GET", place)).status == 200:
            await self.send("PATCH", place, {"metadata": {"finalizers": None}}, PATCHES["merge patch"])
        if self.kind.kind == "Namespace" and (left := await self.send("GET", place)).status == 200:
            tree = json.loads(left.body)
            tree["spec"]["finalizers"] = []
            await self.send("PUT", f"{place}/finalize", tree)
        assert (await self.send("GET", place)).status == 404, f"{place} stays"

    async def example(self, rng: random.Random) -> None:
        verb = rng.choice(VERBS)
        query = {"fieldValidation": rng.choice(("Strict", "Warn", "Ignore"))}
        if rng.random() < 0.2:
            query["dryRun"] = "All"
        body: Any = spoiled(self.kind, rng)
        before = self.cluster.store.revision
        if verb == "create":
            body.setdefault("metadata", {})
            if isinstance(body["metadata"], dict) and body["metadata"].get("name") == self.good["metadata"]["name"]:
                query["dryRun"] = "All"  # it is there already
            response = await self.send("POST", path(self.kind), body, **query)
        else:
            place = self.place + rng.choice(("", "/status" if "status" in self.kind.subresources else ""))
            response = await self._change(verb, place, body, query, rng)
        said = f"{verb} {query} of {json.dumps(body)}: {response.status} {response.body.decode()}"
        assert response.status < 500, said
        if response.status >= 400:
            self._complains(verb, response, said)
        if response.status >= 400 or "dryRun" in query:
            assert self.cluster.store.revision == before, f"something was written: {said}"
        elif verb == "create":
            made = json.loads(response.body)["metadata"]
            await self.clear(f"{path(self.kind)}/{made['name']}")
        else:
            await self.restore()

    async def _change(self, verb: str, place: str, body: Any, query: dict[str, str], rng: random.Random) -> Response:
        if verb == "update":
            return await self.send("PUT", place, body, **query)
        if verb == "apply":
            query |= {"fieldManager": "me", "force": rng.choice(("true", "false"))}
        if verb == "JSON patch":
            steps = [
                {"op": rng.choice(("add", "replace", "test")), "path": f"/{key}", "value": body[key]} for key in body
            ]
            return await self.send("PATCH", place, rng.sample(steps, min(len(steps), 2)), PATCHES[verb], **query)
        return await self.send("PATCH", place, body, PATCHES[verb], **query)

    def _complains(self, verb: str, response: Response, said: str) -> None:
        status = json.loads(response.body)
        assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", response.status), said
        assert status["message"], said
        if response.status == 422 and status["reason"] == "Invalid":
            causes = status.get("details", {}).get("causes", [])
            assert causes or verb == "JSON patch", said  # one that does not apply has upstream's plain words
            assert all(cause["reason"] and cause["message"] and "field" in cause for cause in causes), said


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


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_any_request_is_carried_out_or_refused_with_a_reason(
    runner: asyncio.Runner, cluster: Cluster, kind: Kind
) -> None:
    async def check() -> None:
        asker = Asker(cluster, kind)
        await asker.restore()
        for number in range(EXAMPLES):
            await asker.example(random.Random(f"{kind.kind} {number}"))
        await asker.clear(asker.place)

    runner.run(check())
