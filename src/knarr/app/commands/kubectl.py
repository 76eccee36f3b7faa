"""`knarr kubectl -- ...`."""

import os
import shutil

import click

from knarr.app import lookup
from knarr.app.config import ConfigError


@click.command("kubectl", context_settings={"ignore_unknown_options": True})
@click.option("--name", default="knarr", show_default=True, help="The cluster.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(name: str, arguments: tuple[str, ...]) -> None:
    """Run the kubectl on the PATH with a cluster's admin credentials."""
    cluster = lookup.existing(name)
    binary = shutil.which("kubectl")
    if binary is None:
        raise ConfigError("kubectl is not installed: apt-get install kubernetes-client")
    config = lookup.admin_kubeconfig(cluster)
    os.execve(  # noqa: S606 - replaces this process: no shell
        binary, ["kubectl", *arguments], {**os.environ, "KUBECONFIG": str(config)}
    )
