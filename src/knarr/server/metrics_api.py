"""The resource metrics API, metrics.k8s.io: what `kubectl top` shows and autoscalers follow.

Every request asks the agents of the nodes that it is about, all at once; the agents measure. What an agent said is good
for `FRESH` seconds. Nodes that do not answer, and pods of which nothing is known yet, are left out of lists.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec

from knarr.client.transport import Response
from knarr.kinds.kind import Kind
from knarr.kinds.podmetrics import GROUP, KINDS, NODES, PODS, VERSION
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.meta import clock, durations
from knarr.meta.errors import ApiError, NotFound
from knarr.meta.quantity import BINARY, Quantity
from knarr.registry.entry import Entry, encode, load
from knarr.registry.list import Page
from knarr.registry.registry import Registry
from knarr.server import queries, status
from knarr.server.agents import Agents
from knarr.server.call import Call
from knarr.server.resources import Resources

FRESH = 5.0  #: seconds
PATIENCE = 10.0  #: seconds that an agent has to answer
TOGETHER = 50  #: agents that are asked at the same time
KIBI = 1024

log = logging.getLogger("knarr.server")


class Figure(msgspec.Struct, frozen=True):
    """CPU or memory in a Summary."""

    time: str = ""
    usageNanoCores: int | None = None
    workingSetBytes: int | None = None
    windowSeconds: float = 15.0


class Reference(msgspec.Struct, frozen=True):
    namespace: str = ""
    name: str = ""
    uid: str = ""


class Consumer(msgspec.Struct, frozen=True):
    """A container, or the node itself."""

    name: str = ""
    cpu: Figure | None = None
    memory: Figure | None = None


class PodStats(msgspec.Struct, frozen=True):
    podRef: Reference = Reference()
    containers: list[Consumer] = []


class Summary(msgspec.Struct, frozen=True):
    """What an agent answers to `/stats/summary`, as far as it is of use here."""

    node: Consumer = Consumer()
    pods: list[PodStats] = []


Local = Callable[[str], Awaitable[bytes | None]]  #: the Summary of a node in this process, None of any other


class MetricsApi:
    """Answers for metrics.k8s.io. `local`, if set, is asked before a node's agent is."""

    def __init__(self, registry: Registry, resources: Resources, agents: Agents | None) -> None:
        self._registry, self._resources, self._agents = registry, resources, agents
        self._kept: dict[str, tuple[float, Summary]] = {}
        self._together = asyncio.Semaphore(TOGETHER)
        self.local: Local | None = None

    async def answer(self, call: Call) -> Response:
        target = call.target
        kind = next((kind for kind in KINDS if kind.plural == target.resource), None)
        if kind is None or target.version != VERSION or target.subresource or not target.fits(kind.namespaced):
            raise status.no_such_resource()
        if target.verb not in kind.verbs:
            raise status.no_such_method()
        return await (self._one(call, kind) if target.name else self._list(call, kind))

    async def _one(self, call: Call, kind: Kind) -> Response:
        target = call.target
        about = f"{target.namespace}/{target.name}" if kind.namespaced else target.name
        missing = NotFound(
            f'{kind.kind.lower()}.{GROUP} "{about}" not found', kind=kind.kind.lower(), group=GROUP, name=about
        )
        try:
            source = self._registry.find(self._source(kind), target.namespace if kind.namespaced else "", target.name)
        except NotFound:
            raise missing from None
        found = await self._measured(kind, [source])
        if not found:
            raise missing
        return await self._resources.show(call, kind, 200, found[0])

    async def _list(self, call: Call, kind: Kind) -> Response:
        options = queries.list_options(call.request.query)
        page = await self._registry.list(
            self._source(kind),
            call.target.namespace if kind.namespaced else "",
            labels=options.labels,
            fields=options.fields,
        )
        found = await self._measured(kind, page.entries)
        return await self._resources.page(call, kind, Page(kind, found, self._registry.revision))

    def _source(self, kind: Kind) -> Kind:
        """The kind whose objects are measured."""
        return self._registry.kinds.by_type(Pod if kind is PODS else Node)

    async def _measured(self, kind: Kind, sources: Sequence[Entry]) -> list[Entry]:
        """The metrics of pods or of nodes; of those that are known."""
        if kind is NODES:
            summaries = await self._summaries(entry.name for entry in sources)
            trees = [of_node(entry, summaries[entry.name]) for entry in sources if entry.name in summaries]
        else:
            pods = [(entry, entry.object()) for entry in sources]
            summaries = await self._summaries(pod.spec.nodeName for _, pod in pods if pod.spec.nodeName)
            stats = {each.podRef.uid: each for summary in summaries.values() for each in summary.pods}
            trees = [of_pod(entry, stats[entry.uid]) for entry, _ in pods if entry.uid in stats]
        return [load(kind, encode(tree), 0) for tree in trees if tree is not None]

    async def _summaries(self, nodes: Iterable[str]) -> dict[str, Summary]:
        names = sorted(set(nodes))
        found = await asyncio.gather(*(self._summary(name) for name in names))
        return {name: summary for name, summary in zip(names, found, strict=True) if summary is not None}

    async def _summary(self, node: str) -> Summary | None:
        """What a node's agent says; None when it does not answer."""
        if self.local is not None and (said := await self.local(node)) is not None:
            return msgspec.json.decode(said, type=Summary)
        if self._agents is None:
            return None
        kept = self._kept.get(node)
        if kept is not None and 0 <= clock.unix() - kept[0] < FRESH:
            return kept[1]
        try:
            async with self._together, asyncio.timeout(PATIENCE):
                summary = await ask(self._agents, node)
        except (ApiError, OSError, TimeoutError, msgspec.DecodeError) as error:
            self._kept.pop(node, None)
            log.info("no metrics of node %s: %s", node, error)
            return None
        self._kept[node] = (clock.unix(), summary)
        return summary


