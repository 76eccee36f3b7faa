"""Which rules are loaded where, and when again."""

import asyncio

import pytest

from knarr.client.cache import Cache
from knarr.kinds.types.core_v1 import Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net import podnetwork, proxy
from knarr.net.plan import NetworkPlan

PLAN = NetworkPlan("knarr", 0)
WEB = Service(
    metadata=ObjectMeta(name="web", namespace="default", uid="1"),
    spec=ServiceSpec(clusterIP="10.96.0.20", ports=[ServicePort(name="http", port=80, protocol="TCP")]),
)


class FilledInformer:
    """Stands for an informer that has its whole collection."""

    def __init__(self):
        self.cache, self.listeners = Cache(), []

    def on_change(self, listener):
        self.listeners.append(listener)

    async def wait_synced(self):
        return

    def put(self, obj):
        old = self.cache.put(obj)
        for listener in self.listeners:
            listener(old, obj)


class FilledInformers:
    def __init__(self):
        self.by_type = {Service: FilledInformer(), EndpointSlice: FilledInformer()}

    def of(self, kind):
        return self.by_type[kind]


class Kernel:
    """Stands for nft: remembers what was loaded where, and may refuse once."""

    def __init__(self):
        self.nodes, self.loads, self.refuses, self.created = [0], [], False, True

    async def apply(self, text, place=""):
        self.loads.append((place, "10.96.0.20" in text))
        refused, self.refuses = self.refuses, False
        return not refused


@pytest.fixture
def kernel(monkeypatch):
    kernel = Kernel()
    monkeypatch.setattr(proxy, "apply", kernel.apply)
    monkeypatch.setattr(podnetwork, "is_created", lambda plan: kernel.created)
    monkeypatch.setattr(podnetwork, "node_numbers", lambda plan: kernel.nodes)
    monkeypatch.setattr(proxy.shutil, "which", lambda name: name)
    return kernel


NODE = "knarr-knarr-knarr-0"


async def test_the_host_and_each_node_get_the_rules_once(kernel):
    loading = proxy.ServiceProxy(FilledInformers(), PLAN)
    for _ in range(2):
        await loading.load()
    assert kernel.loads == [("", False), (NODE, False)]


async def test_no_rule_is_there_before_the_routes(kernel):
    loading = proxy.ServiceProxy(FilledInformers(), PLAN)
    kernel.created = False
    await loading.load()
    assert kernel.loads == []
    kernel.created = True
    await loading.load()
    assert kernel.loads == [("", False), (NODE, False)]


async def test_a_node_that_comes_later_gets_them_then(kernel):
    loading = proxy.ServiceProxy(FilledInformers(), PLAN)
    await loading.load()
    kernel.nodes, kernel.loads = [0, 1], []
    await loading.load()
    assert kernel.loads == [("knarr-knarr-knarr-1", False)]


async def test_a_refused_load_is_tried_again(kernel):
    loading = proxy.ServiceProxy(FilledInformers(), PLAN)
    kernel.refuses = True
    await loading.load()
    kernel.loads = []
    await loading.load()
    assert kernel.loads == [("", False)]


async def test_a_change_reaches_everybody(kernel):
    informers = FilledInformers()
    running = asyncio.create_task(proxy.ServiceProxy(informers, PLAN).run())
    async with asyncio.timeout(5):
        while len(kernel.loads) < 2:  # noqa: ASYNC110 the stand-in tells nobody
            await asyncio.sleep(0)
        informers.of(Service).put(WEB)
        while len(kernel.loads) < 4:  # noqa: ASYNC110 the stand-in tells nobody
            await asyncio.sleep(0.001)
    running.cancel()
    assert kernel.loads[2:] == [("", True), (NODE, True)]


async def test_without_nft_it_ends_and_says_so(kernel, monkeypatch, caplog):
    monkeypatch.setattr(proxy.shutil, "which", lambda name: None)
    await proxy.ServiceProxy(FilledInformers(), PLAN).run()
    assert "nft is not installed" in caplog.text
    assert kernel.loads == []
