"""How soon the cluster clears away: a namespace with its contents, dependents of an owner; and what rest costs.

    python -m benchmarks collection [--runs 3] [--quick] [--only TEXT] [--json FILE] [--write-docs]

Each run has a fresh, durable cluster of knarr's own. Time is counted from the delete until the last object is gone,
asked every 10 ms; the CPU is the server's. At rest, the garbage collector and the controllers of endpoints run in a
process of their own beside 10,000 pods of 100 services on simulated nodes, and that process is measured.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.fresh import KNARR
from benchmarks.process import cpu
from benchmarks.report import DOCS, Run, about, goal_in, medians, say, write_docs
from benchmarks.target import Target, target

GOALS = {
    "10000 objects of a namespace gone (s)": 10.0,
    "10000 dependents of an owner gone (s)": 10.0,
    "at rest beside 10000 pods (% of a core)": 5.0,
}
PAUSE, PATIENCE = 0.01, 300.0  #: seconds between two questions, and until what does not come is given up
CALM, REST = 20.0, 30.0  #: seconds until rest, and of the measurement; longer than the pause between two discoveries
RESTING = "garbage-collector,endpoint,endpoint-slice"
SPACE = "knarr-bench-collection"
WITHIN = f"/api/v1/namespaces/{SPACE}"
DEFAULT, MERGE = {"name": "default"}, "application/merge-patch+json"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks collection", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, once")
    parser.add_argument("--only", default="", help="the stages with this in their name")
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--write-docs", action="store_true", help=f"put the table into {DOCS.name}")
    given = parser.parse_args(arguments)
    count = 1000 if given.quick else 10_000
    runs: list[Run] = []
    for number in range(1 if given.quick else given.runs):
        say(f"run {number + 1}")
        found: Run = {}
        for name, stage in STAGES.items():
            if given.only in name:
                found.update(stage(count))
        runs.append(found)
    lines = list(table(runs))
    print("\n".join(lines))
    if given.json:
        given.json.write_text(json.dumps({"about": about(), "runs": runs}, indent=2) + "\n")
    if given.write_docs:
        write_docs("collection", lines)


# The stages


def namespace(count: int) -> Run:
    """ConfigMaps and Secrets of one namespace, and the namespace."""
    with target(None) as opened:
        make(opened, "/api/v1/namespaces", a_namespace(SPACE))
        plant(opened, "configmaps", {"kind": "ConfigMap", "data": {"a": "1"}}, count // 2)
        plant(opened, "secrets", {"kind": "Secret", "data": {"a": "MQ=="}}, count - count // 2)
        path = WITHIN
        return timed(f"{count} objects of a namespace gone", opened, path, lambda: status(opened, path) == 404)


def dependents(count: int) -> Run:
    """ConfigMaps that one ConfigMap owns."""
    with target(None) as opened:
        make(opened, "/api/v1/namespaces", a_namespace(SPACE))
        maps = f"{WITHIN}/configmaps"
        make(opened, maps, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}})
        uid = ask(opened, f"{maps}/owner")["metadata"]["uid"]
        owned = {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}]}
        plant(opened, "configmaps", {"kind": "ConfigMap", "metadata": owned, "data": {"a": "1"}}, count)
        time.sleep(2)  # until the collector has seen them all
        # one ConfigMap stays: the authority's
        return timed(f"{count} dependents of an owner gone", opened, f"{maps}/owner", lambda: amount(opened, maps) <= 1)


def rest(count: int) -> Run:
    """What the controllers cost where nothing happens but the heartbeats of a hundred nodes."""
    groups = count // 100
    with target(None, 100, "--no-controllers") as opened:
        make(opened, "/api/v1/namespaces", a_namespace(SPACE))
        make(opened, f"{WITHIN}/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": DEFAULT})
        several(opened, 100, "POST", f"{WITHIN}/services", a_service())
        several(opened, groups, "POST", "/api/v1/nodes", a_node())
        say(f"  creating {count} pods")
        for group in range(groups):
            several(opened, 100, "POST", f"{WITHIN}/pods", a_pod(group))
            several(opened, 100, "PATCH", f"{WITHIN}/pods/p{group}-{{n}}/status", a_status(group), MERGE)
        with controllers(opened.kubeconfig) as process:
            slices = f"/apis/discovery.k8s.io/v1/namespaces/{SPACE}/endpointslices"
            wait("the slices", lambda: endpoints(opened, slices) == count)
            time.sleep(CALM)
            before = cpu(process.pid)
            time.sleep(REST)
            share = 100 * (cpu(process.pid) - before) / REST
    say(f"  at rest: {share:.1f} % of a core")
    return {f"at rest beside {count} pods (% of a core)": share}


STAGES: dict[str, Callable[[int], Run]] = {"namespace": namespace, "dependents": dependents, "rest": rest}


def timed(name: str, opened: Target, path: str, gone: Callable[[], bool]) -> Run:
    """Delete what is at the path and wait for what must go with it."""
    before, began = opened.cpu(), time.perf_counter()
    opened.one("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})
    wait(name, gone)
    seconds, cpu = time.perf_counter() - began, opened.cpu() - before
    say(f"  {name}: {seconds:.2f} s, {cpu:.2f} s of CPU")
    return {f"{name} (s)": seconds, f"{name}, CPU (s)": cpu}


def wait(what: str, holds: Callable[[], bool]) -> None:
    until = time.perf_counter() + PATIENCE
    while not holds():
        if time.perf_counter() > until:
            raise SystemExit(f"{what}: not within {PATIENCE:.0f} s")
        time.sleep(PAUSE)


# What is made and asked


def a_namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def a_service() -> dict[str, Any]:
    spec = {"selector": {"app": "s{n}"}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s{n}"}, "spec": spec}


def a_node() -> dict[str, Any]:
    """A node without an agent: its pods are what the benchmark says they are."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "still-{n}"}}