async def ask(agents: Agents, node: str) -> Summary:
    answer = await agents.stream(await agents.place(node), "/stats/summary", {})
    body = answer.body
    if answer.stream is not None:
        body = b"".join([piece async for piece in answer.stream])
    if answer.status != 200:
        raise status.not_found("nodes", node) if answer.status == 404 else NotFound(body.decode(errors="replace"))
    return msgspec.json.decode(body, type=Summary)


# From what agents say to the API's objects


def of_pod(entry: Entry, stats: PodStats) -> dict[str, Any] | None:
    """A pod's metrics; None when nothing is known of one of its containers."""
    known = [(each, each.cpu, each.memory) for each in stats.containers]
    if not known or any(cpu is None or memory is None for _, cpu, memory in known):
        return None
    containers = [{"name": each.name, "usage": usage(each)} for each in sorted(stats.containers, key=lambda e: e.name)]
    return {**head(entry, "PodMetrics", stats.containers), "containers": containers}


def of_node(entry: Entry, summary: Summary) -> dict[str, Any] | None:
    """A node's metrics; None when nothing is known."""
    if summary.node.cpu is None or summary.node.memory is None:
        return None
    return {**head(entry, "NodeMetrics", [summary.node]), "usage": usage(summary.node)}


def head(entry: Entry, kind: str, consumers: Sequence[Consumer]) -> dict[str, Any]:
    """What is said of every object: whose, when, and over which time."""
    metadata: dict[str, Any] = {"name": entry.name, "creationTimestamp": clock.timestamp()}
    if entry.namespace:
        metadata["namespace"] = entry.namespace
    if entry.labels:
        metadata["labels"] = dict(entry.labels)
    figures = [each.cpu for each in consumers if each.cpu is not None]
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": kind,
        "metadata": metadata,
        "timestamp": min(figure.time for figure in figures),
        "window": durations.shown(max(figure.windowSeconds for figure in figures)),
    }


def usage(consumer: Consumer) -> dict[str, str]:
    """CPU in cores, memory in whole kibibytes, as metrics-server gives them."""
    cores = consumer.cpu.usageNanoCores if consumer.cpu is not None else 0
    held = consumer.memory.workingSetBytes if consumer.memory is not None else 0
    kibibytes = -(-(held or 0) // KIBI)
    memory = f"{kibibytes}Ki" if kibibytes % KIBI else str(Quantity(kibibytes * KIBI * 10**9, BINARY))
    return {"cpu": str(Quantity(cores or 0)), "memory": memory}
