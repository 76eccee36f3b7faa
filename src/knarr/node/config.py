"""What one agent is told when it starts. `knarr.app` writes it; `knarr.node.main` and tests read it."""

import json
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

KUBELET_VERSION = "v1.37.0"


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """One node. Paths that are None switch off what needs them: certificates for HTTPS, folders for files."""

    name: str
    node_ip: str
    folder: Path
    cluster: str = "knarr"
    second_node_ip: str = ""  #: of the second address family, in a cluster of two
    pod_cidr: str = ""
    second_pod_cidr: str = ""
    service_cidr: str = ""  #: the cluster's, of which those of the node are parts
    cluster_cidr: str = ""
    dns_ip: str = ""
    domain: str = "cluster.local"
    runtime: str = "sandbox"
    port: int = 10250  #: of the kubelet API; 0 takes any free one
    images: Path | None = None
    hidden: tuple[Path, ...] = ()  #: places of the host no pod may see
    api_url: str = ""
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    serving_cert: Path | None = None
    serving_key: Path | None = None
    max_pods: int = 110
    seccomp_default: bool = False  #: RuntimeDefault for containers that name no profile, as the kubelet's flag
    heartbeat: float = 10.0  #: seconds between renewals of the lease, which lasts four times as long

    @property
    def lease_seconds(self) -> int:
        """Upstream's nodeLeaseDurationSeconds."""
        return max(1, round(4 * self.heartbeat))

    @property
    def node_ips(self) -> tuple[str, ...]:
        """The node's addresses, the first family's first."""
        return (self.node_ip, self.second_node_ip) if self.second_node_ip else (self.node_ip,)

    @property
    def pod_cidrs(self) -> tuple[str, ...]:
        """The ranges of its pods' addresses, the first family's first."""
        return tuple(each for each in (self.pod_cidr, self.second_pod_cidr) if each)

    @property
    def report(self) -> float:
        """Seconds between reports of an unchanged status: upstream's nodeStatusReportFrequency."""
        return 30 * self.heartbeat

    @cached_property
    def volumes(self) -> Path:
        """Where the directories of local-path volumes are."""
        return self.folder / "volumes"

    @cached_property
    def pods(self) -> Path:
        """Where the files of running pods are: one folder per uid."""
        return self.folder / "pods"

    @cached_property
    def seccomp(self) -> Path:
        """Where seccomp profiles of type Localhost are."""
        return self.folder / "seccomp"

    @cached_property
    def logs(self) -> Path:
        """Where the containers' logs are."""
        return self.folder / "logs"


PATHS = frozenset({"folder", "images", "ca", "cert", "key", "serving_cert", "serving_key"})


def read(file: Path) -> NodeConfig:
    """The configuration in a JSON file; keys this version does not know are ignored."""
    return from_tree(json.loads(file.read_bytes()))


def from_tree(tree: dict[str, Any]) -> NodeConfig:
    """The configuration a JSON object describes."""
    known = {field.name for field in fields(NodeConfig)}
    given: dict[str, Any] = {key: value for key, value in tree.items() if key in known and value is not None}
    hidden = tuple(map(Path, given.get("hidden", ())))
    return NodeConfig(**(given | {key: Path(given[key]) for key in PATHS & given.keys()} | {"hidden": hidden}))
