"""Which certificates a cluster has, under which names and addresses. `knarr.server.issuing` makes them.

`ensure_all` is called at each start and makes only what is missing, so a cluster keeps its identity over restarts.
"""

from knarr.app.config import Cluster
from knarr.net.plan import SIMULATED_NODES
from knarr.server.issuing import ensure
from knarr.server.pki import Pki

SPARE = 250  #: simulated nodes that one certificate is made for at once


def ensure_all(cluster: Cluster) -> Pki:
    """Make what is missing of a cluster's certificates: for its server, its admin and its nodes."""
    return ensure(
        cluster.pki, hosts=server_names(cluster), nodes=node_addresses(cluster), simulated=simulated_addresses(cluster)
    )


def server_names(cluster: Cluster) -> list[str]:
    """Under which names and addresses clients may reach the API server."""
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    return ["localhost", "127.0.0.1", *service, cluster.network.api, *cluster.network.hosts]


def node_addresses(cluster: Cluster) -> list[tuple[str, str]]:
    return [(name, cluster.network.node(number).addresses[0]) for number, name in enumerate(cluster.real_names)]


def simulated_addresses(cluster: Cluster) -> list[str]:
    """The addresses of the simulated nodes and of some more to come, so that few more need no new certificate."""
    nodes = cluster.simulated_nodes
    if not nodes:
        return []
    alone = cluster.runtime == "simulated"
    count = min(SIMULATED_NODES, -(-len(nodes) // SPARE) * SPARE)
    return ["127.0.0.1", *(cluster.network.simulated(number, alone=alone).address for number in range(count))]
