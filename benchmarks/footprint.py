"""How soon a cluster is there, how soon its pods are, and what it weighs.

    python -m benchmarks footprint [--runs 5] [--json FILE] [--plot FILE]
    python -m benchmarks footprint --kubeconfig F --image NAME     the same work on any Kubernetes

On knarr's own clusters (root: sandbox nodes, otherwise simulated ones) each run starts a fresh cluster of two nodes.
Against another cluster only the part that begins with `apply` is measured: its start is not ours to time.
"""

import argparse
import json
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.fresh import KNARR, server
from benchmarks.process import memory
from benchmarks.report import pyplot
from knarr.app import config, readiness
from knarr.app.demo.observer import Connect, Observer, ready
from knarr.client import kubeconfig

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "examples/kubia/kubia.yaml"
GOALS = {  # seconds, and megabytes for memory
    "API ready": 0.6,
    "two nodes Ready": 2.0,
    "kubia 3/3 Ready after apply": 2.0,
    "replacement Ready after the old pod is gone": 1.5,
    "server memory": 100.0,
}
Figures = dict[str, float]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks footprint", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--kubeconfig", type=Path, help="measure this cluster instead of fresh ones")
    parser.add_argument("--image", default="", help="the image to run there instead of kubia-stored")
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--plot", type=Path, help="draw the runs into this PNG (needs matplotlib)")
    given = parser.parse_args(arguments)
    runs: list[Figures] = []
    for number in range(given.runs):
        print(f"run {number + 1} of {given.runs}", file=sys.stderr)
        runs.append(external(given.kubeconfig, given.image) if given.kubeconfig else own())
    report(runs)
    if given.json:
        given.json.write_text(json.dumps(runs, indent=2) + "\n")
    if given.plot:
        plot(runs, given.plot)


def own() -> Figures:
    """Start a cluster of two nodes, run kubia on it, weigh the server, stop it."""
    folder = Path(tempfile.mkdtemp(prefix="knarr-benchmark-"))
    name, kubeconfig_file = "bench", folder / "kubeconfig"
    try:
        began = time.perf_counter()
        places = ["--data-dir", str(folder / "data"), "--kubeconfig", str(kubeconfig_file)]
        up = subprocess.Popen(
            [*KNARR, "up", "--name", name, "--nodes", "2", "--port", "0", *places], stdout=subprocess.PIPE, text=True
        )
        figures: Figures = {}
        assert up.stdout is not None
        for line in up.stdout:
            if "API server" in line:
                figures["API ready"] = time.perf_counter() - began
            elif "Ready" in line and "nodes" in line:
                figures["two nodes Ready"] = time.perf_counter() - began
        if up.wait() != 0:
            raise SystemExit("knarr up failed")
        cluster = config.find(name)
        assert cluster is not None
        if cluster.runtime == "sandbox":
            subprocess.run(
                [*KNARR, "image", "build", "--name", name, "-t", "kubia-stored", str(ROOT / "examples/kubia")]
            )
        connect = partial(readiness.connect, cluster)
        figures |= kubia(connect, kubeconfig_file, MANIFEST.read_text())
        figures["server memory"] = memory(server(cluster))
        return figures
    finally:
        subprocess.run([*KNARR, "down", "--name", name, "--delete-data"], stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


def external(file: Path, image: str) -> Figures:
    """Run kubia on the cluster of a kubeconfig, and remove it again."""
    manifest = MANIFEST.read_text()
    if image:
        manifest = manifest.replace("image: kubia-stored", f"image: {image}").replace("imagePullPolicy: Never", "")
    try:
        return kubia(connection(file), file, manifest)
    finally:
        for kind in ("statefulset,service/kubia", "pvc --all"):
            subprocess.run(["kubectl", "--kubeconfig", str(file), "delete", *kind.split()], stdout=subprocess.DEVNULL)


def connection(file: Path) -> Connect:
    """How to reach the current context of a kubeconfig; the token, when there is one, goes with each request."""
    found = kubeconfig.load(file)
    context = ssl.create_default_context(cadata=found.ca.decode() if found.ca else None)
    if found.certificate and found.key:
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(found.certificate + b"\n" + found.key)
            pair.flush()
            context.load_cert_chain(pair.name)
    at = urlsplit(found.server)
    return lambda: HTTPSConnection(at.hostname or "", at.port, context=context, timeout=300)


def kubia(connect: Connect, file: Path, manifest: str) -> Figures:
    """Apply kubia, wait for three ready pods, replace one."""
    figures: Figures = {}
    with Observer(connect, "/api/v1/namespaces/default/pods") as pods:
        began = time.perf_counter()
        subprocess.run(
            ["kubectl", "--kubeconfig", str(file), "apply", "-f", "-"], input=manifest, text=True, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        names = {f"kubia-{n}" for n in range(3)}
        pods.wait("three ready pods", lambda p: names <= p.keys() and all(ready(p[n]) for n in names), 120)
        figures["kubia 3/3 Ready after apply"] = time.perf_counter() - began
        old = pods.objects["kubia-1"]["metadata"]["uid"]
        gone = threading.Event()
        moment: list[float] = []

        def replaced(seen: dict[str, dict[str, object]]) -> bool:
            pod = pods.objects.get("kubia-1")
            if (pod is None or pod["metadata"]["uid"] != old) and not gone.is_set():
                gone.set()
                moment.append(time.perf_counter())
            return pod is not None and pod["metadata"]["uid"] != old and ready(pod)

        subprocess.run(
            ["kubectl", "--kubeconfig", str(file), "delete", "pod", "kubia-1", "--wait=false"],
            stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        pods.wait("a new kubia-1", replaced, 120)
        figures["replacement Ready after the old pod is gone"] = time.perf_counter() - moment[0]
    return figures


def report(runs: list[Figures]) -> None:
    """Medians, the range, and how the median compares with the goal."""
    print(f"{'':<46}{'median':>9}{'least':>9}{'most':>9}{'goal':>9}{'ratio':>8}")
    for name in runs[0]:
        values = [run[name] for run in runs]
        middle = statistics.median(values)
        goal = GOALS[name]
        print(f"{name:<46}{middle:>9.2f}{min(values):>9.2f}{max(values):>9.2f}{goal:>9.2f}{middle / goal:>8.2f}")


def plot(runs: list[Figures], file: Path) -> None:
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(9, 4))
    names = [name for name in runs[0] if name != "server memory"]
    axes.boxplot([[run[name] for run in runs] for name in names], vert=False, tick_labels=names)
    axes.plot([GOALS[name] for name in names], range(1, len(names) + 1), "r|", markersize=20, label="goal")
    axes.set_xlabel("seconds")
    axes.legend()
    figure.tight_layout()
    figure.savefig(file)
