"""Starting a cluster: check first, then the server, the network and the nodes, then the kubeconfig.

Whatever fails after the checks ends what was started, so a failed `knarr up` leaves nothing running that did not run
before. Agents and pods that outlived a crashed server are left alone: the new server finds them as they are.
"""

import contextlib
import fcntl
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click

from knarr.app import address_ranges, agents, config, host_checks, lookup, processes, shutdown
from knarr.app.config import Cluster, ConfigError
from knarr.meta import clock
from knarr.server import pki

PORT = 6443
CHANGEABLE = (
    "nodes",
    "simulated",
    "simulation",
    "runtime",
    "port",
    "store",
    "controllers",
    "token_auth_file",
    "kubeconfig",
    "load_balancer_addresses",
    "service_cidr",
    "cluster_cidr",
    "seccomp_default",
)  #: what a later `knarr up` may wish for anew
SERVER_SECONDS = 60.0  #: how long the API server may take to answer
NODE_SECONDS, NODE_SECONDS_EACH = 60.0, 0.03  #: how long all nodes may take to become Ready, and each of thousands


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line said; None is "as before, or the default"."""

    name: str = "knarr"
    data_dir: Path | None = None
    nodes: int | None = None
    simulated: int | None = None
    simulation: Path | None = None
    runtime: str | None = None
    port: int | None = None
    store: str | None = None
    controllers: bool | None = None
    token_auth_file: Path | None = None
    kubeconfig: Path | None = None
    upstream_dns: tuple[str, ...] = ()
    load_balancer_addresses: str | None = None
    service_cidr: str | None = None
    cluster_cidr: str | None = None
    seccomp_default: bool | None = None


def up(wishes: Wishes, *, foreground: bool = False) -> Cluster:
    """Start the cluster that was wished for; return when its API answers and its nodes are Ready."""
    config.check_name(wishes.name)
    known = config.find(wishes.name)
    if known and lookup.server_alive(known):
        click.echo(f'cluster "{known.name}" is running already at {known.url}; knarr status shows it')
        return known
    cluster = decide(wishes, known)
    say_runtime(cluster, wishes)
    host_checks.check_host(cluster)
    with locked(cluster):
        try:
            begin(cluster, known)
        except OSError as error:  # a full disk, say
            raise ConfigError(f"cannot start cluster {cluster.name!r}: {error}") from error
    _next_steps(cluster)
    if foreground:
        _stay(cluster)
    return cluster


def begin(cluster: Cluster, known: Cluster | None) -> None:
    """Start what does not run; on failure take back what this start began, and only that."""
    before = cluster.file.read_bytes() if cluster.file.exists() else None
    living = shutdown.end_misfits(cluster, known)
    config.save(cluster)
    try:
        _start(cluster)
    except BaseException:
        shutdown.stop_processes(cluster, keep=living)
        if not living:
            shutdown.clean(cluster)
        config.restore(cluster, before)
        if before is None:
            shutil.rmtree(cluster.data_dir)
        raise


def decide(wishes: Wishes, known: Cluster | None) -> Cluster:
    """The configuration to start with: what the cluster was, changed by what is wished for."""
    data_dir = (wishes.data_dir or (known.data_dir if known else config.home() / wishes.name)).absolute()
    before = config.load(data_dir)
    if before is not None and before.name != wishes.name:
        raise ConfigError(f"{data_dir} holds the data of cluster {before.name!r}, not of {wishes.name!r}")
    if before is None and data_dir.is_dir() and any(data_dir.iterdir()):
        raise ConfigError(f"{data_dir} is not empty and holds no cluster; choose another --data-dir")
    base = before or Cluster(
        name=wishes.name,
        data_dir=data_dir,
        index=config.free_index(wishes.name),
        runtime="sandbox" if os.geteuid() == 0 and sys.platform == "linux" else "simulated",
        port=PORT,
    )
    asked = {field: value for field in CHANGEABLE if (value := getattr(wishes, field)) is not None}
    if wishes.upstream_dns:
        asked["upstream_dns"] = resolvers(wishes.upstream_dns)
    if before is not None and asked.get("runtime", before.runtime) != before.runtime:
        raise ConfigError(f"cluster {before.name!r} has runtime {before.runtime}; it cannot become {wishes.runtime}")
    for field in ("token_auth_file", "kubeconfig", "simulation"):
        if field in asked:
            asked[field] = asked[field].absolute()
    cluster = replace(base, **asked)
    address_ranges.check(cluster, before)
    if cluster.port == 0:
        return replace(
            cluster, port=before.port if before and host_checks.is_free(before.port) else host_checks.free_port()
        )
    return cluster


def resolvers(given: tuple[str, ...]) -> tuple[str, ...]:
    """What was given, when each is an address with or without a port; else ConfigError."""
    from knarr.net.forward import place_of

    for each in given:
        try:
            place_of(each)
        except ValueError as error:
            raise ConfigError(f"--upstream-dns {each}: must be an address or address:port: {error}") from None
    return given


def say_runtime(cluster: Cluster, wishes: Wishes) -> None:
    if wishes.runtime:
        return
    why = {"sandbox": "root on Linux", "simulated": "not root, so pods are simulated and run no processes"}
    click.echo(f"runtime {cluster.runtime} ({why.get(cluster.runtime, 'as before')})")


@contextlib.contextmanager
def locked(cluster: Cluster) -> Iterator[None]:
    """Hold the data directory while starting, so that two `knarr up` do not start it twice."""
    for folder in (cluster.data_dir, cluster.run):  # first the outer one: parents are made for everybody to read
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    with (cluster.run / "up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"another knarr up is starting cluster {cluster.name!r}") from error
        yield


class Progress:
    """One line for each part as it becomes ready, with the seconds since the start."""

    def __init__(self) -> None:
        self.began = clock.unix()

    def done(self, part: str, detail: str) -> None:
        click.echo(f" ✓ {part:<12} {detail:<44} {clock.unix() - self.began:5.2f} s")


def _start(cluster: Cluster) -> None:
    progress, since = Progress(), clock.timestamp()
    with ServerStart(cluster) as server:
        from knarr.app import certificates, readiness  # loaded while the server loads too

        certificates.ensure_all(cluster)
        server.certificates_made()
        if cluster.runtime != "simulated":
            from knarr.app import network

            network.create(cluster)
            progress.done("network", f"{cluster.network.nodes} on {cluster.network.bridge}")
        write_kubeconfig(cluster, lookup.admin_kubeconfig(cluster))
        server.wait("ready")
        progress.done("API server", cluster.url)
    names = cluster.node_names
    begun = [node for node in cluster.real_names if agents.start(cluster, node)]
    fresh = [*begun, *(plan.name for plan in cluster.simulated_nodes)]
    write_kubeconfig(cluster, cluster.kubeconfig)
    readiness.forget_surplus_nodes(cluster)
    if names:
        readiness.wait_nodes_ready(cluster, NODE_SECONDS + len(names) * NODE_SECONDS_EACH, fresh, since)
        for node in begun:  # what is Ready since the second in which this start began, may be an earlier agent's word
            agents.wait_listening(cluster, node)
        progress.done("nodes", f"{', '.join(names) if len(names) < 4 else f'{len(names)} nodes'} Ready")


class ServerStart:
    """The server process while it starts: it hears when its certificates are made, and says `ready` or `error: why`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.reader, ready = os.pipe()
        made, self.writer = os.pipe()
        self.process = processes.spawn(
            "knarr.app.server",
            ["--data-dir", str(cluster.data_dir), "--pki-fd", str(made), "--ready-fd", str(ready)],
            pid_file=lookup.pid_file(cluster, lookup.SERVER),
            log=lookup.log_file(cluster, lookup.SERVER),
            env=pki.Pki(cluster.pki).trust,
            pass_fds=[made, ready],
        )
        os.close(made)
        os.close(ready)

    def __enter__(self) -> "ServerStart":
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self.reader)
        os.close(self.writer)

    def certificates_made(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended; `wait` says so
            os.write(self.writer, b"\n")

    def wait(self, word: str) -> None:
        """Wait until the server says `word`; ConfigError when it says an error, ends, or takes too long."""
        said = b""
        while not said.endswith(b"\n"):
            if not select.select([self.reader], [], [], SERVER_SECONDS)[0]:
                raise ConfigError(f"the API server did not answer in {SERVER_SECONDS:.0f} s; {self._log()}")
            chunk = os.read(self.reader, 4096)
            if not chunk:
                raise ConfigError(f"the API server ended while starting; {self._log()}")
            said += chunk
        line = said.decode().strip()
        if line != word:
            raise ConfigError(line.removeprefix("error: "))

    def _log(self) -> str:
        return f"its log is {lookup.log_file(self.cluster, lookup.SERVER)}"


def write_kubeconfig(cluster: Cluster, path: Path | None) -> None:
    """Merge the cluster, with its admin, into the kubeconfig at `path`; None is the user's own."""
    from knarr.client import kubeconfig

    certificates = pki.Pki(cluster.pki)
    entry = kubeconfig.Entry(
        name=cluster.name,
        server=cluster.url,
        ca=certificates.ca.read_bytes(),
        certificate=certificates.admin.certificate.read_bytes(),
        key=certificates.admin.key.read_bytes(),
    )
    kubeconfig.merge(entry, path=path)


def _next_steps(cluster: Cluster) -> None:
    where = f" --kubeconfig {cluster.kubeconfig}" if cluster.kubeconfig else ""
    click.echo(f'context "{cluster.name}" is current. Try:\n')
    click.echo(f"    kubectl{where} get nodes\n    kubectl{where} get pods -A\n    knarr down{_name(cluster)}\n")


def _name(cluster: Cluster) -> str:
    return "" if cluster.name == "knarr" else f" --name {cluster.name}"


def _stay(cluster: Cluster) -> None:
    """Follow the server's log until Ctrl-C or its end, then stop the cluster."""
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    recorded = processes.read(lookup.pid_file(cluster, lookup.SERVER))
    try:
        with lookup.log_file(cluster, lookup.SERVER).open() as log:
            while recorded is not None and recorded.alive:
                for line in log:
                    click.echo(line, nl=False)
                time.sleep(0.2)
    except KeyboardInterrupt:
        click.echo(f'stopping cluster "{cluster.name}"')
    shutdown.stop(cluster)