def a_pod(group: int) -> dict[str, Any]:
    """The pods of one node: one of each service."""
    meta = {"name": f"p{group}-{{n}}", "labels": {"app": "s{n}"}}
    spec = {"nodeName": f"still-{group}", "containers": [{"name": "c", "image": "example.com/app"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def a_status(group: int) -> dict[str, Any]:
    address = f"10.{group // 250 + 50}.{group % 250}.{{n}}"
    ready = {"type": "Ready", "status": "True"}
    return {"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [ready]}}


def several(opened: Target, count: int, method: str, path: str, tree: dict[str, Any], type_: str = "") -> None:
    """So many requests, of which `{n}` is the number."""
    shape = {"method": method, "path": path, "body": json.dumps(tree), **({"type": type_} if type_ else {})}
    opened.run({"count": count, "connections": 16 if count > 100 else 4, "requests": [shape]})


def plant(opened: Target, plural: str, tree: dict[str, Any], count: int) -> None:
    """Create so many of an object."""
    say(f"  creating {count} {plural}")
    body = {"apiVersion": "v1", **tree, "metadata": {**tree.get("metadata", {}), "name": "item-{n}"}}
    several(opened, count, "POST", f"{WITHIN}/{plural}", body)


def make(opened: Target, path: str, tree: dict[str, Any]) -> None:
    opened.one("POST", path, tree)


def answer(opened: Target, path: str) -> tuple[int, Any]:
    connection = opened.connection()
    try:
        connection.request("GET", path, headers=opened.headers)
        got = connection.getresponse()
        return got.status, json.loads(got.read())
    finally:
        connection.close()


def ask(opened: Target, path: str) -> Any:
    return answer(opened, path)[1]


def status(opened: Target, path: str) -> int:
    return answer(opened, path)[0]


def amount(opened: Target, path: str) -> int:
    """How many objects a collection has, asked as cheaply as the API allows."""
    page = ask(opened, f"{path}?limit=1")
    return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))


def endpoints(opened: Target, path: str) -> int:
    time.sleep(1)
    return sum(len(each.get("endpoints") or ()) for each in ask(opened, path)["items"])


# The cluster at rest


@contextmanager
def controllers(file: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The controllers that are measured, as a process."""
    command = [*KNARR, "controllers", "--kubeconfig", str(file), "--no-leader-elect"]
    process = subprocess.Popen([*command, "--controllers", RESTING], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


# The report


def table(runs: list[Run]) -> Iterable[str]:
    return medians(runs, goal_in(GOALS), "")
