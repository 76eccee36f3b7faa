"""The network of a sandbox cluster, as commands make it and take it down: all of it is blocking here."""

import asyncio

from knarr.app.config import Cluster
from knarr.net import namespace, podnetwork


def create(cluster: Cluster) -> None:
    """The host's side first, then each node's namespace and wire."""

    async def build() -> None:
        await podnetwork.create_cluster_network(cluster.network)
        for number in range(cluster.nodes):
            await podnetwork.add_node(cluster.network, number)

    asyncio.run(build())


def ensure_node(cluster: Cluster, name: str) -> None:
    """Wire a node whose namespace is gone, as a reboot leaves it; one that has its own stays as it is, or cut off."""
    node = cluster.node(name)
    if node.namespace not in namespace.names():
        asyncio.run(podnetwork.add_node(cluster.network, node.number))


def remove_node(cluster: Cluster, name: str) -> None:
    """Take away a node that the cluster may no longer count among its own."""
    asyncio.run(podnetwork.remove_node(cluster.network, int(name.rpartition("-")[2])))


def delete(cluster: Cluster) -> None:
    """Take away all of it, also what a crash left."""
    asyncio.run(podnetwork.delete_cluster_network(cluster.network))
