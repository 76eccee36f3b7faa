"""How soon thousands of simulated nodes are Ready, what they weigh, and what they cost when nothing happens.

    python -m benchmarks scale [--nodes 1000,5000] [--runs 1] [--json FILE] [--plot FILE]

Each run starts a fresh cluster. Idle CPU is the share of one core that the server takes over two renewals of each lease
once it has come to rest. CPU until Ready says what a busy machine hides: how long it takes where nothing else runs.
"""

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.fresh import fresh
from benchmarks.process import cpu, memory
from benchmarks.report import pyplot
from knarr.app import readiness
from knarr.app.config import Cluster
from knarr.meta import clock

REST, IDLE = 15.0, 20.0  #: seconds before and of the measurement of idle CPU
GOALS = {  # of 5,000 nodes, the last of 1,000
    "all nodes Ready (s)": 12.0,
    "CPU until Ready (s)": 12.0,
    "server memory (MB)": 500.0,
    "idle CPU (% of a core)": 10.0,
}
Figures = dict[str, Any]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks scale", description=__doc__)
    parser.add_argument("--nodes", default="1000,5000", help="how many, separated by commas")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--plot", type=Path, help="draw the nodes over time into this PNG (needs matplotlib)")
    given = parser.parse_args(arguments)
    runs: list[Figures] = []
    for count in map(int, given.nodes.split(",")):
        for number in range(given.runs):
            print(f"{count} nodes, run {number + 1} of {given.runs}", file=sys.stderr)
            runs.append(weighed(count))
    report(runs)
    if given.json:
        given.json.write_text(json.dumps(runs, indent=2) + "\n")
    if given.plot:
        plot(runs, given.plot)


def weighed(count: int) -> Figures:
    """Start a cluster of that many nodes, weigh it at rest, stop it."""
    began = clock.unix()
    with fresh(count) as found:
        figures: Figures = {
            "nodes": count,
            "all nodes Ready (s)": clock.unix() - began,
            "CPU until Ready (s)": cpu(found.server),
        }
        figures["over time"] = over_time(found.cluster, began)
        time.sleep(REST)
        before = cpu(found.server)
        time.sleep(IDLE)
        figures["idle CPU (% of a core)"] = 100 * (cpu(found.server) - before) / IDLE
        figures["server memory (MB)"] = memory(found.server)
        return figures


def over_time(cluster: Cluster, began: float) -> list[tuple[float, int]]:
    """How many nodes were there after how many seconds: nodes are Ready when they register."""
    link = readiness.connect(cluster)
    link.request("GET", "/api/v1/nodes")
    nodes = json.loads(link.getresponse().read())["items"]
    link.close()
    stamps = [node["metadata"]["creationTimestamp"] for node in nodes]
    counts = Counter(datetime.fromisoformat(stamp).timestamp() for stamp in stamps)
    points, total = [(0.0, 0)], 0
    for when in sorted(counts):
        total += counts[when]
        points.append((max(0.0, when + 1 - began), total))
    return points


def report(runs: list[Figures]) -> None:
    """The median of each number of nodes, its range, and the goal."""
    print(f"{'':<8}{'':<26}{'median':>9}{'least':>9}{'most':>9}{'goal':>9}")
    for count in dict.fromkeys(run["nodes"] for run in runs):
        for name, goal in GOALS.items():
            values = [run[name] for run in runs if run["nodes"] == count]
            middle = statistics.median(values)
            print(f"{count:<8}{name:<26}{middle:>9.1f}{min(values):>9.1f}{max(values):>9.1f}{goal:>9.1f}")


def plot(runs: list[Figures], file: Path) -> None:
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(9, 4))
    for run in runs:
        axes.plot(*zip(*run["over time"], strict=True), label=f"{run['nodes']} nodes")
    axes.set_xlabel("seconds after knarr up")
    axes.set_ylabel("nodes Ready")
    axes.legend()
    figure.tight_layout()
    figure.savefig(file)
