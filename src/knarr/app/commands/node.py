"""`knarr node ls`, `knarr node stop|start|partition|heal NODE`, `knarr node scale N`."""

import click

from knarr.app import agents, lookup, node_counts, readiness


@click.group("node")
def command() -> None:
    """List, kill, revive, cut off and reconnect nodes; have more or fewer simulated ones."""


_cluster = click.option("--name", "cluster_name", default="knarr", show_default=True, help="The cluster.")


def _options(function: click.decorators.FC) -> click.decorators.FC:
    return _cluster(click.argument("node")(function))


@command.command("ls")
@_cluster
def ls(cluster_name: str) -> None:
    """List the nodes: whether their agents run, whether they are cut off, and what the API says of them."""
    cluster = lookup.running(cluster_name)
    ready = readiness.ready_nodes(cluster)
    click.echo(f"{'NAME':<24} {'RUNTIME':<12} {'AGENT':<8} {'NETWORK':<8} {'READY':<8} {'ADDRESS':<16} PODS")
    for node in agents.states(cluster):
        agent, network = ("running" if node.agent else "stopped"), ("cut" if node.cut else "up")
        known = ready.get(node.name, "unknown")
        click.echo(
            f"{node.name:<24} {node.runtime:<12} {agent:<8} {network:<8} {known:<8} {node.address:<16} {node.pods}"
        )


@command.command("stop")
@_options
def stop(cluster_name: str, node: str) -> None:
    """Kill the agent of NODE, as a crash would; its pods go on without it."""
    cluster = lookup.running(cluster_name)
    killed = agents.kill(cluster, agents.check(cluster, node))
    click.echo(f"agent of node {node} killed" if killed else f"agent of node {node} does not run")


@command.command("start")
@_options
def start(cluster_name: str, node: str) -> None:
    """Revive the agent of NODE, and return when it answers."""
    cluster = lookup.running(cluster_name)
    started = agents.start(cluster, agents.check(cluster, node))
    agents.wait_listening(cluster, node)
    click.echo(f"agent of node {node} started" if started else f"agent of node {node} is running already")


@command.command("partition")
@_options
def partition(cluster_name: str, node: str) -> None:
    """Cut NODE off: it cannot reach the API, and its pods go on."""
    cluster = lookup.running(cluster_name)
    cut = agents.partition(cluster, agents.check(cluster, node))
    click.echo(f"node {node} cut off" if cut else f"node {node} is cut off already")


@command.command("heal")
@_options
def heal(cluster_name: str, node: str) -> None:
    """Reconnect NODE after `partition`."""
    cluster = lookup.running(cluster_name)
    healed = agents.heal(cluster, agents.check(cluster, node))
    click.echo(f"node {node} reconnected" if healed else f"node {node} was not cut off")


@command.command("scale")
@_cluster
@click.argument("count", metavar="[simulated=]N")
def scale(cluster_name: str, count: str) -> None:
    """Have N simulated nodes, and return when they are registered or gone. The last ones go first."""
    cluster = lookup.running(cluster_name)
    wanted = node_counts.scaled(count)
    before = agents.scale(cluster, wanted)
    click.echo(f"simulated nodes: {wanted} (before: {before})")
