"""What `api` measures: each stage gives figures under its name. Objects are config maps of 1 kB, on 16 connections."""

import json
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from benchmarks.target import Figures, Target

NAMESPACE = "knarr-benchmark"
MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
FEW = 500
MANY = 21_000
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
Stage = Callable[[Target, int], Iterator[tuple[str, Figures]]]


def config_map(name: str, load: str = "benchmark", **data: str) -> str:
    """A config map that takes about 1 kB as the server stores it."""
    tree = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": "benchmark", "load": load}},
        "data": {"text": "x" * 600} | data,
    }
    return json.dumps(tree)


def maps(target: Target, count: int, first: int = 0) -> Figures:
    """Create config maps `item-<first>` and on."""
    shape = {"method": "POST", "path": MAPS, "body": config_map("item-{n}")}
    return target.run({"count": count, "first": first, "requests": [shape]})


def get(count: int, path: str, **job: Any) -> Figures:
    return {"count": count, "requests": [{"method": "GET", "path": path}]} | job


def patch(count: int, type_: str, body: Any, query: str = "") -> Figures:
    shape = {"method": "PATCH", "path": f"{MAPS}/item-{{n}}{query}", "type": type_, "body": json.dumps(body)}
    return {"count": count, "modulo": FEW, "requests": [shape]}


def writes(target: Target, scale: int) -> Iterator[tuple[str, Figures]]:
    """Creates and deletes of their own objects, changes of the few."""
    shape = {"method": "PUT", "path": f"{MAPS}/item-{{n}}", "body": config_map("item-{n}", count="{count}")}
    yield "update", target.run({"count": 3000 // scale, "modulo": FEW, "requests": [shape]})
    yield "merge patch", target.run(patch(3000 // scale, MERGE, {"data": {"count": "m{count}"}}))
    yield "strategic merge patch", target.run(patch(3000 // scale, STRATEGIC, {"data": {"count": "s{count}"}}))
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "item-{n}"}, "data": {"mine": "{count}"}}
    yield "apply", target.run(patch(2000 // scale, APPLY, applied, "?fieldManager=benchmark&force=true"))


def reads(target: Target, scale: int) -> Iterator[tuple[str, Figures]]:
    """What is read of the few."""
    yield "get", target.run(get(20_000 // scale, f"{MAPS}/item-{{n}}", modulo=FEW))
    yield "list of 500", target.run(get(1000 // scale, MAPS))
    yield "list of 500, gzip", target.run(get(3000 // scale, MAPS, gzip=True))
    yield "list of 500 by label", target.run(get(500 // scale, f"{MAPS}?labelSelector=app%3Dbenchmark"))
    yield (
        "list by field, 1 of 500",
        target.run(get(3000 // scale, f"{MAPS}?fieldSelector=metadata.name%3Ditem-{{n}}", modulo=FEW)),
    )
    shapes = [
        {"method": "GET", "path": f"{MAPS}/item-{{n}}", "weight": 12},
        {"method": "GET", "path": f"{MAPS}?limit=100", "weight": 2},
        {"method": "PUT", "path": f"{MAPS}/item-{{n}}", "body": config_map("item-{n}", count="{count}"), "weight": 3},
        {
            "method": "PATCH",
            "path": f"{MAPS}/item-{{n}}",
            "type": MERGE,
            "body": '{"data":{"count":"{count}"}}',
            "weight": 3,
        },
    ]
    yield "mixed load", target.run({"count": 6000 // scale, "modulo": FEW, "requests": shapes})


def watches(target: Target, scale: int) -> Iterator[tuple[str, Figures]]:
    """From a write to the last of a thousand watchers."""
    path = f"{MAPS}/item-0"
    shape = {"method": "PATCH", "path": path, "type": MERGE, "body": '{"data":{"mark":"round-{count}-"}}'}
    job = {"watchers": 1000 // scale, "count": 50, "watch": f"{MAPS}?watch=true", "requests": [shape]}
    yield f"seen by {1000 // scale} watchers", target.run(job)


def fill(target: Target, scale: int) -> Iterator[tuple[str, Figures]]:
    """From nothing to 21,000 objects, and what they weigh."""
    before = target.memory()
    yield "create", maps(target, MANY // scale)
    if target.pid:
        yield "memory", {"at first": before, f"with {MANY // scale:,}": target.memory()}


def many(target: Target, scale: int) -> Iterator[tuple[str, Figures]]:
    """Lists of 21,000 objects."""
    amount = f"{MANY // scale:,}"
    yield f"page of 500 of {amount}", target.run(get(1000 // scale, f"{MAPS}?limit=500"))
    yield f"list of {amount}", target.run(get(100 // min(scale, 4), MAPS))
    yield f"list of {amount}, gzip", target.run(get(300 // min(scale, 4), MAPS, gzip=True))
    if target.pid:
        yield "memory", {"after lists": target.memory()}


def empty(target: Target, scale: int) -> Iterator[tuple[str, Figures]]:
    """Deletes, until the few are left."""
    shape = {"method": "DELETE", "path": f"{MAPS}/item-{{n}}"}
    yield "delete", target.run({"count": MANY // scale - FEW, "first": FEW, "requests": [shape]})
    if target.pid:
        yield "memory", {"in the end": target.memory()}


def stall(target: Target, scale: int) -> Iterator[tuple[str, Figures]]:
    """How long a small GET waits while others list 21,000 objects and create."""
    other = target.another()
    seen: list[Figures] = []
    probe = get(2000 // scale, f"{MAPS}/item-0", connections=1)
    thread = threading.Thread(target=lambda: seen.append(other.run(probe)))
    shapes = [
        {"method": "GET", "path": MAPS},
        {"method": "POST", "path": MAPS, "body": config_map("other-{count}-{n}", "other"), "weight": 20},
    ]
    thread.start()
    for turn in count():
        target.run({"count": 420, "first": turn * 20, "connections": 8, "requests": shapes})
        if not thread.is_alive():
            break
    thread.join()
    other.close()
    left = {"method": "DELETE", "path": f"{MAPS}?labelSelector=load%3Dother"}
    target.run({"connections": 1, "count": 1, "requests": [left]})
    yield f"get beside lists of {MANY // scale:,} and creates", seen[0]


STAGES: tuple[Stage, ...] = (fill, many, stall, empty, reads, writes, watches)
