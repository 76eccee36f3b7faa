"""Whether this host can run a cluster as it is wished for: asked before anything is started. Changes nothing."""

import socket
from pathlib import Path

import click

from knarr.app import balancers, config
from knarr.app.config import Cluster, ConfigError
from knarr.app.node_counts import REAL_NODES
from knarr.meta import clock

UNDEALT = range(16384, 30000)  #: below the ports of Linux's connections and those of services on nodes
TRIES = 64  #: of these until one is free


def check_host(cluster: Cluster) -> None:
    """Raise ConfigError when this host cannot run the cluster; changes nothing."""
    if cluster.token_auth_file and not cluster.token_auth_file.is_file():
        raise ConfigError(f"--token-auth-file {cluster.token_auth_file}: no such file")
    if cluster.simulation:
        check_stages(cluster.simulation)
    if cluster.runtime != "simulated" and cluster.nodes > REAL_NODES:
        raise ConfigError(f"--nodes {cluster.nodes}: at most {REAL_NODES} of runtime {cluster.runtime}")
    balancers.check(cluster)
    if cluster.runtime != "simulated":
        check_range(cluster)
    if not is_free(cluster.port):
        raise ConfigError(f"port {cluster.port} on 127.0.0.1 is busy; try --port 0")
    if cluster.runtime == "containerd":
        from knarr.node.runtimes.containerd.daemon import missing as missing_for_containerd

        if missing := missing_for_containerd():
            raise ConfigError(f"this host cannot run containerd: {'; '.join(missing)}; try --runtime simulated")
    if cluster.runtime == "sandbox":
        from knarr.node.runtimes.sandbox.host import check_host as check_sandbox
        from knarr.node.runtimes.sandbox.host import shortcomings

        if missing := check_sandbox(cluster.data_dir):
            raise ConfigError(f"this host cannot run sandboxes: {'; '.join(missing)}; try --runtime simulated")
        for lack in shortcomings():
            click.echo(f"note: {lack}")


def check_range(cluster: Cluster) -> None:
    """Raise ConfigError when the cluster's addresses, or the names of its nodes, are in use by another cluster."""
    plan = cluster.network
    for index, alias in config.bridges().items():
        if alias == plan.alias:
            continue
        if index == cluster.index:
            owner = alias or "something else"
            raise ConfigError(
                f"the addresses of cluster {cluster.name!r} are in use: bridge {plan.bridge} is of {owner}"
            )
        if f"{alias} ".startswith(f"knarr cluster {cluster.name} "):
            raise ConfigError(
                f"another cluster {cluster.name!r} has nodes on this host (knarr{index}); choose another --name"
            )


def check_stages(file: Path) -> None:
    """Raise ConfigError when a file of stages cannot be."""
    from knarr.node.simulation.parse import parse_file
    from knarr.node.simulation.values import Bad

    try:
        parse_file(file)
    except OSError as error:
        raise ConfigError(f"--simulation {file}: {error.strerror}") from error
    except Bad as error:
        raise ConfigError(f"--simulation {error}") from error


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of the loopback address that nobody listens on; where one is, not of those that the system deals out.

    Else a client's connection or another server could be given it before our server listens, or while it is restarted.
    """
    for port in clock.rng().sample(UNDEALT, TRIES):
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dealt: int = probe.getsockname()[1]
        return dealt
