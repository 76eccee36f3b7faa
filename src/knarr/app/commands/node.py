"""`knarr node stop|start NAME`."""

import click

from knarr.app import agents, lookup


@click.group("node")
def command() -> None:
    """Kill or revive one node's agent; its pods' processes go on without it."""


def _options(function: click.decorators.FC) -> click.decorators.FC:
    cluster = click.option("--name", "cluster_name", default="knarr", show_default=True, help="The cluster.")
    return cluster(click.argument("node")(function))


@command.command("stop")
@_options
def stop(cluster_name: str, node: str) -> None:
    """Kill the agent of NODE, as a crash would."""
    cluster = lookup.running(cluster_name)
    agents.kill(cluster, agents.check(cluster, node))
    click.echo(f"agent of node {node} killed")


@command.command("start")
@_options
def start(cluster_name: str, node: str) -> None:
    """Revive the agent of NODE, and return when it answers."""
    cluster = lookup.running(cluster_name)
    started = agents.start(cluster, agents.check(cluster, node))
    agents.wait_listening(cluster, node)
    click.echo(f"agent of node {node} started" if started else f"agent of node {node} is running already")
