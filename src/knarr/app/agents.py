"""The node agents' processes: each in the network namespace of its node."""

import asyncio
import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from knarr.app import config, lookup, network, processes
from knarr.app.config import Cluster, ConfigError
from knarr.app.readiness import named
from knarr.meta import clock
from knarr.net import podnetwork
from knarr.server import pki

AGENT_PORT = 10250
SCALE_SECONDS = 300.0
PATIENCE, PAUSE = 60.0, 0.02  #: seconds


@dataclass(frozen=True, slots=True)
class State:
    """A node as this machine has it: whether its agent runs, and whether it is cut off."""

    name: str
    runtime: str
    agent: bool
    cut: bool
    address: str
    pods: str  #: the range of its pods' addresses


def states(cluster: Cluster) -> list[State]:
    """All nodes of a cluster that runs, the real ones first."""
    found = []
    for name in cluster.real_names:
        plan = cluster.node(name)
        alive = processes.read(lookup.pid_file(cluster, name)) is not None
        cut = podnetwork.is_cut(cluster.network, plan.number)
        found.append(State(name, cluster.runtime, alive, cut, plan.addresses[0], plan.pod_ranges[0]))
    said = ask(cluster, {"nodes": ""}) if cluster.simulated_nodes else {}
    assert isinstance(said, dict)
    for each in cluster.simulated_nodes:
        agent, cut = said.get(each.name, (False, False))
        found.append(State(each.name, "simulated", agent, cut, each.address, each.pods))
    return found


def check(cluster: Cluster, node: str) -> str:
    """`node`, when the cluster has it; ConfigError otherwise."""
    if node not in cluster.node_names:
        raise ConfigError(f"cluster {cluster.name!r} has no node {node!r}; it has {named(cluster.node_names)}")
    return node


def start(cluster: Cluster, node: str) -> bool:
    """Start a node's agent in the background; False when it runs already."""
    if cluster.is_simulated(node):
        return bool(ask(cluster, {"start": node}))
    if not processes.read(lookup.pid_file(cluster, node)):
        network.ensure_node(cluster, node)
    if cluster.runtime == "containerd":
        _start_containerd(cluster, node)
    if processes.read(lookup.pid_file(cluster, node)):
        return False
    folder = cluster.node_folder(node)
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    file = folder / "agent.json"
    config.write_private(file, json.dumps(configuration(cluster, node), indent=2))
    processes.spawn(
        "knarr.app.agent",
        ["--config", str(file)],
        pid_file=lookup.pid_file(cluster, node),
        log=lookup.log_file(cluster, node),
        netns=cluster.node(node).namespace,
        env=pki.Pki(cluster.pki).trust,
    )
    return True


def _start_containerd(cluster: Cluster, node: str) -> None:
    """Start the node's own containerd, unless it runs: it outlives the agent, as the pods do."""
    file = lookup.containerd_pid_file(cluster, node)
    if processes.read(file):
        return
    file.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    processes.spawn(
        "knarr.node.runtimes.containerd.daemon",
        [str(cluster.node_folder(node) / "containerd")],
        pid_file=file,
        log=lookup.log_file(cluster, f"{node}.containerd"),
        netns=cluster.node(node).namespace,
    )


def wait_listening(cluster: Cluster, node: str) -> None:
    """Return when a node's agent answers on its port; ConfigError when it does not in time."""
    if cluster.is_simulated(node):
        return
    address = cluster.node(node).addresses[0]  # where the agent listens
    deadline = clock.unix() + PATIENCE
    while True:
        try:
            socket.create_connection((address, AGENT_PORT), timeout=PATIENCE).close()
        except OSError as error:
            if clock.unix() > deadline:
                log = lookup.log_file(cluster, node)
                raise ConfigError(f"the agent of node {node!r} does not answer ({error}); see {log}") from error
            time.sleep(PAUSE)
        else:
            return


def kill(cluster: Cluster, node: str) -> bool:
    """Kill a node's agent at once, as a crash would; False when it does not run."""
    if cluster.is_simulated(node):
        return bool(ask(cluster, {"stop": node}))
    return processes.end(lookup.pid_file(cluster, node), hard=True)


def partition(cluster: Cluster, node: str) -> bool:
    """Cut a node off from the API, a real one from all others too; False when a simulated one is cut off already."""
    if cluster.is_simulated(node):
        return bool(ask(cluster, {"partition": node}))
    asyncio.run(podnetwork.cut_node(cluster.network, cluster.node(node).number))
    return True


def heal(cluster: Cluster, node: str) -> bool:
    """Undo `partition`; False when a simulated node was not cut off."""
    if cluster.is_simulated(node):
        return bool(ask(cluster, {"heal": node}))
    asyncio.run(podnetwork.heal_node(cluster.network, cluster.node(node).number))
    return True


def scale(cluster: Cluster, simulated: int) -> int:
    """Have that many simulated nodes; give how many there were. Returns when they are registered, or gone."""
    before = ask(cluster, {"scale": str(simulated)}, seconds=SCALE_SECONDS)
    assert isinstance(before, int)
    return before


def configuration(cluster: Cluster, node: str) -> dict[str, object]:
    """What `knarr.app.agent` reads."""
    plan = cluster.node(node)
    (node_ip, *more_ips), (pod_range, *more_ranges) = plan.addresses, plan.pod_ranges
    certificates = pki.Pki(cluster.pki)
    pair = certificates.node(node)
    return {
        "name": node,
        "cluster": cluster.name,
        "api_url": f"https://{cluster.network.host}:{cluster.port}",
        "ca": str(certificates.ca),
        "cert": str(pair.certificate),
        "key": str(pair.key),
        "serving_cert": str(pair.certificate),
        "serving_key": str(pair.key),
        "node_ip": node_ip,
        "second_node_ip": "".join(more_ips),
        "pod_cidr": pod_range,
        "second_pod_cidr": "".join(more_ranges),
        "service_cidr": ",".join(cluster.network.ranges.services),
        "cluster_cidr": ",".join(cluster.network.ranges.pods),
        "dns_ip": cluster.network.dns,
        "folder": str(cluster.node_folder(node)),
        "images": str(cluster.images),
        "hidden": [str(path) for path in secrets(cluster)],
        "runtime": cluster.runtime,
        "seccomp_default": cluster.seccomp_default,
        "port": AGENT_PORT,
    }


def secrets(cluster: Cluster) -> list[Path]:
    """What of the cluster no pod may see: its data, and the files outside that let one in."""
    from knarr.client import kubeconfig

    tokens = [cluster.token_auth_file] if cluster.token_auth_file else []
    return [config.home(), cluster.data_dir, *kubeconfig.paths(cluster.kubeconfig), *tokens]


def ask(cluster: Cluster, question: dict[str, str], seconds: float = PATIENCE) -> object:
    """Ask the server process over its control socket; ConfigError with what it says when it refuses."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(seconds)
        link.connect(str(control_socket(cluster)))
        link.sendall(json.dumps(question).encode() + b"\n")
        answer = json.loads(link.makefile().readline())
    if "error" in answer:
        raise ConfigError(answer["error"])
    return answer["result"]


def control_socket(cluster: Cluster) -> str:
    return str(cluster.run / "control.sock")
