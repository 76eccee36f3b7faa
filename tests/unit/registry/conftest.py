"""A registry over the memory store, with all built-in kinds and the namespace `ns`."""

from types import SimpleNamespace

import pytest

from knarr.kinds.table import BUILTIN
from knarr.registry.registry import Registry
from knarr.store.memory import open_memory

K = SimpleNamespace(
    **{kind.kind: kind for kind in BUILTIN.all() if kind.view is None},
)


@pytest.fixture
def kinds():
    return K


@pytest.fixture
async def store():
    made = await open_memory()
    yield made
    await made.close()


@pytest.fixture
async def registry(store):
    made = Registry(store, BUILTIN)
    await made.start()
    yield made
    await made.stop()


def a_config(name="x", **metadata):
    return {"metadata": {"name": name, **metadata}, "data": {"a": "1"}}


def a_pod(name="x", node="", **metadata):
    spec = {"containers": [{"name": "c", "image": "nginx:1.25"}]}
    if node:
        spec["nodeName"] = node
    return {"metadata": {"name": name, **metadata}, "spec": spec}


def a_service(name="x", **spec):
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], "selector": {"app": "x"}, **spec}}
