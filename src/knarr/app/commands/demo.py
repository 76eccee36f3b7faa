"""`knarr demo`."""

import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import click

from knarr.app import readiness, shutdown, startup
from knarr.app.config import ConfigError
from knarr.app.demo.observer import BrokenPromise, Observer
from knarr.app.demo.stage import Stage, example_folder
from knarr.app.demo.story import STORY
from knarr.meta import clock

NOWHERE = ("127.0.0.1",)  #: the demo asks for no name outside the cluster, and nothing of it shall leave the machine


@click.command("demo")
@click.option("--name", default="demo", show_default=True, help="The name of the demo's own cluster.")
@click.option("--runtime", type=click.Choice(["sandbox", "simulated"]), help="Default: as knarr up chooses.")
@click.option("--keep", is_flag=True, help="Leave the cluster running afterwards.")
def command(name: str, runtime: str | None, keep: bool) -> None:
    """Walk through a StatefulSet's promises on a fresh cluster of two nodes; exit 1 at the first broken one."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise ConfigError("the demo needs kubectl: apt-get install kubernetes-client")
    example = example_folder()
    began = clock.unix()
    folder = Path(tempfile.mkdtemp(prefix="knarr-demo-"))
    cluster = None
    try:
        cluster = startup.up(
            startup.Wishes(
                name=name,
                data_dir=folder / "data",
                nodes=2,
                port=0,
                runtime=runtime,
                kubeconfig=folder / "kubeconfig",
                upstream_dns=NOWHERE,
            )
        )
        connect = partial(readiness.connect, cluster)
        with (
            Observer(connect, "/api/v1/namespaces/default/pods") as pods,
            Observer(connect, "/api/v1/namespaces/default/persistentvolumeclaims") as claims,
            Observer(connect, "/api/v1/namespaces/default/endpoints") as endpoints,
        ):
            stage = Stage(cluster, kubectl, example, pods, claims, endpoints)
            stage.timings["cluster of two nodes Ready"] = clock.unix() - began
            kept = play(stage)
        report(stage, clock.unix() - began)
    finally:
        if cluster is not None and not keep:
            shutdown.stop(cluster)
            shutdown.delete_data(cluster)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if kept else 1)


def play(stage: Stage) -> bool:
    """Play the story; False at the first broken promise."""
    left_out = [step.title for step in STORY if step.processes and not stage.real]
    steps = [step for step in STORY if stage.real or not step.processes]
    for number, step in enumerate(steps, 1):
        click.echo(f"{number:>2}. {step.title}")
        began = clock.unix()
        try:
            seen = step.play(stage)
        except BrokenPromise as broken:
            click.echo(f"    ✗ broken: {broken}", err=True)
            return False
        click.echo(f"    ✓ {seen}  [{clock.unix() - began:.1f} s]")
    for title in left_out:
        click.echo(f"    left out, as it needs real processes: {title}")
    return True


def report(stage: Stage, seconds: float) -> None:
    click.echo("\ntimings")
    for name, value in stage.timings.items():
        click.echo(f"    {name:<32} {value:6.2f} s")
    click.echo(f"    {'the whole demo':<32} {seconds:6.2f} s")
