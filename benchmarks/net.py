"""How soon services are in the rules, and what their addresses cost: the proxy, the kernel and the cluster's DNS.

    python -m benchmarks net [--runs 3] [--services 1000] [--only TEXT] [--json FILE] [--plot FILE] [--write-docs]

Needs root. Everything happens in a network namespace that the benchmark makes for itself, with two nodes of a pod
network in it; nothing is sent beyond. A change counts as programmed when the kernel has it in the host's and in both
nodes' rules.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import net_change
from benchmarks.report import DOCS, Run, about, medians, pyplot, say, write_docs
from knarr.app.parts import PATIENT
from knarr.client.cache import Cache
from knarr.kinds.types.core_v1 import Node, Service, ServicePort, ServiceSpec
from knarr.kinds.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.net import namespace, node_pods, podnetwork
from knarr.net.plan import NetworkPlan
from knarr.net.proxy import ServiceProxy

ALL, CHANGE, SHARE = "services programmed at once, ms", "a changed endpoint in the rules, ms", "of a pod's throughput"
GOALS = {ALL: 200.0, CHANGE: 50.0, SHARE: 0.9}
PLAN = NetworkPlan("bench", 0)
CHANGES = 20
SECONDS = 2.0  #: that bytes are sent for
ALONE = 'mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up && exec "$@"'
INSIDE = "KNARR_BENCHMARK_INSIDE"


def main(arguments: list[str]) -> None:
    from benchmarks import net_affinity, net_dns  # which import this module

    def programmed(note: Note) -> None:
        rules(given.services, note)

    stages: dict[str, Callable[[Note], None]] = {
        "rules": programmed,
        **net_affinity.STAGES,
        "throughput": throughput,
        **net_change.STAGES,
        **net_dns.STAGES,
    }
    parser = argparse.ArgumentParser(prog="benchmarks net", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--only", default="", help=f"the stages with this in their name: {', '.join(stages)}")
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--plot", type=Path, help="draw the figures into this PNG (needs matplotlib)")
    parser.add_argument("--write-docs", action="store_true", help=f"put the table into {DOCS.name}")
    given = parser.parse_args(arguments)
    if INSIDE not in os.environ:
        leave(arguments)
    gc.set_threshold(*PATIENT)  # as the server does
    runs: list[Run] = []
    for number in range(given.runs):
        say(f"run {number + 1}")
        found: Run = {}

        def note(name: str, value: float, found: Run = found) -> None:
            found[name] = value
            say(f"  {name}: {value:.2f}")

        for name, stage in stages.items():
            if given.only in name:
                stage(note)
        runs.append(found)
    lines = list(table(runs))
    print("\n".join(lines))
    if given.json:
        given.json.write_text(json.dumps({"about": about(), "runs": runs}, indent=2) + "\n")
    if given.plot:
        plot(runs, given.plot)
    if given.write_docs:
        write_docs("net", lines)


Note = Callable[[str, float], None]


def leave(arguments: list[str]) -> None:
    """Run the same in a network namespace of its own, in this process' place."""
    os.environ[INSIDE] = "yes"
    again = [sys.executable, "-m", "benchmarks", "net", *arguments]
    os.execvp("unshare", ["unshare", "--net", "--mount", "sh", "-c", ALONE, "sh", *again])


# The rules


class Told:
    """Stands for an informer whose collection the benchmark keeps."""

    def __init__(self) -> None:
        self.cache: Cache[Any] = Cache()
        self.listeners: list[Callable[[Any, Any], None]] = []

    def on_change(self, listener: Callable[[Any, Any], None]) -> None:
        self.listeners.append(listener)

    async def wait_synced(self) -> None:
        return

    def put(self, obj: Any) -> None:
        old = self.cache.put(obj)
        for listener in self.listeners:
            listener(old, obj)


class Collections(dict[type, Told]):
    def of(self, kind: type) -> Told:
        return self.setdefault(kind, Told())


def rules(count: int, note: Note) -> None:
    """A proxy that starts with many services, then one endpoint that changes again and again."""
    with wires():
        asyncio.run(_rules(count, note))


