"""Whatever is written, a client that lists, watches and resumes ends up with what a list says."""

import random

import pytest

from knarr.meta.errors import ApiError
from tests.unit.registry.conftest import K, a_config

SELECTIONS = [
    {},
    {"namespace": "a"},
    {"labels": "n=1"},
    {"labels": "n in (0,1),!gone"},
    {"namespace": "b", "labels": "n!=1"},
    {"fields": "metadata.name=x1"},
    {"namespace": "a", "fields": "metadata.name!=x1"},
]


class Client:
    """Folds a watch's items into a state, and checks that each item fits it."""

    def __init__(self, registry, selection):
        self.registry, self.selection = registry, dict(selection)
        self.namespace = self.selection.pop("namespace", "")
        self.state, self.revision, self.watch = {}, 0, None

    async def begin(self):
        page = await self.registry.list(K.ConfigMap, self.namespace, **self.selection)
        self.state = {(e.namespace, e.name): e.raw for e in page.entries}
        self.revision = page.revision
        self.resume()

    def resume(self):
        self.watch = self.registry.watch(
            K.ConfigMap, self.namespace, **self.selection, resource_version=str(self.revision)
        )

    async def catch_up(self):
        self.watch.close()
        for item in await self.watch.batch():
            key = item.entry.namespace, item.entry.name
            assert item.revision > self.revision
            assert (key in self.state) is (item.type != "ADDED")
            self.revision = item.revision
            self.state.pop(key, None)
            if item.type != "DELETED":
                self.state[key] = item.raw
        self.resume()

    async def agrees(self):
        page = await self.registry.list(K.ConfigMap, self.namespace, **self.selection)
        return self.state == {(e.namespace, e.name): e.raw for e in page.entries}


async def write(registry, rng):
    namespace, name = rng.choice("ab"), f"x{rng.randrange(4)}"
    labels = {"n": str(rng.randrange(3))} | ({"gone": "1"} if rng.random() < 0.2 else {})
    match rng.randrange(4):
        case 0:
            await registry.create(K.ConfigMap, namespace, a_config(name, labels=labels))
        case 1:
            await registry.update(K.ConfigMap, namespace, name, a_config(name, labels=labels))
        case 2:
            body = {"metadata": {"finalizers": rng.choice([None, ["a.b/c"]])}, "data": {"r": str(rng.random())}}
            await registry.patch(K.ConfigMap, namespace, name, "merge", body)
        case 3:
            await registry.delete(K.ConfigMap, namespace, name)


@pytest.mark.parametrize("seed", range(5))
async def test_watches_and_lists_agree(registry, seed):
    rng = random.Random(seed)
    clients = [Client(registry, selection) for selection in SELECTIONS]
    for client in clients:
        await client.begin()
    written = 0
    for _ in range(300):
        try:
            await write(registry, rng)
            written += 1
        except ApiError:
            continue
        if rng.random() < 0.2:
            await rng.choice(clients).catch_up()
    assert written > 100
    for client in clients:
        await client.catch_up()
        assert await client.agrees(), client.selection
        client.watch.close()
