"""Which rules are loaded where, and when again."""

import asyncio
import contextlib

import pytest
from msgspec.structs import replace

from knarr.client.cache import Cache
from knarr.kinds.types.core_v1 import (
    Container,
    ContainerPort,
    LoadBalancerIngress,
    LoadBalancerStatus,
    Node,
    Pod,
    PodIP,
    PodSpec,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
)
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net import conntrack, elements, nft, podnetwork, proxy
from knarr.net.plan import NetworkPlan

PLAN = NetworkPlan("knarr", 0)
WEB = Service(
    metadata=ObjectMeta(name="web", namespace="default", uid="1"),
    spec=ServiceSpec(clusterIP="10.96.0.20", ports=[ServicePort(name="http", port=80, protocol="TCP")]),
)


SLICE = EndpointSlice(
    metadata=ObjectMeta(name="web", namespace="default", labels={"kubernetes.io/service-name": "web"}),
    addressType="IPv4",
    endpoints=[Endpoint(addresses=["10.244.0.7"])],
    ports=[EndpointPort(name="http", port=80, protocol="TCP")],
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
        self.tell(self.cache.put(obj), obj)

    def drop(self, namespace, name):
        self.tell(self.cache.drop((namespace, name)), None)

    def tell(self, old, new):
        for listener in self.listeners:
            listener(old, new)


class FilledInformers:
    def __init__(self):
        self.by_type = {kind: FilledInformer() for kind in (Service, EndpointSlice, Node, Pod)}
        self.of(EndpointSlice).cache.put(SLICE)

    def of(self, kind):
        return self.by_type[kind]


class Kernel:
    """Stands for nft and the routes: remembers what was loaded where, and may refuse once."""

    def __init__(self):
        self.nodes, self.loads, self.refuses, self.created, self.routes = [0], [], False, True, []
        self.flushed, self.has_tables = "", True
        self.poison = []  #: rules with any of these texts are never taken

    async def is_loaded(self, table, chain, place="", family=0):
        return place != self.flushed or not place

    async def load(self, text, place="", *, check=False):
        if not check:
            self.loads.append((place, kind_of(text)))
        refused, self.refuses = self.refuses, False
        return "Error: no" if refused or any(each in text for each in self.poison) else ""

    def load_elements(self, table, family, change, place=""):
        assert change.is_of_elements
        self.loads.append((place, kind_of(change.text())))
        refused, self.refuses = self.refuses, False
        return "no" if refused or any(each in change.text() for each in self.poison) else ""

    async def route(self, plan, number, family, new, old, *, anew=False):
        self.routes.append((number, sorted(new), sorted(old)))

    async def lead_from_loopback(self, plan, number):
        assert any(place == plan.node(number).namespace for place, _ in self.loads), "not before its rules are there"


def kind_of(text: str) -> str:
    """What a load is: "all" of a table or "part" of it, with the one service or without."""
    kind = "all" if text.startswith("table") else "part"
    return f"{kind} with web" if "10.96.0.20" in text and "delete element" not in text else kind


@pytest.fixture
def kernel(monkeypatch):
    kernel = Kernel()
    monkeypatch.setattr(nft, "load", kernel.load)
    monkeypatch.setattr(nft, "is_loaded", kernel.is_loaded)
    monkeypatch.setattr(nft, "is_installed", lambda: True)
    monkeypatch.setattr(nft, "has_table", lambda table, family, place: kernel.has_tables)
    monkeypatch.setattr(elements, "load", kernel.load_elements)
    monkeypatch.setattr(podnetwork, "is_created", lambda plan: kernel.created)
    monkeypatch.setattr(podnetwork, "node_numbers", lambda plan: kernel.nodes)
    monkeypatch.setattr(podnetwork, "route_services", kernel.route)
    monkeypatch.setattr(podnetwork, "lead_from_loopback", kernel.lead_from_loopback)
    monkeypatch.setattr(conntrack, "forget_stale", lambda *goals: pytest.fail("no UDP port is there"))
    return kernel


NODE = "knarr-knarr-knarr-0"


async def test_the_host_and_each_node_get_the_rules_once(kernel):
    loading = proxy.ServiceProxy(FilledInformers(), PLAN)
    for _ in range(2):
        await loading.load()
    assert kernel.loads == [("", "all"), (NODE, "all")]


async def test_no_rule_is_there_before_the_routes(kernel):
    loading = proxy.ServiceProxy(FilledInformers(), PLAN)
    kernel.created = False
    await loading.load()
    assert kernel.loads == []
    kernel.created = True
    await loading.load()
    assert kernel.loads == [("", "all"), (NODE, "all")]


async def test_a_node_that_comes_later_gets_them_then(kernel):
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    informers.of(Service).put(WEB)
    await loading.load()
    kernel.nodes, kernel.loads = [0, 1], []
    await loading.load()
    assert kernel.loads == [("knarr-knarr-knarr-1", "all with web")]


async def test_a_refused_load_is_tried_again_from_nothing(kernel):
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    await loading.load()
    informers.of(Service).put(WEB)
    kernel.refuses, kernel.loads = True, []
    await loading.load()
    assert sorted(kernel.loads) == [("", "all with web"), ("", "part with web"), (NODE, "part with web")]
    kernel.loads = []
    await loading.load()
    assert kernel.loads == []


async def test_rules_that_somebody_flushed_are_loaded_again(kernel):
    loading = proxy.ServiceProxy(FilledInformers(), PLAN)
    await loading.load()
    kernel.flushed = NODE
    await loading.load()
    assert kernel.loads[2:] == [(NODE, "all")]


async def test_a_change_is_loaded_alone_and_everywhere(kernel):
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    await loading.load()
    informers.of(Service).put(WEB)
    await loading.load()
    assert sorted(kernel.loads[2:]) == [("", "part with web"), (NODE, "part with web")]
    informers.of(Service).drop("default", "web")
    await loading.load()
    assert sorted(kernel.loads[4:]) == [("", "part"), (NODE, "part")]


async def test_where_no_table_is_an_empty_one_is_loaded_first_and_then_what_is_in_it(kernel):
    kernel.has_tables = False
    informers = FilledInformers()
    informers.of(Service).put(another("web", "192.0.2.7"))
    loading = proxy.ServiceProxy(informers, PLAN)
    await loading.load()
    node = [kind for place, kind in kernel.loads if place == NODE]
    assert node == ["all", "part", "part with web"], "chains come before what leads there"
    assert loading._places[NODE, "IPv4"].is_loaded


async def test_what_an_external_address_is_for_stays_on_the_nodes(kernel):
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    outside = replace(WEB, spec=replace(WEB.spec, externalIPs=["192.0.2.7", "172.30.0.9", "172.30.0.1", "10.96.0.3"]))
    informers.of(Service).put(outside)
    await loading.load()
    informers.of(Service).drop("default", "web")
    await loading.load()
    assert kernel.routes == [(0, ["192.0.2.7"], []), (0, [], ["192.0.2.7"])]


class Recorder:
    """Stands for the writer of events."""

    def __init__(self):
        self.said = []

    def named(self, component):
        return self

    def note(self, obj, type_, reason, message):
        self.said.append(f"{reason} {obj.metadata.name}: {message}")


async def test_an_address_that_is_the_clusters_own_is_told(kernel):
    informers, recorder = FilledInformers(), Recorder()
    loading = proxy.ServiceProxy(informers, PLAN, recorder)
    informers.of(Service).put(replace(WEB, spec=replace(WEB.spec, externalIPs=["192.0.2.7", "10.96.0.1"])))
    await loading.load()
    await loading.load()
    why = "external IP 10.96.0.1 is an address of the cluster itself and does not lead to this service"
    assert recorder.said == [f"ExternalIPNotProgrammed web: {why}"]


async def test_a_node_that_changes_its_zone_begins_anew(kernel):
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    await loading.load()
    labels = {"topology.kubernetes.io/zone": "east"}
    informers.of(Node).put(Node(metadata=ObjectMeta(name="knarr-0", labels=labels)))
    await loading.load()
    assert kernel.loads[2:] == [(NODE, "all")]


async def test_a_change_wakes_it(kernel):
    informers = FilledInformers()
    running = asyncio.create_task(proxy.ServiceProxy(informers, PLAN).run())
    async with asyncio.timeout(60):
        while len(kernel.loads) < 2:  # noqa: ASYNC110 the stand-in tells nobody
            await asyncio.sleep(0)
        informers.of(Service).put(WEB)
        while len(kernel.loads) < 4:  # noqa: ASYNC110 the stand-in tells nobody
            await asyncio.sleep(0.001)
    running.cancel()
    assert sorted(kernel.loads[2:]) == [("", "part with web"), (NODE, "part with web")]


async def test_without_nft_it_ends_and_says_so(kernel, monkeypatch, caplog):
    monkeypatch.setattr(nft, "is_loaded", kernel.is_loaded)
    monkeypatch.setattr(nft, "is_installed", lambda: False)
    await proxy.ServiceProxy(FilledInformers(), PLAN).run()
    assert "nft is not installed" in caplog.text
    assert kernel.loads == []


async def test_a_node_that_came_anew_under_its_name_gets_its_routes_again(kernel):
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    informers.of(Service).put(replace(WEB, spec=replace(WEB.spec, externalIPs=["192.0.2.7"])))
    await loading.load()
    kernel.flushed, kernel.routes = NODE, []
    await loading.load()
    assert kernel.routes == [(0, ["192.0.2.7"], [])]


async def test_a_service_that_cannot_be_understood_keeps_no_other_from_its_rules(kernel):
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    given = LoadBalancerStatus(ingress=[LoadBalancerIngress(ip="172.30.0.200")])
    balanced = {"type": "LoadBalancer", "loadBalancerSourceRanges": ["no range"], "externalIPs": ["010.0.0.1"]}
    odd = replace(
        WEB,
        metadata=replace(WEB.metadata, name="odd"),
        spec=replace(WEB.spec, clusterIP="10.96.0.21", **balanced),
        status=ServiceStatus(loadBalancer=given),
    )
    informers.of(Service).put(odd)
    informers.of(Service).put(WEB)
    await loading.load()
    assert kernel.loads == [("", "all with web"), (NODE, "all with web")]


def another(name, address):
    return replace(WEB, metadata=replace(WEB.metadata, name=name), spec=replace(WEB.spec, externalIPs=[address]))


async def test_one_service_that_nft_refuses_keeps_no_other_from_its_rules(kernel, monkeypatch):
    informers, recorder = FilledInformers(), Recorder()
    loading = proxy.ServiceProxy(informers, PLAN, recorder)
    kernel.poison = ["192.0.2.66"]
    informers.of(Service).put(WEB)
    informers.of(Service).put(another("bad", "192.0.2.66"))
    informers.of(Service).put(another("good", "192.0.2.5"))
    await loading.load()
    place = loading._places[NODE, "IPv4"]
    assert (place.is_loaded, sorted(name for _, name in place.table.parts)) == (True, ["good", "web"])
    why = "the rules of this service are refused, it has no addresses that work: Error: no"
    assert recorder.said == [f"RulesRefused bad: {why}"]
    kernel.loads = []
    informers.of(Service).put(another("good", "192.0.2.6"))
    await loading.load()
    assert (NODE, "part") in kernel.loads, "what is held back makes no load whole again"


async def test_a_service_that_was_refused_is_tried_again_when_it_is_another(kernel):
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    kernel.poison = ["192.0.2.66"]
    informers.of(Service).put(another("bad", "192.0.2.66"))
    await loading.load()
    informers.of(Service).put(another("bad", "192.0.2.7"))
    await loading.load()
    assert [name for _, name in loading._places[NODE, "IPv4"].table.parts] == ["bad"]


async def test_a_service_that_was_refused_is_tried_again_by_itself(kernel, monkeypatch):
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    kernel.poison = ["192.0.2.66"]
    informers.of(Service).put(another("bad", "192.0.2.66"))
    await loading.load()
    kernel.poison = []
    await loading.load()
    assert not loading._places[NODE, "IPv4"].table.parts, "not before its time"
    monkeypatch.setattr("knarr.loop.backoff.Backoff.left", lambda self, key: 0.0)
    await loading.load()
    assert [name for _, name in loading._places[NODE, "IPv4"].table.parts] == ["bad"]


async def test_when_nothing_can_be_loaded_at_all_no_service_is_to_blame(kernel):
    informers, recorder = FilledInformers(), Recorder()
    loading = proxy.ServiceProxy(informers, PLAN, recorder)
    kernel.poison = ["chain"]
    informers.of(Service).put(WEB)
    await loading.load()
    assert (loading._places[NODE, "IPv4"].is_loaded, recorder.said) == (False, [])


async def test_each_place_has_rules_of_both_families_and_one_refused_holds_only_its_own(kernel):
    plan = NetworkPlan("knarr", 0, service_cidr="10.96.0.0/16,fd00:10:96::/112")
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, plan)
    informers.of(Service).put(replace(WEB, spec=replace(WEB.spec, externalIPs=["192.0.2.7", "2001:db8::7"])))
    kernel.poison = ["2001:db8::7"]
    await loading.load()
    assert {key: len(place.table.parts) for key, place in loading._places.items()} == {
        ("", "IPv4"): 1,
        ("", "IPv6"): 0,
        (NODE, "IPv4"): 1,
        (NODE, "IPv6"): 0,
    }
    assert sorted(new for _, new, _ in kernel.routes) == [["192.0.2.7"], ["2001:db8::7"]]


