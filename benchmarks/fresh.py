"""A cluster of knarr's own to measure: fresh, durable, on simulated nodes, and removed in the end."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from knarr.app import config, lookup, processes
from knarr.app.config import Cluster

KNARR = [sys.executable, "-m", "knarr"]


@dataclass(frozen=True)
class Fresh:
    """A cluster, the folder that is removed with it, its kubeconfig in there, and the server's process."""

    cluster: Cluster
    folder: Path
    kubeconfig: Path
    server: int


@contextmanager
def fresh(nodes: int, *more: str) -> Iterator[Fresh]:
    """Start a cluster, with `more` arguments of `knarr up`; go on when its nodes are Ready."""
    folder = Path(tempfile.mkdtemp(prefix="knarr-benchmark-"))
    name, own = f"bench-{folder.name[-8:].lower().replace('_', 'x')}", folder / "kubeconfig"
    places = ["--data-dir", str(folder / "data"), "--kubeconfig", str(own), "--port", "0"]
    kind = ["--name", name, "--runtime", "simulated", "--nodes", str(nodes), "--upstream-dns", "127.0.0.1"]
    try:
        subprocess.run([*KNARR, "up", *kind, *places, *more], check=True, stdout=subprocess.DEVNULL)
        found = config.find(name)
        assert found is not None
        yield Fresh(found, folder, own, server(found))
    finally:
        subprocess.run([*KNARR, "down", "--name", name, "--delete-data"], stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


def server(cluster: Cluster) -> int:
    """The process of a cluster's server."""
    recorded = processes.read(lookup.pid_file(cluster, lookup.SERVER))
    assert recorded is not None
    return recorded.pid
