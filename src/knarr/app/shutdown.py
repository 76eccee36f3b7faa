"""Stopping a cluster, so that nothing of it is left: what `knarr down` does, and `knarr up` after a crash."""

import asyncio
import shutil

from knarr.app import config, lookup, processes
from knarr.app.config import Cluster, ConfigError


def stop(cluster: Cluster) -> None:
    """End every process, take the pods and the network down, and drop the kubeconfig's context."""
    stop_processes(cluster)
    clean(cluster)
    from knarr.client import kubeconfig

    kubeconfig.remove(cluster.name, path=cluster.kubeconfig)


def stop_processes(cluster: Cluster) -> None:
    """End the agents, then the server, so that the last status still finds its way."""
    for name in node_processes(cluster):
        processes.end(lookup.pid_file(cluster, name))
    processes.end(lookup.pid_file(cluster, lookup.SERVER), grace=15)


def stop_leftovers(cluster: Cluster) -> None:
    """Before a start: end the agents that outlived a crashed server, and remove what it left on the host."""
    if cluster.file.is_file():
        stop_processes(cluster)
        clean(cluster)


def clean(cluster: Cluster) -> None:
    """Remove what pods and network have left on the host, from a stop or a crash. Needs no running process."""
    if cluster.runtime == "simulated":
        return
    from knarr.net import podnetwork
    from knarr.node.runtimes.sandbox import cleaning

    for name in cluster.node_names:
        cleaning.clean_node(cluster.node_folder(name))
    asyncio.run(podnetwork.delete_cluster_network(cluster.network))


def node_processes(cluster: Cluster) -> list[str]:
    """The node agents that have a pid file, those of nodes scaled away included."""
    names = (file.stem for file in cluster.run.glob("*.pid"))
    return sorted(name for name in names if name != lookup.SERVER)


def delete_data(cluster: Cluster) -> None:
    """Delete the data directory. Refuses one that is no cluster's."""
    if not cluster.file.is_file():
        raise ConfigError(f"{cluster.data_dir}: holds no cluster; nothing deleted")
    shutil.rmtree(cluster.data_dir)
    config.forget(cluster)