def a_pod(node="knarr-0", port=8000, **status):
    ports = [ContainerPort(containerPort=80, hostPort=port, protocol="TCP")]
    spec = PodSpec(nodeName=node, containers=[Container(name="c", image="i", ports=ports)])
    status = {"podIPs": [PodIP(ip="10.244.0.9")], "podIP": "10.244.0.9", **status}
    return Pod(metadata=ObjectMeta(name="web", namespace="default"), spec=spec, status=PodStatus(**status))


def opened(loading):
    """Which ports lead to pods on the node."""
    parts = loading._places[NODE, "IPv4"].table.parts.values()
    return {key: goal for part in parts for (into, key), goal in part.elements.items() if into == "host-ports"}


async def test_host_ports_follow_the_pod(kernel):
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    pods = informers.of(Pod)
    story = [
        ("there is no address yet", a_pod(podIPs=[]), {}),
        ("it has one", a_pod(phase="Running"), {"6 . 8000": "10.244.0.9 . 80"}),
        ("it has another", a_pod(podIPs=[PodIP(ip="10.244.0.10")]), {"6 . 8000": "10.244.0.10 . 80"}),
        ("it is over", a_pod(phase="Succeeded"), {}),
        ("it runs elsewhere", a_pod(node="knarr-1"), {}),
    ]
    for what, pod, expected in story:
        pods.put(pod)
        await loading.load()
        assert opened(loading) == expected, what
    pods.put(a_pod())
    await loading.load()
    pods.drop("default", "web")
    await loading.load()
    assert opened(loading) == {}


