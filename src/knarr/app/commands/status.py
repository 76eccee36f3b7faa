"""`knarr status`."""

import click

from knarr.app import config, lookup


@click.command("status")
@click.option("--name", default=None, help="One cluster; all of them when not given.")
def command(name: str | None) -> None:
    """Show clusters, their processes and where they are. Exit code 1 when a named cluster does not run whole."""
    clusters = [lookup.existing(name)] if name else config.known()
    if not clusters:
        click.echo("no clusters; knarr up starts one")
        return
    whole = True
    for cluster in clusters:
        states = lookup.process_states(cluster)
        whole = whole and all(state.pid for state in states)
        click.echo(f"{cluster.name}: {'running' if states[0].pid else 'stopped'}")
        click.echo(f"  api      {cluster.url}")
        click.echo(f"  runtime  {cluster.runtime}, store {cluster.store}")
        click.echo(f"  data     {cluster.data_dir}")
        click.echo(f"  logs     {cluster.run}/*.log")
        for state in states:
            click.echo(f"  process  {state.name:<12} {f'pid {state.pid}' if state.pid else 'not running'}")
    if name and not whole:
        raise SystemExit(1)
