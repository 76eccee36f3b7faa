"""A cluster's configuration: what `knarr up` decided once and every later command and process reads.

It lies as `cluster.json` in the cluster's data directory. Where that directory is, is noted by name in `home()`,
so `knarr down --name X` finds a cluster that was started with `--data-dir`.
"""

import hashlib
import json
import os
import re
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from knarr.net.plan import CLUSTERS, NetworkPlan, NodePlan, SimulatedPlan

FORMAT = 1  #: of cluster.json; a newer one is refused
NAME = re.compile(r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?")
RUNTIMES = ("sandbox", "containerd", "simulated")


class ConfigError(Exception):
    """What the user asked for cannot be; the message is one line and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One cluster: its name, its place and its addresses."""

    name: str
    data_dir: Path
    index: int = 0  #: which of the host's address ranges it has
    nodes: int = 1  #: of its runtime
    runtime: str = "sandbox"
    simulated: int = 0  #: how many simulated nodes it has beside real ones
    simulation: Path | None = None  #: the file of stages of simulated pods and nodes
    controllers: bool = True  #: whether the server runs them; else somebody else must
    store: str = "sqlite"
    port: int = 6443
    kubeconfig: Path | None = None
    token_auth_file: Path | None = None
    upstream_dns: tuple[str, ...] = ()
    load_balancer_addresses: str = ""  #: "first-last,a.b.c.d/n"
    service_cidr: str = ""  #: ranges of one family or two; "" as usual
    cluster_cidr: str = ""
    seccomp_default: bool = False  #: RuntimeDefault for containers of its real nodes that name no profile

    @property
    def node_names(self) -> list[str]:
        return [*self.real_names, *(plan.name for plan in self.simulated_nodes)]

    @property
    def real_names(self) -> list[str]:
        """The nodes that are processes."""
        return [] if self.runtime == "simulated" else [f"{self.name}-{number}" for number in range(self.nodes)]

    @property
    def simulated_nodes(self) -> list[SimulatedPlan]:
        """The places of its simulated nodes."""
        alone = self.runtime == "simulated"
        count = self.nodes if alone else self.simulated
        return [self.network.simulated(number, alone=alone) for number in range(count)]

    @property
    def network(self) -> NetworkPlan:
        mark = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        return NetworkPlan(
            self.name, self.index, self.load_balancer_addresses, mark, self.service_cidr, self.cluster_cidr
        )

    def node(self, name: str) -> NodePlan:
        """The place of one of its real nodes in the network."""
        return self.network.node(self.real_names.index(name))

    def is_simulated(self, name: str) -> bool:
        """Whether a node of its is one."""
        return name not in self.real_names

    def with_simulated(self, count: int) -> "Cluster":
        """The same cluster with that many simulated nodes."""
        return replace(self, nodes=count) if self.runtime == "simulated" else replace(self, simulated=count)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def pki(self) -> Path:
        return self.data_dir / "pki"

    @property
    def run(self) -> Path:
        """Pids and logs of the processes, and the control socket."""
        return self.data_dir / "run"

    @property
    def images(self) -> Path:
        return self.data_dir / "images"

    def node_folder(self, name: str) -> Path:
        return self.data_dir / "nodes" / name

    @property
    def file(self) -> Path:
        return self.data_dir / "cluster.json"


def home() -> Path:
    """Where clusters are noted by name, and where their data lies by default. `$KNARR_HOME` overrides it."""
    if given := os.environ.get("KNARR_HOME"):
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/lib/knarr")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "knarr"


def check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"cluster name {name!r}: must be 1 to 20 lower case letters, digits and dashes, beginning with a letter"
        )
    return name


def find(name: str) -> Cluster | None:
    """The cluster noted under `name`, or None."""
    note = home() / "clusters" / name
    data_dir = Path(note.read_text().strip()) if note.is_file() else home() / name
    return load(data_dir)


def known() -> list[Cluster]:
    """Every cluster of this user."""
    names = sorted(note.name for note in (home() / "clusters").glob("*"))
    return [cluster for name in names if (cluster := find(name))]


def load(data_dir: Path) -> Cluster | None:
    """Read the configuration in a data directory; None when there is none. Raises ConfigError on a bad one."""
    file = data_dir / "cluster.json"
    if not file.is_file():
        return None
    try:
        raw = json.loads(file.read_text())
        version = raw.pop("format")
        if version > FORMAT:
            raise ConfigError(f"{file}: format {version} is of a newer knarr; this one reads up to {FORMAT}")
        return Cluster(**{**raw, **_from_json(raw), "data_dir": data_dir})
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: not a cluster's configuration: {error}") from error


def save(cluster: Cluster) -> None:
    """Write the configuration and note the cluster under its name."""
    cluster.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    raw: dict[str, Any] = {"format": FORMAT, **asdict(cluster)}
    raw.pop("data_dir")
    raw = {key: str(value) if isinstance(value, Path) else value for key, value in raw.items()}
    write_private(cluster.file, json.dumps(raw, indent=2) + "\n")
    notes = home() / "clusters"
    notes.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(notes / cluster.name, f"{cluster.data_dir}\n")


def restore(cluster: Cluster, before: bytes | None) -> None:
    """Undo a `save`: put back what the file held before, or take the cluster away again."""
    if before is not None:
        write_private(cluster.file, before.decode())
    else:
        cluster.file.unlink(missing_ok=True)
        forget(cluster)


def forget(cluster: Cluster) -> None:
    (home() / "clusters" / cluster.name).unlink(missing_ok=True)


def free_index(name: str) -> int:
    """The lowest address range that no other cluster of this host has, of this user's or of anybody's."""
    taken = {cluster.index for cluster in known() if cluster.name != name} | bridges().keys()
    free = [index for index in range(CLUSTERS) if index not in taken]
    if not free:
        raise ConfigError(f"all {CLUSTERS} address ranges are taken: knarr down --delete-data one of the clusters")
    return free[0]


def bridges() -> dict[int, str]:
    """The address ranges whose bridge is there, with the bridge's alias: whose it is."""
    if not sys.platform.startswith("linux"):
        return {}
    from knarr.net.netlink import Netlink

    with Netlink() as kernel:
        links = kernel.links()
    return {index: links[name] for index in range(CLUSTERS) if (name := f"knarr{index}") in links}


def _from_json(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        "kubeconfig": Path(raw["kubeconfig"]) if raw.get("kubeconfig") else None,
        "token_auth_file": Path(raw["token_auth_file"]) if raw.get("token_auth_file") else None,
        "simulation": Path(raw["simulation"]) if raw.get("simulation") else None,
        "upstream_dns": tuple(raw.get("upstream_dns", ())),
    }


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically, readable by its owner alone."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
