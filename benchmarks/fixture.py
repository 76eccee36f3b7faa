"""How soon a test has its cluster, and whether a run of many leaves anything behind.

    python -m benchmarks fixture [--clusters 200] [--virtual-time] [--json FILE]
    python -m benchmarks fixture --spans [--days 30]

`--spans` tells instead what long spans of virtual time take: a pod's five minutes on a node that has died, and days of
an hourly CronJob with a heartbeat a day.

Each cluster is that of the fixture `knarr`: begun, given a ConfigMap, asked over its TLS socket, ended. The first one's
imports and keys are told apart.
"""

import argparse
import gc
import json
import os
import ssl
import statistics
import threading
import time
from asyncio import Task
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.process import memory

GOAL = 0.3  #: seconds until a test has its cluster
SETTLED = 20  #: clusters after which nothing may grow any more
A_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}, "data": {"a": "1"}}
Figures = dict[str, float]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks fixture", description=__doc__)
    parser.add_argument("--clusters", type=int, default=200)
    parser.add_argument("--virtual-time", action="store_true")
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--spans", action="store_true", help="measure long spans of virtual time")
    parser.add_argument("--days", type=int, default=30, help="of the CronJob")
    given = parser.parse_args(arguments)
    if given.spans:
        spans(given.days)
        return
    runs = [one(given.virtual_time) for _ in range(given.clusters)]
    report(runs)
    if given.json:
        given.json.write_text(json.dumps(runs, indent=2) + "\n")


def spans(days: int) -> None:
    """What is printed are seconds of a processor; the clusters' beginnings are not among them."""
    from knarr.testing import Cluster

    with Cluster(nodes=2, virtual_time=True, seed=1) as cluster:
        cluster.apply(a_deployment())
        cluster.settled()
        (pod,) = cluster.list("pods")
        began = time.process_time()
        cluster.stop_node(pod["spec"]["nodeName"])
        cluster.advance(minutes=7)
        print(f"a pod's leaving a dead node after 300 s: {time.process_time() - began:.3f} s")
    with Cluster(virtual_time=True, seed=1, heartbeat=86400) as cluster:
        cluster.apply(a_cronjob())
        cluster.settled()
        began = time.process_time()
        cluster.advance(days=days)
        took = time.process_time() - began
        print(f"{days} days of an hourly CronJob: {took:.2f} s, of a year: {took / days * 365:.0f} s")


def a_deployment() -> dict[str, object]:
    labels, container = {"app": "web"}, {"name": "main", "image": "app:1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def a_cronjob() -> dict[str, object]:
    ends = {"annotations": {"knarr.dev/simulated-exit-after": "30"}}
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "app:1"}]}
    job = {"spec": {"template": {"metadata": ends, "spec": pod}}}
    spec = {"schedule": "@hourly", "jobTemplate": job}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "hourly"}, "spec": spec}


def one(virtual_time: bool) -> Figures:
    """One cluster's figures: seconds, and what the process holds after its end."""
    began, spent = time.perf_counter(), time.process_time()
    from knarr.testing import Cluster

    with Cluster(virtual_time=virtual_time) as cluster:
        ready, cpu = time.perf_counter(), time.process_time() - spent
        cluster.apply(A_MAP)
        ask(cluster.url)
        asked = time.perf_counter()
    return {
        "ready": ready - began,
        "ready, CPU": cpu,
        "used": asked - ready,
        "ended": time.perf_counter() - asked,
        **held(),
    }


def ask(url: str) -> None:
    """One request from outside, without a certificate: the answer is that nobody may ask so, or who is served."""
    from knarr.testing.serving import pki

    at = urlsplit(url)
    connection = HTTPSConnection(
        at.hostname or "", at.port, context=ssl.create_default_context(cafile=pki().ca), timeout=30
    )
    connection.request("GET", "/version")
    connection.getresponse().read()
    connection.close()


def held() -> Figures:
    """What the process holds now; memory in megabytes."""
    gc.collect()
    return {
        "memory": memory(os.getpid()),
        "threads": threading.active_count(),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "tasks": sum(isinstance(each, Task) for each in gc.get_objects()),
    }


def report(runs: list[Figures]) -> None:
    """The first cluster, the median and range of the others, and what grew."""
    first, *others = runs
    others = others or runs
    print(f"{'seconds':<14}{'first':>9}{'median':>9}{'least':>9}{'most':>9}{'goal':>9}")
    for name in ("ready", "ready, CPU", "used", "ended"):
        values = [run[name] for run in others]
        goal = f"{GOAL:>9.2f}" if name == "ready" else ""
        print(
            f"{name:<14}{first[name]:>9.3f}{statistics.median(values):>9.3f}{min(values):>9.3f}{max(values):>9.3f}{goal}"
        )
    early = runs[min(SETTLED, len(runs)) - 1]
    print(f"\n{'held after':<14}{min(SETTLED, len(runs)):>9}{len(runs):>9}")
    for name in ("memory", "threads", "descriptors", "tasks"):
        print(f"{name:<14}{early[name]:>9.0f}{runs[-1][name]:>9.0f}")