async def test_host_ports_are_put_back_with_everything_else(kernel):
    informers = FilledInformers()
    informers.of(Pod).put(a_pod())
    await proxy.ServiceProxy(informers, PLAN).load()
    again = proxy.ServiceProxy(informers, PLAN)
    await again.load()
    kernel.flushed, kernel.loads = NODE, []
    await again.load()
    assert (kernel.loads, opened(again)) == ([(NODE, "all")], {"6 . 8000": "10.244.0.9 . 80"})


async def test_a_pod_that_changes_otherwise_loads_nothing(kernel):
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    informers.of(Pod).put(a_pod())
    await loading.load()
    kernel.loads = []
    informers.of(Pod).put(a_pod(phase="Running"))
    await loading.load()
    assert kernel.loads == []


async def test_the_port_of_the_nodes_agent_is_no_pods(kernel):
    informers, recorder = FilledInformers(), Recorder()
    loading = proxy.ServiceProxy(informers, PLAN, recorder)
    informers.of(Pod).put(a_pod(port=10250))
    await loading.load()
    why = "host port 10250/TCP is that of the node's agent and does not lead to this pod"
    assert (opened(loading), recorder.said) == ({}, [f"HostPortNotProgrammed web: {why}"])


async def test_a_pod_whose_host_ports_nft_refuses_is_told_and_nobody_else_suffers(kernel):
    informers, recorder = FilledInformers(), Recorder()
    loading = proxy.ServiceProxy(informers, PLAN, recorder)
    informers.of(Service).put(WEB)
    informers.of(Pod).put(a_pod())
    kernel.poison = ["6 . 8000"]
    await loading.load()
    assert loading._places[NODE, "IPv4"].is_loaded
    assert recorder.said == [
        "RulesRefused web: the rules of this pod are refused, its host ports do not work: Error: no"
    ]


async def test_what_was_sent_to_a_node_port_before_there_was_one_is_forgotten(kernel, monkeypatch):
    forgotten = []
    monkeypatch.setattr(conntrack, "forget_stale", lambda goals, ports, family: forgotten.append((goals, ports)))
    monkeypatch.setattr("knarr.net.namespace.inside", lambda space: contextlib.nullcontext())
    informers = FilledInformers()
    loading = proxy.ServiceProxy(informers, PLAN)
    await loading.load()
    port = ServicePort(name="http", port=53, protocol="UDP", nodePort=30053)
    informers.of(EndpointSlice).put(replace(SLICE, ports=[EndpointPort(name="http", port=53, protocol="UDP")]))
    informers.of(Service).put(replace(WEB, spec=replace(WEB.spec, type="NodePort", ports=[port])))
    await loading.load()
    used = frozenset({("10.244.0.7", 53)})
    inside = {("10.96.0.20", 53): used}
    own = {("172.30.0.2", 30053): used, ("10.244.0.1", 30053): used}
    assert sorted(forgotten, key=lambda each: len(each[1])) == [(inside, {}), (inside | own, {30053: used})]
