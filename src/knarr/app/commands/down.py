"""`knarr down`."""

import click

from knarr.app import lookup, shutdown


@click.command("down")
@click.option("--name", default="knarr", show_default=True, help="The cluster.")
@click.option("--delete-data", is_flag=True, help="Delete the cluster's data directory, volumes included.")
def command(name: str, delete_data: bool) -> None:
    """Stop a cluster: its processes, pods, namespaces, links and mounts. The data stays unless told otherwise."""
    cluster = lookup.existing(name)
    shutdown.stop(cluster)
    if delete_data:
        shutdown.delete_data(cluster)
        click.echo(f'cluster "{name}" is down; its data is deleted')
    else:
        click.echo(f'cluster "{name}" is down; its data is in {cluster.data_dir}')
