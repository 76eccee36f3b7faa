"""`knarr snapshot save|load|rm NAME`, `knarr snapshot ls`."""

from datetime import UTC, datetime

import click

from knarr.app import lookup, snapshots
from knarr.meta import clock


@click.group("snapshot")
def command() -> None:
    """Save the state of a cluster, and go back to it.

    A snapshot has every object of the API. It has no files: volumes and images stay as they are.
    """


_cluster = click.option("--name", "cluster", default="knarr", show_default=True, help="The cluster.")
_snapshot = click.argument("snapshot", metavar="NAME")


@command.command("save")
@_cluster
@_snapshot
def save(cluster: str, snapshot: str) -> None:
    """Save the cluster's state as NAME, as of one moment; it may run or not."""
    revision = snapshots.save(lookup.existing(cluster), snapshot)
    click.echo(f"snapshot {snapshot} saved at resourceVersion {revision}")


@command.command("load")
@_cluster
@_snapshot
def load(cluster: str, snapshot: str) -> None:
    """Go back to NAME. A running API server is stopped and started; watchers begin anew."""
    revision = snapshots.load(lookup.existing(cluster), snapshot)
    click.echo(f"snapshot {snapshot} loaded; the cluster goes on at resourceVersion {revision}")


@command.command("ls")
@_cluster
def ls(cluster: str) -> None:
    """List the cluster's snapshots, the oldest first."""
    found = snapshots.known(lookup.existing(cluster))
    if not found:
        click.echo("no snapshots")
        return
    click.echo(f"{'NAME':<24} {'SAVED':<22} {'RESOURCEVERSION':>15} {'KIB':>10}")
    for each in found:
        saved = clock.timestamp(datetime.fromtimestamp(each.copy.taken, UTC))
        click.echo(f"{each.name:<24} {saved:<22} {each.copy.revision:>15} {-(-each.copy.size // 1024):>10}")


@command.command("rm")
@_cluster
@_snapshot
def rm(cluster: str, snapshot: str) -> None:
    """Delete the snapshot NAME."""
    snapshots.remove(lookup.existing(cluster), snapshot)
    click.echo(f"snapshot {snapshot} deleted")
