"""How fast the API answers, and what its objects weigh.

    python -m benchmarks api [--runs 3] [--quick] [--json FILE] [--plot FILE] [--write-docs]
    python -m benchmarks api --kubeconfig F         the same on any Kubernetes, in a namespace that is removed again

Objects of 1 kB over TLS on 16 connections from one client process; knarr's own cluster is fresh for each run, durable
(SQLite, every commit on disk), with its controllers running. With --kinds a thousand objects of every kind are made,
and every verb is timed for each of them.
"""

import argparse
import json
import statistics
from collections.abc import Iterable
from pathlib import Path

from benchmarks import every_kind
from benchmarks.report import DOCS, about, boxes, pyplot, say, write_docs
from benchmarks.stages import NAMESPACE, STAGES
from benchmarks.target import Figures, Target, target

GOALS = {  # requests a second, milliseconds for watchers, megabytes for memory
    "create": 2650,
    "get": 10_880,
    "list of 500": 1660,
    "list of 500, gzip": 1660,
    "list of 21,000": 70,
    "list of 21,000, gzip": 70,
    "seen by 1000 watchers": 50,
    "memory": 220,
}
Run = dict[str, Figures]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks api", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, once")
    parser.add_argument("--kinds", action="store_true", help="also time every verb with 1,000 objects of each kind")
    parser.add_argument("--kubeconfig", type=Path, help="measure this cluster instead of fresh ones")
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--plot", type=Path, help="draw the rates into this PNG (needs matplotlib)")
    parser.add_argument("--write-docs", action="store_true", help=f"put the table into {DOCS.name}")
    given = parser.parse_args(arguments)
    scale = 10 if given.quick else 1
    runs: list[Run] = []
    for number in range(1 if given.quick else given.runs):
        say(f"run {number + 1}")
        with target(given.kubeconfig) as opened:
            runs.append(measure(opened, scale))
    lines = list(table(runs))
    print("\n".join(lines))
    if given.kinds:
        with target(given.kubeconfig) as opened:
            slowest = every_kind.check(opened, 1000 // scale, say)
        print("\n".join(slowest))
        lines += slowest
    if given.json:
        given.json.write_text(json.dumps({"about": about(), "runs": runs}, indent=2) + "\n")
    if given.plot:
        plot(runs, given.plot)
    if given.write_docs:
        write_docs("api", lines)


def measure(opened: Target, scale: int) -> Run:
    """One run of all stages, in a namespace of their own."""
    found: Run = {}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    opened.one("POST", "/api/v1/namespaces", namespace)
    try:
        for stage in STAGES:
            for name, figures in stage(opened, scale):
                found[name] = found.get(name, {}) | figures
                say(f"  {name}: {shown(figures)}")
    finally:
        opened.one("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
    return found


def shown(figures: Figures) -> str:
    """One stage's figures in a line."""
    if "p50" not in figures:
        return ", ".join(f"{key} {value:.0f} MB" for key, value in figures.items())
    text = f"{figures['rate']:.0f}/s, " if "rate" in figures else ""
    return text + f"p50 {figures['p50'] * 1000:.2f} ms, p99 {figures['p99'] * 1000:.2f} ms"


def table(runs: list[Run]) -> Iterable[str]:
    """The medians as Markdown."""
    where = about()
    yield f"{where['date']}, {where['cores']} cores, Python {where['python']}; medians of {len(runs)} runs."
    yield ""
    yield "| what | a second | least | most | goal | p50 ms | p99 ms | server µs | client µs |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, figures in runs[0].items():
        if "p50" in figures:
            yield row(name, [run[name] for run in runs])
    if "memory" in runs[0]:
        yield ""
        states = runs[0]["memory"]
        each = [f"{state} {statistics.median(run['memory'][state] for run in runs):.0f} MB" for state in states]
        full = next(state for state in states if state.startswith("with "))
        weight = statistics.median(run["memory"][full] - run["memory"]["at first"] for run in runs)
        yield f"Resident memory of the server: {', '.join(each)} (goal {GOALS['memory']} MB with 21,000 objects);"
        yield f"{weight * 1000 / runs[0]['create']['count']:.1f} kB for each object of 1 kB."


def row(name: str, figures: list[Figures]) -> str:
    """One line of the table; CPU is for each request."""

    def middle(key: str, factor: float = 1.0) -> float:
        return float(statistics.median(each[key] for each in figures)) * factor

    def cpu(key: str) -> str:
        return f"{middle(key, 1e6 / figures[0]['count']):.0f}" if key in figures[0] and "rate" in figures[0] else ""

    rates = [each["rate"] for each in figures] if "rate" in figures[0] else []
    speed = [f"{value:.0f}" for value in (statistics.median(rates), min(rates), max(rates))] if rates else ["", "", ""]
    goal = f"{GOALS[name]}{'' if rates else ' ms'}" if name in GOALS else ""
    times = [f"{middle('p50', 1000):.2f}", f"{middle('p99', 1000):.2f}"]
    return "| " + " | ".join([name, *speed, goal, *times, cpu("server_cpu"), cpu("client_cpu")]) + " |"


def plot(runs: list[Run], file: Path) -> None:
    names = [name for name, figures in runs[0].items() if "rate" in figures]
    rates = {name: [run[name]["rate"] for run in runs] for name in names}
    boxes(pyplot(), rates, GOALS, "requests a second", file)