async def _rules(count: int, note: Note) -> None:
    known = Collections({kind: Told() for kind in (Service, EndpointSlice, Node)})
    proxy = ServiceProxy(known, PLAN)  # type: ignore[arg-type]
    for number in range(count):
        known.of(Service).put(a_service(number))
        known.of(EndpointSlice).put(a_slice(number, (1, 2, 3)))
    began, before = time.perf_counter(), cpu()
    await proxy.load()
    note(f"{count} {ALL}", 1000 * (time.perf_counter() - began))
    note("CPU that takes, of the proxy and of nft for three places, ms", 1000 * (cpu() - before))
    taken = []
    for turn in range(CHANGES):
        await asyncio.sleep(0.05)
        began = time.perf_counter()
        known.of(EndpointSlice).put(a_slice(turn * count // CHANGES, (4 + turn, 5, 6)))
        await proxy.load()
        taken.append(1000 * (time.perf_counter() - began))
    note(f"{CHANGE[:-4]} beside {count} services, ms", statistics.median(taken))
    note(f"the slowest of {CHANGES}, ms", max(taken))


def cpu() -> float:
    """Seconds of CPU of this process and of those that it has waited for: what they are whoever else computes."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def a_service(number: int) -> Service:
    port = ServicePort(name="http", port=80, protocol="TCP")
    address = f"10.96.{1 + number // 250}.{1 + number % 250}"
    spec = ServiceSpec(type="ClusterIP", clusterIP=address, clusterIPs=[address], ports=[port])
    return Service(metadata=ObjectMeta(name=f"web-{number}", namespace="default"), spec=spec)


def a_slice(number: int, ends: Iterable[int]) -> EndpointSlice:
    ready = EndpointConditions(ready=True, serving=True, terminating=False)
    labels = {"kubernetes.io/service-name": f"web-{number}"}
    return EndpointSlice(
        metadata=ObjectMeta(name=f"web-{number}-x", namespace="default", labels=labels),
        addressType="IPv4",
        endpoints=[Endpoint(addresses=[f"10.244.{number % 2}.{end}"], conditions=ready) for end in ends],
        ports=[EndpointPort(name="http", port=8080, protocol="TCP")],
    )


# The bytes


def throughput(note: Note) -> None:
    """From a pod of one node to a pod of the other: by its own address, and by a service's; in turns."""
    with wires() as folder:
        client, server = pod(0, "bench-client", folder), pod(1, "bench-server", folder)
        known = Collections({kind: Told() for kind in (Service, EndpointSlice, Node)})
        known.of(Service).put(a_service(0))
        ready = EndpointConditions(ready=True)
        known.of(EndpointSlice).put(
            EndpointSlice(
                metadata=a_slice(0, ()).metadata,
                addressType="IPv4",
                endpoints=[Endpoint(addresses=[server], conditions=ready)],
                ports=[EndpointPort(name="http", port=8080, protocol="TCP")],
            )
        )
        asyncio.run(ServiceProxy(known, PLAN).load())  # type: ignore[arg-type]
        with sink("bench-server"):
            ways = {"pod": (server, 8080), "service": ("10.96.1.1", 80)}
            rates: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(3):
                for way, place in ways.items():
                    rates[way].append(send("bench-client", place))
        note("MB/s to a pod's own address", statistics.median(rates["pod"]))
        note("MB/s to a service's address", statistics.median(rates["service"]))
        note(SHARE, statistics.median(rates["service"]) / statistics.median(rates["pod"]))
        del client


def pod(number: int, name: str, folder: Path) -> str:
    """A network namespace as a pod's, wired to a node; its IPv4 address."""
    namespace.create(name)
    with namespace.inside(PLAN.node(number).namespace):
        network = node_pods.PodNetwork(PLAN, number, folder / str(number))
        return asyncio.run(network.add_pod(name, namespace.path(name)))[0]


@contextmanager
def sink(place: str) -> Iterator[None]:
    """Takes everything that comes to port 8080 of a pod."""
    with namespace.inside(place):
        listening = socket.create_server(("0.0.0.0", 8080))

    def take(link: socket.socket) -> None:
        buffer = bytearray(1 << 20)
        with link:
            while link.recv_into(buffer):
                pass

    def accept() -> None:
        while True:
            try:
                link, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=take, args=(link,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def send(place: str, goal: tuple[str, int]) -> float:
    """Megabytes a second that one connection takes."""
    block, sent = bytes(1 << 20), 0
    with namespace.inside(place):
        link = socket.create_connection(goal, timeout=5)
    with link:
        began = time.perf_counter()
        while (spent := time.perf_counter() - began) < SECONDS:
            sent += link.send(block)
    return sent / spent / 1e6


@contextmanager
def wires() -> Iterator[Path]:
    """A cluster network with two nodes, and a folder for their ledgers."""

    async def build() -> None:
        await podnetwork.create_cluster_network(PLAN)
        for number in (0, 1):
            await podnetwork.add_node(PLAN, number)

    with tempfile.TemporaryDirectory(prefix="knarr-benchmark-") as folder:
        try:
            asyncio.run(build())
            yield Path(folder)
        finally:
            for name in ("bench-client", "bench-server"):
                namespace.delete(name)
            asyncio.run(podnetwork.delete_cluster_network(PLAN))


# The report


def table(runs: list[Run]) -> Iterable[str]:
    return medians(runs, goal_of, f"; nft {nft_version()}")


def goal_of(name: str) -> str:
    """The goal of a figure, whatever the number of services in its name."""
    from benchmarks import net_dns

    for goals in (net_dns.GOALS, net_change.GOALS):
        if name in goals:
            return f"{goals[name]:.0f}"
    if name.endswith(ALL):
        return f"{GOALS[ALL]:.0f}"
    return f"{GOALS[CHANGE]:.0f}" if name.startswith(CHANGE[:-4]) else f"{GOALS[name]}" if name in GOALS else ""


def nft_version() -> str:
    said = subprocess.run(["nft", "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[1]


def plot(runs: list[Run], file: Path) -> None:
    plt = pyplot()
    names = list(runs[0])
    figure, all_axes = plt.subplots(len(names), 1, figsize=(8, 1.2 * len(names)), squeeze=False)
    for axes, name in zip(all_axes[:, 0], names, strict=True):
        axes.boxplot([[run[name] for run in runs]], vert=False, tick_labels=[""])
        axes.set_title(name, fontsize=8)
        if goal := goal_of(name):
            axes.axvline(float(goal), color="red")
    figure.tight_layout()
    figure.savefig(file)
