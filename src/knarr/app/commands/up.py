"""`knarr up`."""

from pathlib import Path

import click

from knarr.app import node_counts, startup
from knarr.app.config import RUNTIMES


@click.command("up")
@click.option("--name", default="knarr", show_default=True, help="The cluster's name, and its kubeconfig context's.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where its data lies; by default under knarr's home.")
@click.option("--nodes", help="How many: N, or by runtime: sandbox=2,simulated=1000. Default: 1, or as it had.")
@click.option(
    "--simulation", type=click.Path(path_type=Path), help="File of stages that simulated nodes and pods go through."
)
@click.option("--runtime", type=click.Choice(RUNTIMES), help="Default: sandbox as root on Linux, otherwise simulated.")
@click.option("--port", type=click.IntRange(0, 65535), help="The API's port on 127.0.0.1; 0 takes a free one.")
@click.option("--store", type=click.Choice(["sqlite", "memory"]), help="Default: sqlite. memory forgets at a stop.")
@click.option(
    "--controllers/--no-controllers", default=None, help="Run them in the server. Default: yes, or as before."
)
@click.option("--token-auth-file", type=click.Path(path_type=Path), help="CSV of token,user,uid,groups.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The kubeconfig to merge the context into.")
@click.option("--upstream-dns", multiple=True, help="Resolver for names outside the cluster; default: the host's.")
@click.option(
    "--load-balancer-addresses",
    metavar="RANGES",
    help="For services of type LoadBalancer: first-last or a.b.c.d/n, of IPv6 too, with commas between.",
)
@click.option(
    "--service-cidr",
    metavar="RANGES",
    help="The services' addresses, by comma one range of IPv4 and one of IPv6. Only for a new cluster.",
)
@click.option("--cluster-cidr", metavar="RANGES", help="The pods' addresses, of the same families.")
@click.option(
    "--seccomp-default/--no-seccomp-default",
    default=None,
    help="RuntimeDefault for containers that name no seccomp profile. Default: no, or as before.",
)
@click.option("--foreground", is_flag=True, help="Stay, show the log, and stop the cluster on Ctrl-C.")
def command(foreground: bool, nodes: str | None, runtime: str | None, **wishes: object) -> None:
    """Start a cluster in the background and return when its API answers and all nodes are Ready."""
    counts = node_counts.wished(nodes, runtime)
    startup.up(startup.Wishes(**counts, **wishes), foreground=foreground)  # type: ignore[arg-type]  # click checked
