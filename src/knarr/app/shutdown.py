"""Stopping a cluster, so that nothing of it is left: what `knarr down` does, and a start that failed."""

import shutil
from collections.abc import Collection

from knarr.app import config, lookup, processes
from knarr.app.config import Cluster, ConfigError


def stop(cluster: Cluster) -> None:
    """End every process, take the pods and the network down, and drop the kubeconfig's context."""
    stop_processes(cluster)
    clean(cluster)
    from knarr.client import kubeconfig

    kubeconfig.remove(cluster.name, path=cluster.kubeconfig)


def stop_processes(cluster: Cluster, keep: Collection[str] = ()) -> None:
    """End the agents but those to keep, then the server, so that the last status still finds its way."""
    for name in node_processes(cluster):
        if name not in keep:
            processes.end(lookup.pid_file(cluster, name))
    processes.end(lookup.pid_file(cluster, lookup.SERVER), grace=15)


def end_misfits(cluster: Cluster, known: Cluster | None) -> list[str]:
    """Before a start: end the agents that do not fit the cluster any more, with their nodes; give those that live on.

    An agent that outlived a crashed server fits, unless the API has moved to another port.
    """
    surplus = [name for name in node_processes(cluster) if name not in cluster.real_names]
    for name in surplus:
        processes.end(lookup.pid_file(cluster, name))
        _remove_node(cluster, name)
    living = [name for name in cluster.real_names if processes.read(lookup.pid_file(cluster, name))]
    if known is not None and known.port != cluster.port:
        for name in living:
            processes.end(lookup.pid_file(cluster, name))
        return []
    return living


def _remove_node(cluster: Cluster, name: str) -> None:
    from knarr.app import network

    _clean_node(cluster, name)
    network.remove_node(cluster, name)


def _clean_node(cluster: Cluster, name: str) -> None:
    """End a node's pods, and what held them."""
    from knarr.node.volumes import mounts

    mounts.release(cluster.node_folder(name) / "pods")
    if cluster.runtime == "containerd":
        from knarr.node.runtimes.containerd import cleaning as containerd

        processes.end(lookup.containerd_pid_file(cluster, name))
        containerd.clean_node(cluster.node_folder(name))
        return
    from knarr.node.runtimes.sandbox import cleaning

    cleaning.clean_node(cluster.node_folder(name))


def clean(cluster: Cluster) -> None:
    """Remove what pods and network have left on the host, from a stop or a crash. Needs no running process."""
    if cluster.runtime == "simulated":
        return
    from knarr.app import network

    for name in cluster.real_names:
        _clean_node(cluster, name)
    network.delete(cluster)


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
