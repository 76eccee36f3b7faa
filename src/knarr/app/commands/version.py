"""`knarr version`."""

import click

import knarr


@click.command("version")
def command() -> None:
    """Print knarr's version and the Kubernetes version it speaks."""
    click.echo(f"knarr {knarr.__version__}\nKubernetes {knarr.KUBERNETES_VERSION}")
