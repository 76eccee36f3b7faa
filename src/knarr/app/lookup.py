"""Finding a cluster and what runs of it: shared by the commands."""

from dataclasses import dataclass
from pathlib import Path

from knarr.app import config, processes
from knarr.app.config import Cluster, ConfigError

SERVER = "server"


def existing(name: str) -> Cluster:
    """The cluster of that name; ConfigError when there is none."""
    cluster = config.find(config.check_name(name))
    if cluster is None:
        known = ", ".join(other.name for other in config.known()) or "none"
        raise ConfigError(f"no cluster {name!r} (known: {known}); knarr up --name {name} starts one")
    return cluster


def running(name: str) -> Cluster:
    """The cluster of that name, whose server runs; ConfigError otherwise."""
    cluster = existing(name)
    if not server_alive(cluster):
        raise ConfigError(f"cluster {name!r} is not running; knarr up --name {name} starts it")
    return cluster


def pid_file(cluster: Cluster, process: str) -> Path:
    return cluster.run / f"{process}.pid"


def log_file(cluster: Cluster, process: str) -> Path:
    return cluster.run / f"{process}.log"


def containerd_pid_file(cluster: Cluster, node: str) -> Path:
    """Beside the node's records, not among the agents': a node's containerd lives as long as the node."""
    return cluster.node_folder(node) / "containerd.pid"


def server_alive(cluster: Cluster) -> bool:
    return processes.read(pid_file(cluster, SERVER)) is not None


def admin_kubeconfig(cluster: Cluster) -> Path:
    """The kubeconfig in the data directory, for `knarr` itself: only this cluster, as admin."""
    return cluster.data_dir / "admin.kubeconfig"


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process of a cluster, as `knarr status` shows it."""

    name: str
    pid: int | None


def process_states(cluster: Cluster) -> list[ProcessState]:
    names = [SERVER, *cluster.real_names]
    found = [(name, processes.read(pid_file(cluster, name))) for name in names]
    if cluster.runtime == "containerd":
        daemons = [(f"{name}.containerd", containerd_pid_file(cluster, name)) for name in cluster.real_names]
        found += [(name, processes.read(file)) for name, file in daemons]
    return [ProcessState(name, recorded.pid if recorded else None) for name, recorded in found]
