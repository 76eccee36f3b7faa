"""The command line. Each command is a module of `commands/`, imported only when it is called."""

import importlib
import sys
from typing import Any

import click

COMMANDS = {  # name -> what `knarr --help` says; the module has the same name
    "up": "Start a cluster, or bring a stopped one back.",
    "down": "Stop a cluster; its data stays unless told otherwise.",
    "status": "Show the clusters, their nodes and processes.",
    "kubectl": "Run kubectl against a cluster: knarr kubectl -- get pods.",
    "demo": "Walk through a StatefulSet's promises on a fresh cluster, and check each.",
    "sim": "Live through random workloads and faults, and check what always holds.",
    "controllers": "Run the controllers alone, against the API of any Kubernetes.",
    "image": "Build, load and list images.",
    "node": "Stop or start one node's agent.",
    "history": "Print every stored revision of an object.",
    "snapshot": "Save the state of a cluster, and go back to it.",
    "version": "Print the versions.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported on use, so that `knarr up` starts in milliseconds."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"knarr.app.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def root() -> None:
    """A Kubernetes-compatible cluster in one Python package."""


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; a ConfigError ends it with one line and exit code 1."""
    from knarr.app.config import ConfigError

    try:
        return root.main(args=arguments, prog_name="knarr")
    except ConfigError as error:
        click.echo(f"knarr: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
